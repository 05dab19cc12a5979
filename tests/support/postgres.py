"""A real PostgreSQL of the tests' own: on a free port, in its own folder, with password and TLS, killed at the end.

It never runs as root: where the tests do, it runs as `postgres`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

from tests.support.certificates import Certificates

PASSWORD = "pa ss/wörd?"
USER = "app"


class Postgres:
    """A server. `kill` ends it as a crash would, `stop` as an operator does; `start` brings it back with its data."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self._programs = str(max(Path("/usr/lib/postgresql").glob("*/bin")))
        self._user = "postgres" if os.geteuid() == 0 else None
        self._durable = durable
        self._names = count()
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        Certificates.create(folder).server("localhost")
        (folder / "password").write_text(PASSWORD + "\n")
        self._own(folder)
        self._run(
            *("initdb", "-D", str(folder / "data"), "-U", USER, "--auth=scram-sha-256"),
            *(f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C.UTF-8", "-N"),
        )

    def url(self, database: str = "postgres") -> str:
        """Return a database's address, as an operator would write it."""
        return (
            f"postgresql://{USER}:{quote(PASSWORD, safe='')}@localhost:{self.port}/{database}"
            f"?sslmode=verify-full&sslrootcert={self.folder / 'ca.pem'}"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        pem = self.folder / "localhost.pem"
        options = {
            "listen_addresses": "localhost",
            "unix_socket_directories": str(self.folder),
            "ssl": "on",
            "ssl_cert_file": str(pem),
            "ssl_key_file": str(pem),
            "fsync": "on" if self._durable else "off",
            "max_connections": "200",
            "shared_buffers": "256MB",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [f"{self._programs}/postgres", "-D", str(self.folder / "data"), "-p", str(self.port), *words],
            cwd=self.folder,
            user=self._user,
            stdout=log,
            stderr=log,
        )
        log.close()
        for _ in range(600):
            if self._ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start; see {self.folder / 'log'}")

    def stop(self) -> None:
        """Let it shut down at once, as an operator would: connections are told and cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it without a word, as a crash would: it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def prepare(self) -> None:
        """Make the tables that the stores of all tests are copies of."""
        self._template = self.database()
        program = (
            "import asyncio, sys; from leadline.tasks.postgres import migrate; asyncio.run(migrate.up(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", program, self.url(self._template)], check=True)

    def database(self) -> str:
        """Make an empty database and return its name."""
        name = f"t{next(self._names)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def store(self, disk: Path | None = None) -> str:
        """Make a database with Leadline's tables, on a disk of its own where one is given; return its address."""
        name = f"t{next(self._names)}"
        space = ""
        if disk is not None:
            place = disk / name
            place.mkdir(mode=0o700)
            if self._user is not None:
                shutil.chown(place, self._user)
            self.sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
            space = f" TABLESPACE {name}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {self._template}{space}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Return what a statement gives, as unaligned text."""
        return self._run(
            *("psql", "-h", str(self.folder), "-p", str(self.port), "-U", USER, "-d", database),
            *("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement),
        )

    def _ready(self) -> bool:
        try:
            return self.sql("SELECT 1").strip() == "1"
        except subprocess.CalledProcessError:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
            return False

    def _end(self, signal_: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal_)
            self._process.wait(60)
            self._process = None

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [f"{self._programs}/{program}", *words],
            cwd=self.folder,
            user=self._user,
            env={"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def _own(self, folder: Path) -> None:
        """Give a folder to the server's user; others may read the certificate of the authority."""
        folder.chmod(0o755)
        (folder / "localhost.pem").chmod(0o600)
        if self._user is not None:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, self._user)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Yield a server that runs; it and its folder are gone afterwards.

    What a killed server had committed survives either way; `durable` waits for the disk as well,
    which only a power cut or a measurement can tell.
    """
    with tempfile.TemporaryDirectory(prefix="leadline-pg-", ignore_cleanup_errors=True) as name:
        server = Postgres(Path(name), durable=durable)
        server.start()
        try:
            server.prepare()
            yield server
        finally:
            server.kill()
