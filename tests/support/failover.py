"""Pairs of servers of which one takes over from the other: PostgreSQL with a streaming standby, Redis with a sentinel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.support.postgres import PASSWORD, USER, Postgres
from tests.support.redis import Redis

MASTER = "leadline"
SECONDS = 60.0


class Standby(Postgres):
    """A server that streams from another one, with its certificates and data, until it is promoted."""

    def __init__(self, folder: Path, primary: Postgres) -> None:
        self.folder = folder
        self._programs = primary._programs
        self._user = primary._user
        self._durable = primary._durable
        self._names = primary._names
        self._process = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("localhost.pem", "ca.pem"):
            shutil.copy(primary.folder / name, folder / name)
        self._own(folder)
        self._run(
            *("pg_basebackup", "-h", "localhost", "-p", str(primary.port), "-U", USER, "-D", str(folder / "data")),
            *("-X", "stream", "-c", "fast", "-R", "--no-sync"),
        )

    def promote(self) -> None:
        """Take over; return when writes are taken."""
        self.sql("SELECT pg_promote(true, 60)")
        until(lambda: self.sql("SELECT pg_is_in_recovery()").strip() == "f")


class Pair:
    """A primary, and a standby that has everything which was acknowledged."""

    def __init__(self, primary: Postgres, standby: Standby) -> None:
        self.primary = primary
        self.standby = standby

    def url(self, database: str) -> str:
        """Return an address that finds whichever takes writes."""
        hosts = f"localhost:{self.primary.port},localhost:{self.standby.port}"
        return (
            f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{hosts}/{database}"
            f"?target_session_attrs=read-write&sslmode=verify-full&sslrootcert={self.primary.folder / 'ca.pem'}"
        )


@contextmanager
def running_pair(primary: Postgres) -> Iterator[Pair]:
    """Yield the primary with a standby beside it, which is gone afterwards; commits wait for both."""
    with tempfile.TemporaryDirectory(prefix="leadline-standby-", ignore_cleanup_errors=True) as name:
        standby = Standby(Path(name), primary)
        standby.start()
        try:
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            until(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication").strip() == "sync")
            # The standby copied the primary's settings; it has no standby of its own to wait for.
            standby.sql("ALTER SYSTEM RESET synchronous_standby_names") if _is_set(standby) else None
            yield Pair(primary, standby)
        finally:
            standby.kill()


def _is_set(server: Postgres) -> bool:
    return server.sql("SHOW synchronous_standby_names").strip() != ""


class Sentinels:
    """A Redis, its replica, and a sentinel that lets the replica take over."""

    def __init__(self, primary: Redis, replica: Redis, sentinel: Redis) -> None:
        self.primary = primary
        self.replica = replica
        self._sentinel = sentinel

    @property
    def engine(self) -> str:
        """Return the setting `engine` that asks the sentinel who is master."""
        return f"celery+sentinel://127.0.0.1:{self._sentinel.port}/{MASTER}"

    def master(self) -> int:
        """Return the port of who is master now, as the sentinel knows it."""
        words = self._sentinel.command("SENTINEL", "get-master-addr-by-name", MASTER).split(b"\r\n")
        return int(words[4])

    def took_over(self) -> bool:
        """Tell whether the replica is master, and takes writes."""
        return self.master() == self.replica.port and b"role:master" in self.replica.command("INFO", "replication")


@contextmanager
def running_sentinels(folder: Path) -> Iterator[Sentinels]:
    """Yield a pair of Redis and its sentinel; they are dead afterwards."""
    with ExitStack() as stack:

        def started(name: str, *options: str, first: str = "") -> Redis:
            (folder / name).mkdir()
            server = Redis(folder / name, options=options)
            if first:
                server = _Sentinel(folder / name, first)
            stack.callback(server.stop)
            server.start()
            return server

        primary = started("primary")
        replica = started("replica", "--replicaof", "127.0.0.1", str(primary.port), "--repl-diskless-sync-delay", "0")
        until(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
        sentinel = started("sentinel", first=_rules(primary.port))
        found = Sentinels(primary, replica, sentinel)
        until(lambda: b"num-slaves\r\n$1\r\n1" in sentinel.command("SENTINEL", "master", MASTER))
        yield found


class _Sentinel(Redis):
    """A sentinel: it writes what it learns into its configuration."""

    def __init__(self, folder: Path, rules: str) -> None:
        super().__init__(folder)
        self._file = folder / "sentinel.conf"
        self._file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nlogfile sentinel.log\n{rules}")

    def start(self) -> None:
        self._process = subprocess.Popen(["redis-server", str(self._file), "--sentinel"], cwd=self._folder)
        until(self._answers)


def _rules(port: int) -> str:
    return (
        f"sentinel monitor {MASTER} 127.0.0.1 {port} 1\n"
        f"sentinel down-after-milliseconds {MASTER} 1000\n"
        f"sentinel failover-timeout {MASTER} 5000\n"
    )


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so. What a server does not answer yet is not so."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if true():
                return
        except (OSError, subprocess.CalledProcessError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"it did not come about within {SECONDS:.0f} s (load {os.getloadavg()[0]:.1f})")
