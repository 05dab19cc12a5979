"""`RunStore` on SQLite: write-ahead log, one writing thread with group commit, reading threads.

Any number of processes of one machine may use the file. Times of leases are the database's.
Committed means on the disk (`synchronous = FULL`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from leadline.domain import Flag, Json, RunState
from leadline.errors import StoreError, UnknownRun
from leadline.events import Entry, Record, RunHandedOver
from leadline.ports import Beat, Cursor, Depth, NewRun, Run
from leadline.tasks.appends import Append, check_id, nobody, packed
from leadline.tasks.packing import Packer
from leadline.tasks.sqlite import figures, verbs
from leadline.tasks.sqlite.changes import Changes
from leadline.tasks.sqlite.feed import Feeding
from leadline.tasks.sqlite.journal import append_closing
from leadline.tasks.sqlite.rows import RUN, run_from
from leadline.tasks.sqlite.schema import connect, translated
from leadline.tasks.sqlite.writer import Job, Session, Verb, Writer

T = TypeVar("T")

_READERS = 2


class SqliteStore(Feeding):
    """Runs and journals in one SQLite file; made by `open`.

    A call whose caller is cancelled may still be carried out; a claim and a claimed creation are
    then handed over again, so that no run is held by nobody.
    """

    def __init__(
        self,
        path: Path,
        *,
        attempts: int = 5,
        busy: float = 5.0,
        tenant_runs: int | None = None,
        ended: Callable[[Run], None] = nobody,
    ) -> None:
        """Take `path` of the file; see `open`."""
        self._path = path
        self._attempts = attempts
        self._tenant_runs = tenant_runs
        self._ended = ended
        self._busy = busy
        self._changes = Changes(self._look)
        self._writer = Writer(path, busy=busy, committed=self._changes.bump)
        self._packer = Packer()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="leadline-store-read")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        *,
        attempts: int = 5,
        busy: float = 5.0,
        tenant_runs: int | None = None,
        ended: Callable[[Run], None] = nobody,
    ) -> AsyncIterator[Self]:
        """Open the store for the length of the context; the file is made where it is missing.

        A run whose workers died `attempts` times is ended as failed. `busy` is how long to wait
        for another process's write, in seconds. An open store that has just connected waits one
        lease before it takes over others' expired runs from the queue: after an outage their
        owners come back first. Of the queue at most `tenant_runs` of a tenant are held at a time.
        `ended` is told each run that this store itself ended: cancelled where nobody held it, or
        given up. Raises `SettingsError` for a network file system and for a file that a newer
        version wrote; `StoreError` where the file cannot be used.
        """
        store = cls(path, attempts=attempts, busy=busy, tenant_runs=tenant_runs, ended=ended)
        try:
            await store._writer.start()
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Finish what is queued and close the file; waiters of `changed` return."""
        self._changes.close()
        await self._writer.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._close_readers)

    # --- writing

    async def create(self, new: NewRun, *, owner: str | None = None, lease: float = 30.0) -> Run:
        """See `RunStore`. Raises `WrongState` where a run has this id already."""
        undo = None if owner is None else self._hand_back
        return await self._write(lambda s: verbs.create(s.connection, new, owner=owner, lease=lease), undo)

    async def claim(self, owner: str, *, lease: float, engines: Sequence[str], run_id: str | None = None) -> Run | None:
        """See `RunStore`. A claim by `run_id` does not wait after a connection."""

        def work(session: Session) -> verbs.Claimed:
            wish = verbs.Claim(
                owner=owner,
                lease=lease,
                engines=engines,
                run_id=run_id,
                attempts=self._attempts,
                patient_until=session.connected_at + lease,
                most=self._tenant_runs,
            )
            return verbs.claim(session.connection, wish)

        def undo(claimed: verbs.Claimed) -> None:
            self._tell(claimed.ended)
            self._hand_back(claimed.run)

        claimed = await self._write(work, undo)
        self._tell(claimed.ended)
        return claimed.run

    async def beat(self, owner: str, *, lease: float) -> Sequence[Beat]:
        """See `RunStore`. A run that another worker took is missing in the answer."""
        future = self._submit(lambda s: verbs.beat(s.connection, owner, lease), notable=False)
        beats: Sequence[Beat] = await future
        return beats

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        """See `RunStore`.

        Raises `ValueError` for entries that only the store writes (`run_started`, `run_resumed`)
        and for entries behind one that changes the state.
        """
        append = packed(self._packer, run_id, fence, entries=entries)
        closing = append.closing
        future = (
            self._submit(append)
            if closing is None
            else self._submit(lambda s: append_closing(s.connection, append, closing))
        )
        last: int = await future
        return last

    async def flag(self, run_id: str, flag: Flag, *, tenant: str) -> Run:
        """See `RunStore`. `cancel` is never lowered to `finish`."""
        check_id(run_id)
        run = await self._write(lambda s: verbs.raise_flag(s.connection, run_id, flag, tenant=tenant))
        if run.state.ended:
            self._ended(run)
        return run

    async def reply(self, run_id: str, reply: Mapping[str, Json], *, tenant: str) -> Run:
        """See `RunStore`."""
        check_id(run_id)
        return await self._write(lambda s: verbs.answer(s.connection, run_id, reply, tenant=tenant))

    async def delete(self, run_id: str, *, tenant: str) -> None:
        """See `RunStore`."""
        check_id(run_id)
        await self._write(lambda s: verbs.forget(s.connection, run_id, tenant))

    # --- reading

    async def flags(self, owner: str) -> Mapping[str, Flag]:
        """See `RunStore`."""
        query = "SELECT id, flag FROM run WHERE owner = ? AND flag IS NOT NULL AND state = 'running'"
        rows = await self._read(lambda c: c.execute(query, (owner,)).fetchall())
        return {run_id: Flag(flag) for run_id, flag in rows}

    async def records(self, run_id: str, *, after: int = 0, limit: int = 10_000) -> Sequence[Record]:
        """See `RunStore`."""

        def work(connection: sqlite3.Connection) -> list[Record]:
            packer = Packer()
            rows = connection.execute(
                "SELECT s.seq, s.at, s.branch, s.type, s.compressed, s.body"
                " FROM run AS r JOIN step AS s ON s.run = r.key"
                " WHERE r.id = ? AND s.seq > ? ORDER BY s.seq LIMIT ?",
                (run_id, after, limit),
            )
            return [
                Record(
                    seq=seq,
                    at=at,
                    branch=branch,
                    event=packer.unpack(type_name, body, compressed=bool(compressed)),
                )
                for seq, at, branch, type_name, compressed, body in rows.fetchall()
            ]

        return await self._read(work)

    async def get(self, run_id: str, *, tenant: str | None) -> Run:
        """See `RunStore`."""
        check_id(run_id)
        where = RUN + " WHERE r.id = :id AND (:tenant IS NULL OR r.tenant = :tenant)"
        row = await self._read(lambda c: c.execute(where, {"id": run_id, "tenant": tenant}).fetchone())
        if row is None:
            raise UnknownRun(f"no such run: {run_id}")
        return run_from(row)

    async def runs(
        self,
        *,
        tenant: str | None,
        state: RunState | None = None,
        before: Cursor | None = None,
        search: str = "",
        limit: int = 50,
    ) -> Sequence[Run]:
        """See `RunStore`."""
        return await self._read(
            lambda c: figures.listed(c, tenant=tenant, state=state, before=before, search=search, limit=limit)
        )

    async def depth(self, *, tenant: str | None = None) -> Depth:
        """See `RunFigures`."""
        return Depth.total((await self._read(lambda c: figures.depths(c, tenant))).values())

    async def depths(self) -> Mapping[str, Depth]:
        """See `RunFigures`."""
        return await self._read(lambda c: figures.depths(c, None))

    async def ended(self, *, before: float, tenant: str | None = None, limit: int = 500) -> Sequence[Run]:
        """See `RunFigures`."""
        return await self._read(lambda c: figures.ended(c, before, tenant, limit=limit))

    async def changed(self, seen: int, *, timeout: float, of: str | None = None) -> int:  # noqa: ASYNC109 the port's name
        """See `RunStore`. Other processes' changes are seen within about 0.1 s, and cannot be told apart."""
        return await self._changes.wait(seen, seconds=timeout)

    # --- within

    async def _write(
        self,
        work: Callable[[Session], T],
        undo: Callable[[T], None] | None = None,
    ) -> T:
        result: T = await self._submit(work, undo=undo)
        return result

    def _submit(
        self,
        work: Append | Verb,
        *,
        undo: Callable[[Any], None] | None = None,
        notable: bool = True,
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(work, future, undo=undo, notable=notable))
        return future

    def _tell(self, ended: Sequence[Run]) -> None:
        for run in ended:
            self._ended(run)

    def _hand_back(self, run: Run | None) -> None:
        """Give back a run whose claimer was cancelled while the claim was on its way."""
        if run is None:
            return
        event = RunHandedOver(owner=run.owner or "", reason="the claim was cancelled")
        entry = Entry(at=run.updated_at, branch="", event=event)
        append = packed(self._packer, run.id, run.fence, entries=[entry])
        future = self._submit(lambda s: append_closing(s.connection, append, event))
        future.add_done_callback(_forget)

    def _look(self) -> None:
        """Ask on the writer's connection: there the version moves with others' commits only."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        future.add_done_callback(self._looked)
        try:
            self._writer.submit(Job(_version, future, transaction=False))
        except StoreError as error:
            future.set_exception(error)

    def _looked(self, future: asyncio.Future[int]) -> None:
        failed = future.cancelled() or future.exception() is not None
        self._changes.seen_version(None if failed else future.result())

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, partial(self._reading, work))

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = connect(self._path, busy=self._busy, read_only=True)
                self._connections.append(connection)
                self._local.connection = connection
            return work(connection)
        except sqlite3.Error as error:
            self._local.connection = None
            raise translated(error, self._path) from error

    def _close_readers(self) -> None:
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()


def _version(session: Session) -> int:
    return int(session.connection.execute("PRAGMA data_version").fetchone()[0])


def _forget(future: asyncio.Future[Any]) -> None:
    """Take note of a failure that nobody waits for: the lease ends by itself."""
    if not future.cancelled():
        future.exception()
