"""`RunStore` on PostgreSQL: one connection that writes journals in groups, a pool for the rest, one that listens.

Times of leases are the database's. Committed means on the disk, as the server is set
(`synchronous_commit`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

from leadline.domain import Flag, Json, RunState
from leadline.errors import LeadlineError, StoreUnavailable, UnknownRun
from leadline.events import Entry, Record, RunHandedOver
from leadline.ports import Beat, Cursor, Depth, NewRun, Run
from leadline.tasks.appends import check_id, nobody, packed
from leadline.tasks.packing import Packer
from leadline.tasks.postgres import figures, verbs
from leadline.tasks.postgres.claimer import Claimer, Wish
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import Database
from leadline.tasks.postgres.feed import Feeding
from leadline.tasks.postgres.journal import Writer
from leadline.tasks.postgres.rows import RUN, run_from
from leadline.tasks.postgres.tables import check

T = TypeVar("T")

CONNECTIONS: Final = 8
SECONDS: Final = 15.0
"""Seconds that a statement may take before its connection is given up."""

_HEAVY: Final = 100
"""Records above which they are unpacked beside the event loop."""


class PostgresStore(Feeding):
    """Runs and journals in one database; made by `open`.

    A call whose caller is cancelled may still be carried out; a claim and a claimed creation are
    then handed over again, and so are those whose answer was lost with the connection, so that no
    run is held by nobody.
    """

    def __init__(
        self,
        url: str,
        *,
        attempts: int,
        connections: int,
        seconds: float,
        tenant_runs: int | None,
        ended: Callable[[Run], None],
    ) -> None:
        """Take the address of the database; see `open`."""
        self._database = Database(url, connections=connections, seconds=seconds)
        self._writer = Writer(self._database)
        self._packer = Packer()
        self._claimer = Claimer(self._database, attempts=attempts, tenant_runs=tenant_runs, ended=ended)
        self._ended = ended
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        attempts: int = 5,
        connections: int = CONNECTIONS,
        seconds: float = SECONDS,
        tenant_runs: int | None = None,
        ended: Callable[[Run], None] = nobody,
    ) -> AsyncIterator[Self]:
        """Open the store for the length of the context; its tables are made by `migrate.up`.

        `url` is `postgresql://user:password@host:port/database` with the options of libpq
        (`sslmode`, `sslrootcert`). A run whose workers died `attempts` times is ended as failed. A
        store that has just connected, also after an outage, waits one lease before it takes over
        others' expired runs from the queue: their owners come back first. Of the queue at most
        `tenant_runs` of a tenant are held at a time. `ended` is told each run that this store itself
        ended: cancelled where nobody held it, or given up. Raises `StoreUnavailable`, and
        `SettingsError` for an address or tables that are not as they should be.
        """
        store = cls(
            url, attempts=attempts, connections=connections, seconds=seconds, tenant_runs=tenant_runs, ended=ended
        )
        try:
            await store._database.open()
            await store._database.do(lambda connection: check(connection, name=store._database.name))
            store._writer.start()
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Write what is queued and disconnect; waiters of `changed` return."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._writer.close()
        await self._database.close()

    # --- writing

    async def create(self, new: NewRun, *, owner: str | None = None, lease: float = 30.0) -> Run:
        """See `RunStore`. Raises `WrongState` where a run has this id already."""
        token = secrets.token_hex(8)

        async def made() -> Run:
            try:
                return await self._database.do(
                    lambda c: verbs.create(c, new, owner=owner, lease=lease, token=token), transaction=True
                )
            except StoreUnavailable as error:
                if owner is not None:
                    self._claimer.lose(owner, token, error)
                raise

        run = await self._whole(made(), self._hand_back if owner is not None else None)
        if owner is not None:
            self._writer.holds(run.id, run.fence, run.last_seq)
        return run

    async def claim(self, owner: str, *, lease: float, engines: Sequence[str], run_id: str | None = None) -> Run | None:
        """See `RunStore`. A claim by `run_id` does not wait after a connection."""
        wish = Wish(owner=owner, lease=lease, engines=tuple(engines))
        work = self._claimer.best(wish) if run_id is None else self._claimer.named(wish, run_id)
        run = await self._whole(work, self._hand_back)
        if run is not None:
            self._writer.holds(run.id, run.fence, run.last_seq)
        return run

    async def beat(self, owner: str, *, lease: float) -> Sequence[Beat]:
        """See `RunStore`. A run that another worker took is missing in the answer."""
        lost = self._claimer.lost(owner)

        async def work(connection: Connection) -> Sequence[Beat]:
            await self._claimer.recovered(connection, owner, lost)
            return await verbs.beat(connection, owner, lease)

        beats = await self._database.do(work, transaction=bool(lost))
        self._claimer.found(owner, lost)
        return beats

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        """See `RunStore`.

        Raises `ValueError` for entries that only the store writes (`run_started`, `run_resumed`)
        and for entries behind one that changes the state. After `StoreUnavailable` the same
        entries may be appended again: what was written is found and not written twice.
        """
        return await self._writer.append(packed(self._packer, run_id, fence, entries=entries))

    async def flag(self, run_id: str, flag: Flag, *, tenant: str) -> Run:
        """See `RunStore`. `cancel` is never lowered to `finish`."""
        check_id(run_id)
        run = await self._database.do(lambda c: verbs.raise_flag(c, run_id, flag, tenant=tenant), transaction=True)
        if run.state.ended:
            self._ended(run)
        return run

    async def reply(self, run_id: str, reply: Mapping[str, Json], *, tenant: str) -> Run:
        """See `RunStore`."""
        check_id(run_id)
        return await self._database.do(lambda c: verbs.answer(c, run_id, reply, tenant=tenant), transaction=True)

    async def delete(self, run_id: str, *, tenant: str) -> None:
        """See `RunStore`."""
        check_id(run_id)
        await self._database.do(lambda c: verbs.forget(c, run_id, tenant=tenant), transaction=True)

    # --- reading

    async def flags(self, owner: str) -> Mapping[str, Flag]:
        """See `RunStore`."""
        query = "SELECT id, flag FROM run WHERE owner = $1 AND state = 'running' AND flag IS NOT NULL"
        rows = await self._database.do(lambda c: c.fetch(query, owner))
        return {row["id"]: Flag(row["flag"]) for row in rows}

    async def records(self, run_id: str, *, after: int = 0, limit: int = 10_000) -> Sequence[Record]:
        """See `RunStore`."""
        query = (
            "SELECT seq, at, branch, type, compressed, body FROM step"
            " WHERE run = (SELECT key FROM run WHERE id = $1) AND seq > $2 ORDER BY seq LIMIT $3"
        )
        rows = await self._database.do(lambda c: c.fetch(query, run_id, after, limit))
        return await asyncio.to_thread(_unpacked, rows) if len(rows) > _HEAVY else _unpacked(rows)

    async def get(self, run_id: str, *, tenant: str | None) -> Run:
        """See `RunStore`."""
        check_id(run_id)
        where = RUN + " WHERE r.id = $1 AND ($2::text IS NULL OR r.tenant = $2)"
        row = await self._database.do(lambda c: c.fetchrow(where, run_id, tenant))
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
        rows = await self._database.do(
            lambda c: figures.listed(c, tenant=tenant, state=state, before=before, search=search, limit=limit)
        )
        return [run_from(row) for row in rows]

    async def depth(self, *, tenant: str | None = None) -> Depth:
        """See `RunFigures`."""
        return Depth.total((await self._database.do(lambda c: figures.depths(c, tenant))).values())

    async def depths(self) -> Mapping[str, Depth]:
        """See `RunFigures`."""
        return await self._database.do(lambda c: figures.depths(c, None))

    async def ended(self, *, before: float, tenant: str | None = None, limit: int = 500) -> Sequence[Run]:
        """See `RunFigures`."""
        return [
            run_from(row) for row in await self._database.do(lambda c: figures.ended(c, before, tenant, limit=limit))
        ]

    async def changed(self, seen: int, *, timeout: float, of: str | None = None) -> int:  # noqa: ASYNC109 the port's name
        """See `RunStore`. While the database is away it returns after `timeout`."""
        return await self._database.news.wait(seen, of, seconds=timeout)

    async def hosts(self) -> frozenset[str]:
        """Return the hosts whose workers hold runs now: the part of an owner's name before the first colon."""
        query = (
            "SELECT DISTINCT split_part(owner, ':', 1) AS host FROM run WHERE state = 'running'"
            " AND lease_until > extract(epoch FROM statement_timestamp())"
        )
        return frozenset(row["host"] for row in await self._database.do(lambda c: c.fetch(query)))

    # --- within

    async def _whole(self, work: Awaitable[T], undo: Callable[[T], Awaitable[None]] | None) -> T:
        """Return what `work` gives; where its caller is cancelled it is done to its end, and undone."""

        async def inside() -> T:
            return await work

        task = self._owned(inside())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if undo is not None:
                _ = self._owned(_undone(task, undo))
            raise

    def _owned(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name="leadline store")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _hand_back(self, run: Run | None) -> None:
        """Give back a run whose claimer was cancelled while the claim was on its way."""
        if run is not None:
            event = RunHandedOver(owner=run.owner or "", reason="the claim was cancelled")
            await self.append(run.id, run.fence, [Entry(at=run.updated_at, branch="", event=event)])


async def _undone(task: asyncio.Task[T], undo: Callable[[T], Awaitable[None]]) -> None:
    try:
        await undo(await task)
    except LeadlineError:
        return  # nobody waits for it: the lease ends by itself


def _unpacked(rows: Sequence[Row]) -> list[Record]:
    packer = Packer()
    return [
        Record(
            seq=row["seq"],
            at=row["at"],
            branch=row["branch"],
            event=packer.unpack(row["type"], row["body"], compressed=row["compressed"]),
        )
        for row in rows
    ]
