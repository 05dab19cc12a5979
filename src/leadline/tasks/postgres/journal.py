"""Appending to journals: fence checked, numbered without gaps, many runs in one statement and one commit.

A commit waits for the disk, so what comes meanwhile goes into the next one: one round trip and one
flush for a group, however many runs it belongs to.

A connection that breaks during a commit leaves open whether it took place. Hence the writer numbers
its rows itself where it knows the run's last one: the same append, tried again, finds that the
journal went on, compares, and writes only what is missing. Nothing is ever written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from leadline.codec import encode
from leadline.domain import Flag, RunState, Usage
from leadline.errors import LeadlineError, LeaseLost, StoreError, StoreFull, StoreUnavailable
from leadline.events import Event, RunFinished, RunWaiting
from leadline.ports import QUEUE
from leadline.tasks.appends import Append, Closing, Step, cancelled
from leadline.tasks.packing import Packer
from leadline.tasks.postgres.connection import Connection, Row
from leadline.tasks.postgres.database import CHANNEL, NOW, Database

GROUP_STEPS: Final = 2_000
GROUP_BYTES: Final = 16 * 1024 * 1024
"""What one statement carries at most, unless a single append has more."""

GROUPS: Final = 2
"""Groups under way at a time, of different runs: while one waits for the disk the next is made."""

_UNKNOWN: Final = -1

# Rows of runs are locked in the order of their keys, as heartbeats lock them: no two can wait for each other.
_APPEND: Final = f"""
    WITH wanted AS (
        SELECT w.id, w.fence, w.base, w.g
        FROM unnest($1::text[], $2::bigint[], $3::int[]) WITH ORDINALITY AS w(id, fence, base, g)
    ), held AS (
        SELECT r.key, r.id, w.g, w.base
        FROM wanted AS w JOIN run AS r ON r.id = w.id
        WHERE r.fence = w.fence AND r.state = 'running'
        ORDER BY r.key
        FOR NO KEY UPDATE OF r
    ), placed AS (
        SELECT h.key, h.id, h.g, h.base,
            coalesce((SELECT max(s.seq) FROM step AS s WHERE s.run = h.key), 0) AS seq
        FROM held AS h
    ), written AS (
        INSERT INTO step (run, seq, at, branch, type, compressed, body)
        SELECT p.key, p.seq + e.n, e.at, e.branch, e.type, e.compressed, e.body
        FROM unnest($4::bigint[], $5::int[], $6::float8[], $7::text[], $8::text[], $9::bool[], $10::bytea[])
            AS e(g, n, at, branch, type, compressed, body)
        JOIN placed AS p ON p.g = e.g
        WHERE p.base < 0 OR p.base = p.seq
    )
    SELECT p.g, p.key, p.seq, pg_notify('{CHANNEL}', p.id) FROM placed AS p
"""  # noqa: S608 constants

_CLOSE: Final = f"""
    UPDATE run AS r
    SET state = c.state, stop_reason = c.stop_reason, report = c.report, failure = c.failure,
        usage = c.usage, waits_for = c.waits_for, owner = NULL, lease_until = NULL, updated_at = {NOW}
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS c(key, state, stop_reason, report, failure, usage, waits_for)
    WHERE r.key = c.key
    RETURNING r.key, r.flag, r.state, CASE WHEN r.state = 'queued' THEN pg_notify('{CHANNEL}', '{QUEUE}') END
"""  # noqa: S608 constants

_ADD: Final = f"""
    INSERT INTO step (run, seq, at, branch, type, compressed, body)
    SELECT $1::bigint, coalesce((SELECT max(seq) FROM step WHERE run = $1), 0) + 1, {NOW}, '', $2, $3, $4
    RETURNING seq
"""  # noqa: S608 constants

_TAIL: Final = """
    SELECT s.seq, s.at, s.type, s.body FROM step AS s
    WHERE s.run = (SELECT key FROM run WHERE id = $1) AND s.seq > $2
    ORDER BY s.seq LIMIT $3
"""


class Place(NamedTuple):
    """Where a run's journal stood when an append came: its row key, and its last number."""

    key: int
    seq: int


@dataclass(slots=True, eq=False)
class _Job:
    append: Append
    future: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def pair(self) -> tuple[str, int]:
        return self.append.run_id, self.append.fence


class Writer:
    """Appends, those of a run in the order of their coming. `start` first, `close` at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Job] = []
        self._came = asyncio.Event()
        self._last: dict[tuple[str, int], int] = {}
        self._under_way: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def start(self) -> None:
        """Begin to write."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(), name=f"leadline writes {n}") for n in range(GROUPS)]

    async def close(self) -> None:
        """Write what is queued, and end."""
        self._closed = True
        self._came.set()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def holds(self, run_id: str, fence: int, last: int) -> None:
        """Note where the journal of a run stands that was claimed here."""
        self._last[run_id, fence] = last

    async def append(self, append: Append) -> int:
        """Append durably and return the last number. Raises `LeaseLost`, `StoreUnavailable`, `StoreFull`."""
        if self._closed:
            raise StoreUnavailable(f"the store {self._database.name} is closed")
        job = _Job(append)
        self._waiting.append(job)
        self._came.set()
        return await job.future

    async def _run(self) -> None:
        while True:
            await self._came.wait()
            group = self._group()
            if group:
                runs = {job.append.run_id for job in group}
                self._under_way |= runs
                await self._write(group)
                self._under_way -= runs
                self._came.set()  # what waited for these runs may go now
            elif self._closed and not self._waiting:
                return
            else:
                self._came.clear()

    def _group(self) -> list[_Job]:
        """Take what may go, up to the size of a group.

        Nothing of a run overtakes what is under way, nor follows what changes its state.
        """
        group: list[_Job] = []
        left: list[_Job] = []
        barred = set(self._under_way)
        steps = size = 0
        for job in self._waiting:
            count = len(job.append.steps)
            bytes_ = sum(len(step.body) for step in job.append.steps)
            full = bool(group) and (steps + count > GROUP_STEPS or size + bytes_ > GROUP_BYTES)
            if full or job.append.run_id in barred:
                barred.add(job.append.run_id)
                left.append(job)
                continue
            steps, size = steps + count, size + bytes_
            group.append(job)
            if job.append.closing is not None:
                barred.add(job.append.run_id)
        self._waiting = left
        return group

    async def _write(self, group: list[_Job]) -> None:
        """Write a group; where one of it cannot be written, each for itself."""
        try:
            ends = await self._committed(group)
        except (StoreUnavailable, StoreFull) as error:
            if len(group) == 1 or self._database.away or isinstance(error, StoreFull):
                _tell(group, [error] * len(group))
                return
        except Exception as error:  # noqa: BLE001 whatever a row raises is its caller's to hear, not this task's end
            if len(group) == 1:
                _tell(group, [_refused(error)])
                return
        else:
            _tell(group, ends)
            return
        for job in group:
            await self._write([job])

    async def _committed(self, group: list[_Job]) -> list[int | LeadlineError]:
        closing = any(job.append.closing is not None for job in group)
        bases = self._bases(group)
        appends = [job.append for job in group]

        async def work(connection: Connection) -> dict[int, Place]:
            places = await append_all(connection, appends, bases)
            if closing:
                await _close_all(connection, appends, places, bases=bases)
            return places

        places = await self._database.do(work, transaction=closing)
        self._database.changed(*{job.append.run_id for job in group}, *([QUEUE] if closing else []))
        ends: list[int | LeadlineError] = []
        for index, (job, base) in enumerate(zip(group, bases, strict=True)):
            place = places.get(index)
            if place is None or base not in {_UNKNOWN, place.seq}:
                ends.append(await self._settled(job, place))
            else:
                ends.append(self._noted(job, place.seq + len(job.append.steps)))
        return ends

    def _bases(self, group: list[_Job]) -> list[int]:
        """Return for each append the number that its journal should be at, as far as that is known."""
        ahead: dict[tuple[str, int], int] = {}
        bases = []
        for job in group:
            base = ahead.get(job.pair, self._last.get(job.pair, _UNKNOWN))
            bases.append(base)
            if base != _UNKNOWN:
                ahead[job.pair] = base + len(job.append.steps)
        return bases

    def _noted(self, job: _Job, last: int) -> int:
        if job.append.closing is None:
            self._last[job.pair] = last
        else:
            self._last.pop(job.pair, None)
        return last

    async def _settled(self, job: _Job, place: Place | None) -> int | LeadlineError:
        """Return the end of an append that found its run elsewhere: an earlier try may have written it."""
        append, base = job.append, self._last.get(job.pair)
        if base is None:
            return _lost(append)
        rows = await self._database.do(lambda c: c.fetch(_TAIL, append.run_id, base, len(append.steps)))
        found = _matching(append.steps, rows)
        if found == len(append.steps):
            return self._noted(job, base + found)
        if place is None:
            del self._last[job.pair]
            return _lost(append)
        if found == len(rows):
            self._last[job.pair] = base + found
        else:  # somebody else holds the same fence and wrote: go on behind him
            del self._last[job.pair]
        rest = Append(run_id=append.run_id, fence=append.fence, steps=append.steps[found:], closing=append.closing)
        (end,) = await self._committed([_Job(rest)])
        return end


async def append_all(connection: Connection, appends: Sequence[Append], bases: Sequence[int]) -> dict[int, Place]:
    """Append in order, in one statement; return by index where the journals stood whose fence held."""
    ids: list[str] = []
    fences: list[int] = []
    columns: list[Step] = []
    ahead: dict[tuple[str, int], int] = {}
    offsets: list[tuple[int, int]] = []
    firsts: list[tuple[int, int]] = []
    pairs: dict[tuple[str, int], int] = {}
    starts: list[int] = []
    for append, base in zip(appends, bases, strict=True):
        pair = (append.run_id, append.fence)
        if pair not in pairs:
            pairs[pair] = len(ids) + 1
            ids.append(append.run_id)
            fences.append(append.fence)
            starts.append(base)
        first = ahead.get(pair, 0)
        ahead[pair] = first + len(append.steps)
        firsts.append((pairs[pair], first))
        for n, step in enumerate(append.steps, first + 1):
            offsets.append((pairs[pair], n))
            columns.append(step)
    rows = await connection.fetch(
        _APPEND,
        *(ids, fences, starts, [g for g, _ in offsets], [n for _, n in offsets]),
        *([step[i] for step in columns] for i in range(len(Step._fields))),
    )
    found = {row["g"]: Place(row["key"], row["seq"]) for row in rows}
    return {index: found[g]._replace(seq=found[g].seq + first) for index, (g, first) in enumerate(firsts) if g in found}


async def _close_all(
    connection: Connection,
    appends: Sequence[Append],
    places: dict[int, Place],
    *,
    bases: Sequence[int],
) -> None:
    """Change the states of those runs whose closing event was written."""
    closings = [
        (places[index].key, append.closing)
        for index, append in enumerate(appends)
        if append.closing is not None and index in places and bases[index] in {_UNKNOWN, places[index].seq}
    ]
    if not closings:
        return
    rows = [_columns(key, event) for key, event in closings]
    changed = await connection.fetch(_CLOSE, *([row[i] for row in rows] for i in range(7)))
    for row in changed:
        if row["flag"] == Flag.CANCEL and not RunState(row["state"]).ended:
            await end_run(connection, row["key"], cancelled())


def _columns(key: int, event: Closing) -> tuple[int, str, str | None, str | None, str | None, str | None, str | None]:
    if isinstance(event, RunFinished):
        failure = None if event.failure is None else encode(event.failure).decode()
        usage = None if event.usage == Usage() else encode(event.usage).decode()
        return key, event.state, event.stop_reason, event.report, failure, usage, None
    if isinstance(event, RunWaiting):
        return key, RunState.WAITING, None, None, None, None, event.reason
    return key, RunState.QUEUED, None, None, None, None, None


async def end_run(connection: Connection, key: int, event: RunFinished) -> None:
    """End a run that nobody holds, raising its fence so that no late owner can write; in a transaction."""
    await connection.execute("UPDATE run SET fence = fence + 1 WHERE key = $1", key)
    await add_step(connection, key, event)
    await connection.fetch(_CLOSE, *([value] for value in _columns(key, event)))


async def add_step(connection: Connection, key: int, event: Event) -> int:
    """Append an event of the store's own, at the database's time; return its number."""
    compressed, body = Packer().pack(event)
    seq: int = await connection.fetchval(_ADD, key, event.type, compressed, body)
    return seq


def _matching(steps: Sequence[Step], rows: Sequence[Row]) -> int:
    """Return how many of `steps` the journal's rows begin with."""
    found = 0
    for step, row in zip(steps, rows, strict=False):
        if (step.at, step.type, step.body) != (row["at"], row["type"], row["body"]):
            break
        found += 1
    return found


def _lost(append: Append) -> LeaseLost:
    return LeaseLost(f"run {append.run_id} does not run at fence {append.fence} any more: an append of it is refused")


def _refused(error: Exception) -> LeadlineError:
    if isinstance(error, LeadlineError):
        return error
    failure = StoreError(f"an append cannot be written: {error}")
    failure.__cause__ = error
    return failure


def _tell(group: Sequence[_Job], ends: Sequence[int | LeadlineError]) -> None:
    for job, end in zip(group, ends, strict=True):
        if job.future.done():  # its caller was cancelled
            continue
        if isinstance(end, LeadlineError):
            job.future.set_exception(end)
        else:
            job.future.set_result(end)
