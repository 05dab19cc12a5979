"""A real S3 server of the tests' own: rclone's, on a free port, in its own folder, killed at the end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leadline.blobs.s3_place import Bucket

BUCKET = "tests"
KEY = "key"
SECRET = "secret-of-the-tests"


class S3Server:
    """A running server; its buckets are the folders in `data`, of which there is one. `stop` kills it, `start` brings it back with its data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        (self.data / BUCKET).mkdir(parents=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def endpoint(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, prefix: str = "") -> Bucket:
        """Return how its one bucket is reached, below a prefix."""
        return Bucket(name=BUCKET, prefix=prefix, endpoint=self.endpoint, access_key=KEY, secret_key=SECRET)

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = Path(sys.executable).with_name("rclone")
        words = ["serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}"]
        # Without a cache of bodies a part that overtakes another one stops the server, and so does a
        # directory cache of no seconds: what is changed behind its back it does not see.
        words += ["--vfs-cache-mode", "full", "--vfs-write-back", "0", "--cache-dir", str(self._folder / "cache")]
        words += ["--config", "/dev/null", str(self.data)]
        with (self._folder / "rclone.log").open("ab") as log:
            self._process = subprocess.Popen([program, *words], stdout=log, stderr=log, cwd=self._folder)
        for _ in range(500):
            if self._answers():
                return
            time.sleep(0.02)
        raise RuntimeError((self._folder / "rclone.log").read_text()[-2000:])

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """Yield a server that runs; it is dead afterwards."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
