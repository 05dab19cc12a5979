"""A pair of servers of which one takes over from the other: PostgreSQL with a streaming standby."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.support.postgres import PASSWORD, USER, Postgres
from tests.support.waiting import until


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
