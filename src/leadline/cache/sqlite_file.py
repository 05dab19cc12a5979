"""The cache's database file: opened, made, or begun anew where it is damaged or foreign."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from leadline.errors import StoreUnavailable

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE entry (key TEXT PRIMARY KEY, hard REAL, size INTEGER, label TEXT, envelope BLOB)",
    "CREATE INDEX entry_hard ON entry (hard)",
    "CREATE TABLE namespace (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lease (key TEXT PRIMARY KEY, token TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE news (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, told BLOB NOT NULL)",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)
_BUSY_SECONDS: Final = 2.0


class CacheFile(NamedTuple):
    """An open file: a connection that only reads, one that writes, and the last news in it."""

    path: Path
    reading: sqlite3.Connection
    writing: sqlite3.Connection
    last_news: int


def open_file(path: Path) -> CacheFile:
    """Open the file, or make it with mode 0600. Raises `StoreUnavailable`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        writing = _usable(path)
        reading = _connected(path)
        reading.execute("PRAGMA query_only = ON")
        last = reading.execute("SELECT COALESCE(MAX(seq), 0) FROM news").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the cache `{path}` cannot be opened: {error}") from error
    return CacheFile(path, reading, writing, last)


def _usable(path: Path) -> sqlite3.Connection:
    try:
        return _prepared(path)
    except sqlite3.OperationalError:
        raise  # locked, unreadable: it may be sound
    except sqlite3.DatabaseError:
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        return _prepared(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _prepared(path: Path) -> sqlite3.Connection:
    with suppress(FileExistsError):
        # Never one that is there: to close a descriptor of it gives up SQLite's locks in this whole process.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = _connected(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] != _SCHEMA_VERSION:
            tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            for (name,) in tables.fetchall():
                db.execute(f"DROP TABLE {name}")
            for statement in _SCHEMA:
                db.execute(statement)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db
