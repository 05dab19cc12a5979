"""A real Redis of a test's own: on a free port, in its own folder, killed at the end."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_SLOTS = 16_384


class Redis:
    """A running server. `stop` kills it as a power cut would, `start` brings it back empty."""

    def __init__(self, folder: Path, *, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._options = options
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, without any file of its own, and wait until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
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
        wire = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(wire.encode())
            return connection.recv(65_536)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """A running cluster."""

    def __init__(self, nodes: Sequence[Redis]) -> None:
        self._nodes = nodes

    @property
    def url(self) -> str:
        """Return where its first node listens."""
        return f"redis+cluster://127.0.0.1:{self._nodes[0].port}"

    def flush(self) -> None:
        """Forget everything."""
        for node in self._nodes:
            node.command("FLUSHALL")


@contextmanager
def running_redis(folder: Path) -> Iterator[Redis]:
    """Yield a server that runs; it is dead afterwards."""
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_cluster(folder: Path, *, nodes: int = 2) -> Iterator[Cluster]:
    """Yield a cluster whose nodes share all slots; it is dead afterwards."""
    servers, buses = list[Redis](), list[int]()
    with ExitStack() as stack:
        for number in range(nodes):
            home = folder / f"node{number}"
            home.mkdir()
            bus = _free_port()
            server = Redis(home, options=("--cluster-enabled", "yes", "--cluster-port", str(bus)))
            stack.callback(server.stop)
            server.start()
            servers.append(server)
            buses.append(bus)
        step = _SLOTS // nodes
        for number, server in enumerate(servers):
            last = _SLOTS - 1 if number == nodes - 1 else (number + 1) * step - 1
            server.command("CLUSTER", "ADDSLOTSRANGE", str(number * step), str(last))
            server.command("CLUSTER", "MEET", "127.0.0.1", str(servers[0].port), str(buses[0]))
        for _ in range(500):
            if all(b"cluster_state:ok" in server.command("CLUSTER", "INFO") for server in servers):
                break
            time.sleep(0.02)
        yield Cluster(servers)
