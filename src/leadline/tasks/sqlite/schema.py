"""The database file: where it may lie, how it is opened, its tables and their migrations."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from leadline.errors import SettingsError, StoreError, StoreFull, StoreUnavailable

NOW = "((julianday('now') - 2440587.5) * 86400.0)"
"""Unix time in seconds by the database's clock (`unixepoch('subsec')` needs SQLite 3.42)."""

MINIMUM = (3, 35, 0)
"""The first SQLite with RETURNING."""

# `local` runs belong to the process that made them: only a claim by id takes them up.
# Steps lie in the order in which they came, so that the appends of many runs share pages;
# a table clustered by run would touch a page for every run in every commit.
_MIGRATIONS = (
    """
    CREATE TABLE run (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        state TEXT NOT NULL,
        engine TEXT NOT NULL,
        priority INTEGER NOT NULL,
        local INTEGER NOT NULL,
        owner TEXT,
        lease_until REAL,
        fence INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        flag TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        stop_reason TEXT,
        report TEXT,
        failure TEXT,
        usage TEXT
    );
    CREATE INDEX run_queued ON run (priority DESC, tenant, created_at, engine)
        WHERE state = 'queued' AND local = 0;
    CREATE INDEX run_held ON run (owner, tenant) WHERE state = 'running';
    CREATE INDEX run_listed ON run (tenant, created_at);
    CREATE TABLE asked (run INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE step (
        key INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        branch TEXT NOT NULL,
        type TEXT NOT NULL,
        compressed INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE UNIQUE INDEX step_place ON step (run, seq);
    """,
    """
    ALTER TABLE run ADD COLUMN waits_for TEXT;
    ALTER TABLE run ADD COLUMN reply TEXT;
    """,
    # Keys are places of the feed: one that a deleted row had is never given again.
    """
    CREATE TABLE step_kept (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        branch TEXT NOT NULL,
        type TEXT NOT NULL,
        compressed INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    INSERT INTO step_kept SELECT key, run, seq, at, branch, type, compressed, body FROM step;
    DROP TABLE step;
    ALTER TABLE step_kept RENAME TO step;
    CREATE UNIQUE INDEX step_place ON step (run, seq);
    CREATE TABLE shipping (
        log TEXT PRIMARY KEY,
        owner TEXT,
        lease_until REAL NOT NULL,
        fence INTEGER NOT NULL,
        place INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    """,
)

NEWEST = len(_MIGRATIONS)
"""The migration that this program brings a file to."""

# WAL needs shared memory between its processes, which these do not give.
_NETWORKED = frozenset(
    {
        "9p",
        "afs",
        "afpfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.ceph",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gfs2",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
        "vboxsf",
    }
)
_SWITCH_SECONDS = 5.0


def filesystem_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds `path`; `mounts` is as /proc/mounts."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if len(point) >= best and path.is_relative_to(point):
            best, kind = len(point), fields[2]
    return kind


def refuse_network(path: Path) -> None:
    """Raise `SettingsError` where `path` lies on a network file system."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: nothing is known about mounts
        return
    kind = filesystem_of(path.resolve(), mounts)
    if kind in _NETWORKED:
        raise SettingsError(
            f"`{path}` lies on a network file system ({kind}), where SQLite would lose data; "
            "set the data folder to a local disk, or the store to PostgreSQL"
        )


def prepare(path: Path, *, busy: float) -> sqlite3.Connection:
    """Return a connection for writing; folder, file and tables are made where they are missing.

    `busy` is how long to wait for another process's write, in seconds. The folder is made with
    mode 0700, the file with 0600. Raises `SettingsError` for a network file system, a SQLite that
    is too old and a file of a newer version; `StoreError` where the file cannot be used.
    """
    if sqlite3.sqlite_version_info < MINIMUM:
        raise SettingsError(
            f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, MINIMUM))} or later is needed"
        )
    refuse_network(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(path)
    except OSError as error:
        raise StoreUnavailable(f"cannot open `{path}`: {error.strerror}") from error
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(path, busy=busy)
        _use_wal(connection)
        _migrate(connection, path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise translated(error, path) from error
        raise
    return connection


def make_private(path: Path) -> None:
    """Make an empty file for this user alone where there is none.

    A file that is there is left alone, not even opened: whoever closes any descriptor of a file gives
    up the locks of the whole process on it, SQLite's among them, and another process then takes the
    write-ahead log away under open connections (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def connect(path: Path, *, busy: float, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode; transactions are begun by hand."""
    connection = sqlite3.connect(
        path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait by itself while another process does the same."""
    end = time.monotonic() + _SWITCH_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    known = NEWEST
    version = _version(connection)
    if version > known:
        raise SettingsError(
            f"`{path}` was written by a newer Leadline (schema {version}, this one knows {known}); "
            "update Leadline or choose another data folder"
        )
    if version == known:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        missing = _MIGRATIONS[_version(connection) :]  # another process may have done it meanwhile
        for script in missing:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        if missing:
            connection.execute(f"PRAGMA user_version = {known}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _primary(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another process held the file for longer than we wait."""
    return _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """Return our error for SQLite's; raise it `from` the other."""
    code = _primary(error)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_space(path)):
        return StoreFull(f"no space is left for `{path}`; free some and try again")
    if is_busy(error):
        return StoreUnavailable(f"`{path}` is locked by another process; try again")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreError(f"`{path}` is damaged ({error}); restore it from a backup")
    return StoreUnavailable(f"`{path}` cannot be used: {error}")


def _no_space(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail < 32
    except OSError:
        return False
