"""The index file of a corpus: tables, versions, connections and the lock between processes.

The index is derived from the documents and holds each text once: compressed in blocks, so that a
passage of a long document is read without unpacking all of it. The full-text tables have no
content of their own; what they were given is derived again from the stored text when a row has
to go, which is why `VERSION` names everything that this derivation depends on. An index of
another version, or a damaged one, is built anew.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from leadline.errors import LeadlineError, StoreError, StoreFull, StoreUnavailable, ToolFailed

T = TypeVar("T")

# Raise when a table, the cut into passages or what is indexed of them changes.
VERSION: Final = "1"
READERS: Final = 2
LOCK_LOOK_SECONDS: Final = 0.05
_BUSY_SECONDS: Final = 10.0
_CHECK_EVERY: Final = 20_000
_CACHE_KIB: Final = 16_384

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a document, readable or not. Times are nanoseconds of the file system's clock.
CREATE TABLE files (
  uri TEXT PRIMARY KEY,
  path BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime INTEGER NOT NULL,
  ctime INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  checked INTEGER NOT NULL,  -- when the bytes were last hashed
  raw_sha256 TEXT NOT NULL,
  text_id INTEGER REFERENCES texts (id),
  parsers TEXT NOT NULL,     -- which parsers gave up on it, where there is no text
  code TEXT,
  reason TEXT
) WITHOUT ROWID;
CREATE INDEX files_by_text ON files (text_id);

-- One row a text, however many documents hold it; `suffix` may decide how bytes are read.
CREATE TABLE texts (
  id INTEGER PRIMARY KEY,
  raw_sha256 TEXT NOT NULL,
  suffix TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  chars INTEGER NOT NULL,
  extractor TEXT NOT NULL,
  holder TEXT NOT NULL,      -- the document by whose name it was indexed
  named TEXT NOT NULL,       -- title and file name as they were indexed
  title TEXT NOT NULL,
  published TEXT,
  about BLOB NOT NULL,       -- the rest of the source's metadata, packed JSON
  UNIQUE (raw_sha256, suffix)
);

CREATE TABLE blocks (
  id INTEGER PRIMARY KEY,
  text_id INTEGER NOT NULL,
  start INTEGER NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (text_id, start)
);

CREATE TABLE passages (
  id INTEGER PRIMARY KEY,
  text_id INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  place TEXT NOT NULL        -- the headings above it, as they were indexed
);
CREATE INDEX passages_by_text ON passages (text_id);

CREATE VIRTUAL TABLE words USING fts5 (
  title, place, body, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO words (words, rank) VALUES ('rank', 'bm25(3.0, 1.0, 1.0)');
-- Bytes of postings kept in memory between two writes of a segment: fewer segments to merge.
INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the index file; statements are their own transactions unless `BEGIN` says otherwise."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all that is read inside be of one moment, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def prepare(path: Path) -> None:
    """Make sure that an index of this version lies at `path`. The caller holds the lock.

    Raises `StoreError`.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_current(path):
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        _create(path)


async def ensure(path: Path) -> None:
    """Make sure that there is an index of this version, without waiting for one who writes it.

    Raises `StoreError`.
    """
    if not await asyncio.to_thread(_is_usable, path):
        async with locked(path):
            await asyncio.to_thread(prepare, path)


def _is_usable(path: Path) -> bool:
    with translated(path):
        return _is_current(path)


def _is_current(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    try:
        with closing(connect(path)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
            connection.execute("SELECT rowid FROM words LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return False
        raise
    return row is not None and row[0] == VERSION


def _create(path: Path) -> None:
    with closing(connect(path)) as connection:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('version', ?)", (VERSION,))


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is none of ours, or broken, rather than away or in use."""
    return _primary(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def _primary(error: sqlite3.Error) -> int:
    """Return the primary result code; extended ones carry it in their low byte."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate failures of SQLite and of the file system to `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(path, error) from error
    except OSError as error:
        raise StoreUnavailable(f"corpus index `{path}`: {error.strerror or error}") from error


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    primary = _primary(error)
    if primary == sqlite3.SQLITE_FULL:
        return StoreFull(f"corpus index `{path}`: no space is left; free some and try again")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}:
        return StoreUnavailable(f"corpus index `{path}`: locked or away; try again")
    return StoreError(f"corpus index `{path}`: {error}; delete the file, it is built anew")


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[int]:
    """Hold the one writer's lock of an index among all processes of this machine.

    Gives the descriptor of the lock file. The lock ends with its holder, however it dies.
    """
    descriptor = await asyncio.to_thread(_open_lock, path)
    try:
        # By looks: a thread that waits inside `flock` could not be cancelled.
        while not _try_lock(descriptor):  # noqa: ASYNC110 no event crosses processes
            await asyncio.sleep(LOCK_LOOK_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = path.with_name(path.name + ".lock")
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class ReadPool:
    """Connections for reading, used from a few threads; writers never wait for them, nor they."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="corpus-read")
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()

    async def run(self, function: Callable[[sqlite3.Connection], T], *, deadline: float) -> T:
        """Return `function(connection)`, run in a thread and stopped after `deadline` seconds.

        Raises `ToolFailed` when the index cannot be read or time runs out.
        """
        until = monotonic() + deadline
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline):
                return await loop.run_in_executor(self._threads, self._run, function, until)
        except TimeoutError as error:
            raise ToolFailed("the local documents took longer than allowed") from error
        except sqlite3.Error as error:
            raise ToolFailed("the index of the local documents cannot be read") from error

    def _run(self, function: Callable[[sqlite3.Connection], T], until: float) -> T:
        connection = self._take()
        usable = False
        try:
            connection.set_progress_handler(lambda: monotonic() > until, _CHECK_EVERY)
            with snapshot(connection):
                result = function(connection)
            usable = True
        except LeadlineError:
            usable = True
            raise
        finally:
            if usable:
                connection.set_progress_handler(None, 0)
                self._idle.put(connection)
            else:
                connection.close()
        return result

    def _take(self) -> sqlite3.Connection:
        with suppress(queue.Empty):
            return self._idle.get_nowait()
        connection = connect(self._path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    async def close(self) -> None:
        """End the threads and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
