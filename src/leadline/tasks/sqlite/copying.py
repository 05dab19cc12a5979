"""Whole SQLite files copied while others write: by SQLite's own online backup, in one read transaction.

https://www.sqlite.org/backup.html. In write-ahead mode a reader keeps nobody from writing, and all
pages are copied in one step, so the copy is what was committed when it began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from leadline.errors import BackupUnusable, SettingsError
from leadline.tasks.sqlite import schema

_BUSY: Final = 30.0
_INTERNAL: Final = "sqlite_"
_MARK: Final = "unfinished_restore"
"""A table of one row, in a file that a restore put there and has not finished with."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that is there for the length of the context. Raises `StoreError`."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise schema.translated(error, path) from error


def copy(source: Path, target: Path) -> None:
    """Copy the file `source` to the file `target`, replacing all that is in it, and check the copy.

    `target` is made for this user alone; others may have it open. Raises `StoreError`.
    """
    schema.make_private(target)
    with opened(source) as read, opened(target) as write:
        read.backup(write)
        check(write, target)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `BackupUnusable` where a file is not whole."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupUnusable(f"`{path}` is damaged: {found}")


def version(connection: sqlite3.Connection) -> str:
    """Return the migration that a file of runs is at."""
    return str(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(found: str) -> None:
    """Raise `SettingsError` for a file of runs that a newer program wrote."""
    if int(found) > schema.NEWEST:
        raise SettingsError(
            f"the backup was made by a newer Leadline (schema {found} of runs, this one knows {schema.NEWEST}); "
            "update Leadline"
        )


def tables(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of a file's tables."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return tuple(name for (name,) in rows if not name.startswith(_INTERNAL))


def count(connection: sqlite3.Connection, names: Iterable[str]) -> int:
    """Return how many rows these tables have together; one that is not there has none."""
    there = set(tables(connection))
    statements = (f'SELECT count(*) FROM "{name}"' for name in names if name in there)  # noqa: S608 names of tables
    return sum(connection.execute(statement).fetchone()[0] for statement in statements)


def mark(path: Path, backup: str) -> None:
    """Let a file say that it is of an unfinished restore of a backup; a copy of it says so too. Raises `StoreError`."""
    with opened(path) as connection:
        connection.executescript(f"DROP TABLE IF EXISTS {_MARK}; CREATE TABLE {_MARK} (backup TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {_MARK} VALUES (?)", (backup,))  # noqa: S608 a name of ours


def marked(connection: sqlite3.Connection) -> str | None:
    """Return the backup whose unfinished restore the file is of, if it is of one."""
    return next(iter(words(connection, _MARK, "backup")), None)


def unmark(path: Path) -> None:
    """Let a file be like any other again. Raises `StoreError`."""
    with opened(path) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_MARK}")


def words(connection: sqlite3.Connection, table: str, column: str) -> frozenset[str]:
    """Return the values of a column of texts; a table that is not there has none."""
    if table not in tables(connection):
        return frozenset()
    return frozenset(value for (value,) in connection.execute(f'SELECT DISTINCT "{column}" FROM "{table}"'))  # noqa: S608 names of ours
