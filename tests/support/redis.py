"""A real Redis of a test's own: on a free port, in its own folder, killed at the end."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Redis:
    """A running server. `stop` kills it as a power cut would, `start` brings it back empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, without any file of its own, and wait until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        options += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "redis.log"]
        self._process = subprocess.Popen(["redis-server", *options], cwd=self._folder)
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


@contextmanager
def running_redis(folder: Path) -> Iterator[Redis]:
    """Yield a server that runs; it is dead afterwards."""
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
