"""A real Redis of a test's own: on a free port, in its own folder, killed at the end."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.support.certificates import Certificates

HOST: Final = "127.0.0.1"
_SLOTS = 16_384


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a server asks of its clients: a password, users of its own, TLS with an authority of ours.

    `users` are rules as of `ACL SETUSER`. `certificate` is the server's, else one for 127.0.0.1; `mutual` asks
    clients for theirs.
    """

    password: str | None = None
    tls: Certificates | None = None
    users: Sequence[str] = ()
    certificate: Path | None = None
    mutual: bool = False

    def options(self, port: int) -> list[str]:
        """Return the server's options."""
        words = ["--port", str(port)] if self.tls is None else self._tls_options(self.tls, port)
        if self.password is not None:
            words += ["--requirepass", self.password, "--masterauth", self.password]
        for user in self.users:
            words += ["--user", *user.split()]
        return words

    def _tls_options(self, tls: Certificates, port: int) -> list[str]:
        own = str(self.certificate or tls.pair(HOST))
        asks = "yes" if self.mutual else "no"
        return [
            *("--port", "0", "--tls-port", str(port), "--tls-cert-file", own, "--tls-key-file", own),
            *("--tls-ca-cert-file", str(tls.file), "--tls-auth-clients", asks, "--tls-replication", "yes"),
            *("--tls-cluster", "yes"),
        ]

    def address(self, port: int, *, scheme: str = "redis", user: str = "", password: str | None = None) -> str:
        """Return the address of a server; `user` and `password` stand for the server's own."""
        word = self.password if password is None else password
        signed = f"{user}:{quote(word, safe='')}@" if word else ""
        kind, plus, more = scheme.partition("+")
        if self.tls is None:
            return f"{scheme}://{signed}{HOST}:{port}/0"
        return f"{kind}s{plus}{more}://{signed}{HOST}:{port}/0?ssl_ca_certs={self.tls.file}"

    def connected(self, port: int) -> socket.socket:
        """Return a connection that has signed in; it checks nothing, for that is the product's affair."""
        plain = socket.create_connection((HOST, port), timeout=2)
        if self.tls is None:
            connection = plain
        else:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if self.mutual:
                context.load_cert_chain(self.tls.pair("a-client"))
            connection = context.wrap_socket(plain)
        if self.password is not None:
            connection.sendall(_wire("AUTH", self.password))
            connection.recv(1_024)
        return connection


NONE: Final = Guard()


class Redis:
    """A running server. `stop` kills it as a power cut would, `start` brings it back empty."""

    def __init__(self, folder: Path, *, options: Sequence[str] = (), guard: Guard = NONE) -> None:
        self.guard = guard
        self._folder = folder
        self._options = options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it listens, with all that it asks for."""
        return self.guard.address(self.port)

    def start(self) -> None:
        """Start it, without any file of its own, and wait until it answers."""
        options = ["--bind", HOST, "--dir", str(self._folder), *self.guard.options(self.port)]
        options += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "redis.log"]
        self._process = subprocess.Popen(["redis-server", *options, *self._options], cwd=self._folder)
        for _ in range(200):
            if self._answers():
                return
            time.sleep(0.02)
        raise RuntimeError(f"redis-server did not start; see {self._folder / 'redis.log'}")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def command(self, *words: str) -> bytes:
        """Return the raw reply to a command, by a connection of its own."""
        with self.guard.connected(self.port) as connection:
            connection.sendall(_wire(*words))
            return connection.recv(65_536)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False


def _wire(*words: str) -> bytes:
    return (f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)).encode()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """A running cluster."""

    def __init__(self, nodes: Sequence[Redis]) -> None:
        self._nodes = nodes

    @property
    def url(self) -> str:
        """Return where its first node listens."""
        return self._nodes[0].guard.address(self._nodes[0].port, scheme="redis+cluster")

    def flush(self) -> None:
        """Forget everything."""
        for node in self._nodes:
            node.command("FLUSHALL")


@contextmanager
def running_redis(folder: Path, *, guard: Guard = NONE) -> Iterator[Redis]:
    """Yield a server that runs; it is dead afterwards."""
    server = Redis(folder, guard=guard)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_cluster(folder: Path, *, nodes: int = 2, guard: Guard = NONE) -> Iterator[Cluster]:
    """Yield a cluster whose nodes share all slots; it is dead afterwards."""
    servers, buses = list[Redis](), list[int]()
    with ExitStack() as stack:
        for number in range(nodes):
            home = folder / f"node{number}"
            home.mkdir()
            bus = free_port()
            server = Redis(home, options=("--cluster-enabled", "yes", "--cluster-port", str(bus)), guard=guard)
            stack.callback(server.stop)
            server.start()
            servers.append(server)
            buses.append(bus)
        step = _SLOTS // nodes
        for number, server in enumerate(servers):
            last = _SLOTS - 1 if number == nodes - 1 else (number + 1) * step - 1
            server.command("CLUSTER", "ADDSLOTSRANGE", str(number * step), str(last))
            server.command("CLUSTER", "MEET", HOST, str(servers[0].port), str(buses[0]))
        for _ in range(500):
            if all(b"cluster_state:ok" in server.command("CLUSTER", "INFO") for server in servers):
                break
            time.sleep(0.02)
        yield Cluster(servers)
