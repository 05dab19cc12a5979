"""The second level of one machine: a key-value table in SQLite, shared by its processes.

Reads are single look-ups of some microseconds and run on the event loop; everything that writes
goes through one thread, what queues up meanwhile in one transaction. It is a cache: a damaged or
foreign file is begun anew, and the last transactions may be lost with the machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from leadline.cache.envelope import Unpacker, pack
from leadline.cache.patterns import fits, short
from leadline.cache.sqlite_file import CacheFile, open_file
from leadline.cache.types import Entry, Heard, News, StoreUsage
from leadline.errors import StoreError, StoreFull, StoreUnavailable
from leadline.resilience import Owned

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

MOST_BYTES: Final = 1 << 30
RECHECK: Final = 0.25
"""Seconds after which a process looks for what others invalidated."""

# After so many writes the file is looked through for what is over and what is too much.
_SWEEP_EVERY: Final = 500
_NEWS_SECONDS: Final = 300.0
_PACK_BESIDE: Final = 256 << 10


class SqliteCache:
    """`Store` over a file. Use as `async with SqliteCache.open(path) as store`."""

    def __init__(
        self, file: CacheFile, *, thread: ThreadPoolExecutor, now: Callable[[], float], most_bytes: int
    ) -> None:
        self._path = file.path
        self._reading = file.reading
        self._writing = file.writing
        self._heard_seq = file.last_news
        self._thread = thread
        self._now = now
        self._most_bytes = most_bytes
        self._unpack = Unpacker()
        self._listeners: list[Heard] = []
        self._writes = 0
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks = Owned("cache/sqlite")

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, now: Callable[[], float], most_bytes: int = MOST_BYTES
    ) -> AsyncIterator[SqliteCache]:
        """Open the file, or make it. `now` gives Unix seconds. Raises `StoreError`."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="leadline-cache")
        try:
            file = await loop.run_in_executor(thread, open_file, path)
            store = cls(file, thread=thread, now=now, most_bytes=most_bytes)
            try:
                yield store
            finally:
                await store._close()
        finally:
            thread.shutdown(wait=False)

    @property
    def recheck(self) -> float:
        """See `Versions.recheck`."""
        return RECHECK

    # --- reading, on the loop

    async def get(self, key: str) -> Entry | None:
        """See `Entries.get`."""
        row = self._one("SELECT envelope FROM entry WHERE key = ? AND hard > ?", key, self._now())
        return None if row is None else self._unpack(row[0])

    async def find(self, pattern: str) -> Sequence[str]:
        """See `Entries.find`."""
        fit = fits(pattern)
        return await self._write(
            lambda db: [k for k, label in db.execute("SELECT key, label FROM entry") if fit(label)]
        )

    async def usage(self) -> StoreUsage:
        """See `Entries.usage`."""
        row = await self._write(lambda db: db.execute("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM entry").fetchone())
        return StoreUsage(entries=row[0], bytes=row[1])

    async def version(self, namespace: str) -> int:
        """See `Versions.version`."""
        row = self._one("SELECT version FROM namespace WHERE name = ?", namespace)
        return 1 if row is None else int(row[0])

    async def look(self) -> None:
        """See `Versions.look`."""
        try:
            rows = self._reading.execute("SELECT seq, told FROM news WHERE seq > ?", (self._heard_seq,)).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error
        for seq, told in rows:
            self._heard_seq = seq
            news = _news(told)
            for heard in self._listeners:
                heard(news)

    def listen(self, heard: Heard) -> None:
        """See `Versions.listen`."""
        self._listeners.append(heard)

    def _one(self, statement: str, *values: object) -> Any:  # noqa: ANN401 a row of SQLite
        try:
            return self._reading.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    # --- writing, on the thread

    async def put(self, key: str, entry: Entry, *, label: str, tell: bool = False) -> None:
        """See `Entries.put`."""
        beside = len(entry.body) > _PACK_BESIDE
        envelope = await asyncio.to_thread(pack, entry) if beside else pack(entry)
        row = (key, entry.hard, len(envelope) + len(key), short(label), envelope)

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO entry (key, hard, size, label, envelope) VALUES (?, ?, ?, ?, ?)", row)
            if tell:
                self._tell(db, {"keys": [key]})

        await self._write(work)

    async def drop(self, keys: Sequence[str]) -> int:
        """See `Entries.drop`."""

        def work(db: sqlite3.Connection) -> int:
            gone = sum(db.execute("DELETE FROM entry WHERE key = ?", (key,)).rowcount for key in keys)
            self._tell(db, {"keys": list(keys)})
            return gone

        return await self._write(work)

    async def bump(self, namespace: str) -> int:
        """See `Versions.bump`."""
        statement = (
            "INSERT INTO namespace (name, version) VALUES (?, 2)"
            " ON CONFLICT (name) DO UPDATE SET version = version + 1 RETURNING version"
        )

        def work(db: sqlite3.Connection) -> int:
            version = int(db.execute(statement, (namespace,)).fetchone()[0])
            self._tell(db, {"namespace": namespace, "version": version})
            return version

        return await self._write(work)

    async def lease(self, key: str, token: str, *, seconds: float) -> bool:
        """See `Leases.lease`."""
        now = self._now()
        statement = (
            "INSERT INTO lease (key, token, until) VALUES (?, ?, ?) ON CONFLICT (key)"
            " DO UPDATE SET token = excluded.token, until = excluded.until"
            " WHERE lease.until <= ? OR lease.token = excluded.token RETURNING 1"
        )
        values = (key, token, now + seconds, now)
        return await self._write(lambda db: db.execute(statement, values).fetchone() is not None)

    async def release(self, key: str, token: str) -> None:
        """See `Leases.release`."""
        await self._write(lambda db: db.execute("DELETE FROM lease WHERE key = ? AND token = ?", (key, token)).rowcount)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._idle.is_set():
            self._idle.clear()
            self._tasks.start(self._flush(), name="flush")
        return await future

    async def _flush(self) -> None:
        """Do what waits, and what comes meanwhile, a transaction a turn."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                jobs, self._waiting = self._waiting, []
                wanted = [(work, future) for work, future in jobs if not future.cancelled()]
                results = await loop.run_in_executor(self._thread, self._commit, [work for work, _ in wanted])
                for (_, future), result in zip(wanted, results, strict=True):
                    _settle(future, result)
        finally:
            self._idle.set()

    def _commit(self, jobs: Sequence[Work]) -> list[Any]:
        db = self._writing
        try:
            db.execute("BEGIN IMMEDIATE")
            results = [work(db) for work in jobs]
            self._writes += len(jobs)
            if self._writes >= _SWEEP_EVERY:
                self._writes = 0
                self._sweep(db)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            return [self._translated(error)] * len(jobs)
        return results

    def _sweep(self, db: sqlite3.Connection) -> None:
        """Delete what is over; then the oldest, until what is left fits."""
        now = self._now()
        db.execute("DELETE FROM entry WHERE hard <= ?", (now,))
        db.execute("DELETE FROM lease WHERE until <= ?", (now,))
        db.execute("DELETE FROM news WHERE at < ?", (now - _NEWS_SECONDS,))
        held = db.execute("SELECT COALESCE(SUM(size), 0) FROM entry").fetchone()[0]
        while held > self._most_bytes:
            oldest = db.execute("SELECT rowid, size FROM entry ORDER BY rowid LIMIT 100").fetchall()
            db.execute("DELETE FROM entry WHERE rowid <= ?", (oldest[-1][0],))
            held -= sum(size for _, size in oldest)

    def _tell(self, db: sqlite3.Connection, told: dict[str, Any]) -> None:
        db.execute("INSERT INTO news (at, told) VALUES (?, ?)", (self._now(), orjson.dumps(told)))

    async def _close(self) -> None:
        """Finish what is queued, then close the file."""
        await self._idle.wait()
        await self._tasks.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writing.close)
        self._reading.close()

    def _translated(self, error: sqlite3.Error) -> StoreError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(f"no space is left for the cache `{self._path}`")
        return StoreUnavailable(f"the cache `{self._path}` cannot be used: {error}")


def _settle(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return
    if isinstance(result, StoreError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _news(told: bytes) -> News:
    value = orjson.loads(told)
    return News(
        keys=tuple(value.get("keys", ())), namespace=value.get("namespace"), version=int(value.get("version", 0))
    )
