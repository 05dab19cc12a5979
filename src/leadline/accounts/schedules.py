"""`Schedules` over the database."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.recurrence import parse
from leadline.accounts.schema import SCHEDULE, TENANT
from leadline.codec import encode
from leadline.domain import Json
from leadline.errors import LeaseLost, UnknownObject
from leadline.ports.holdings import Due, Schedule

LEAST_PAUSE: Final = 60.0
MOST_PAUSE: Final = 3_600.0
"""Seconds after which what could not be asked is tried again: at first, and at most."""


class SqlSchedules:
    """Schedules as rows; a worker that fires one holds it by a lease and a fence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        tenant: str,
        *,
        name: str,
        question: str,
        when: str,
        zone: str,
        made_by: str,
        options: Mapping[str, Json] | None = None,
    ) -> Schedule:
        """See `Schedules.create`."""
        rule = await asyncio.to_thread(parse, when, zone)  # zones are files
        schedule_id = secrets.token_hex(8)

        def work(tx: Tx) -> Schedule:
            tenants.find(tx, tenant)
            values = {"id": schedule_id, "tenant": tenant, "name": name, "question": question, "rule": when}
            values |= {"zone": zone, "options": encode(dict(options or {})).decode(), "made_by": made_by}
            times = {"created_at": tx.now, "next_at": rule.next_after(tx.now), "fence": 0}
            tx.add(SCHEDULE, {**values, **times})
            return _find(tx, tenant, schedule_id)

        return await self._database.write(work)

    async def get(self, tenant: str, schedule_id: str) -> Schedule:
        """See `Schedules.get`."""
        return await self._database.read(lambda tx: _find(tx, tenant, schedule_id))

    async def list(self, tenant: str) -> Sequence[Schedule]:
        """See `Schedules.list`."""
        query = sa.select(SCHEDULE).where(SCHEDULE.c.tenant == tenant).order_by(SCHEDULE.c.name, SCHEDULE.c.id)
        return [_schedule(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def pause(self, tenant: str, schedule_id: str, *, paused: bool) -> Schedule:
        """See `Schedules.pause`."""
        found = await self.get(tenant, schedule_id)
        if (found.next_at is None) == paused:
            return found
        rule = await asyncio.to_thread(parse, found.when, found.zone)

        def work(tx: Tx) -> Schedule:
            at = None if paused else rule.next_after(tx.now)
            # A pause that `postpone` made is over; who holds it holds it on.
            lease = sa.case((SCHEDULE.c.owner.is_(None), sa.null()), else_=SCHEDULE.c.lease_until)
            mine = sa.update(SCHEDULE).where(SCHEDULE.c.id == schedule_id)
            tx.change(mine.values(next_at=at, reason=None, lease_until=lease))
            return _find(tx, tenant, schedule_id)

        return await self._database.write(work)

    async def delete(self, tenant: str, schedule_id: str) -> None:
        """See `Schedules.delete`."""
        gone = sa.delete(SCHEDULE).where(SCHEDULE.c.tenant == tenant, SCHEDULE.c.id == schedule_id)
        if not await self._database.write(lambda tx: tx.change(gone)):
            raise UnknownObject(f"no such schedule: {schedule_id}")

    async def due(self, owner: str, *, lease: float, limit: int = 10) -> Sequence[Due]:
        """See `Schedules.due`."""
        if not await self._database.read(lambda tx: tx.all(_waiting(tx.now, 1))):
            return []  # the usual case takes no lock
        return await self._database.write(lambda tx: _take(tx, owner, lease=lease, limit=limit))

    async def fired(self, due: Due, *, run_id: str) -> Schedule:
        """See `Schedules.fired`."""
        schedule = due.schedule
        rule = await asyncio.to_thread(parse, schedule.when, schedule.zone)

        def work(tx: Tx) -> Schedule:
            # Paused meanwhile, it stays so.
            following = sa.case((SCHEDULE.c.next_at.is_(None), sa.null()), else_=rule.next_after(tx.now))
            return _give_back(tx, due, {"last_at": due.at, "last_run": run_id, "next_at": following, "reason": None})

        return await self._database.write(work)

    async def rest(self, due: Due, *, reason: str) -> Schedule:
        """See `Schedules.rest`."""
        return await self._database.write(lambda tx: _give_back(tx, due, {"next_at": None, "reason": reason}))

    async def postpone(self, due: Due, *, reason: str) -> Schedule:
        """See `Schedules.postpone`. Nobody holds it during its pause, but its lease runs on."""
        schedule = due.schedule
        rule = await asyncio.to_thread(parse, schedule.when, schedule.zone)

        def work(tx: Tx) -> Schedule:
            # Of a schedule that was late before it was first tried, the time that passed tells nothing.
            passed = 0.0 if schedule.reason is None else tx.now - due.at
            again = tx.now + min(max(passed, LEAST_PAUSE), MOST_PAUSE)
            following = rule.next_after(tx.now)
            again = again if following is None else min(again, following)
            # Paused meanwhile, it says nothing.
            told = sa.case((SCHEDULE.c.next_at.is_(None), sa.null()), else_=reason)
            return _give_back(tx, due, {"reason": told}, again=again)

        return await self._database.write(work)


def _waiting(now: float, limit: int) -> sa.Select[Any]:
    """Select what is due and held by nobody."""
    return (
        sa.select(SCHEDULE)
        .join(TENANT, TENANT.c.id == SCHEDULE.c.tenant)
        .where(SCHEDULE.c.next_at <= now, TENANT.c.disabled_at.is_(None))
        .where(SCHEDULE.c.lease_until.is_(None) | (SCHEDULE.c.lease_until <= now))
        .order_by(SCHEDULE.c.next_at)
        .limit(limit)
    )


def _take(tx: Tx, owner: str, *, lease: float, limit: int) -> Sequence[Due]:
    taken = []
    for row in tx.all(_waiting(tx.now, limit).with_for_update(of=SCHEDULE, skip_locked=True)):
        fence = row.fence + 1
        held = {"owner": owner, "lease_until": tx.now + lease, "fence": fence}
        tx.change(sa.update(SCHEDULE).where(SCHEDULE.c.id == row.id).values(**held))
        at = float(row.next_at)
        taken.append(Due(schedule=_schedule(row), at=at, fence=fence, run_id=_run_id(row.id, at)))
    return taken


def _give_back(tx: Tx, due: Due, values: Mapping[str, Any], *, again: float | None = None) -> Schedule:
    """Write down what became of a schedule that this worker holds; none takes it before `again`. Raises `LeaseLost`."""
    schedule = due.schedule
    mine = (SCHEDULE.c.id == schedule.id) & (SCHEDULE.c.fence == due.fence)
    if not tx.change(sa.update(SCHEDULE).where(mine).values(**values, owner=None, lease_until=again)):
        raise LeaseLost(f"schedule {schedule.id} was taken by another worker, or is gone")
    return _find(tx, schedule.tenant, schedule.id)


def _run_id(schedule_id: str, at: float) -> str:
    digest = hashlib.blake2b(f"{schedule_id}\0{at:.3f}".encode(), person=b"leadline.due/1", digest_size=8)
    return f"s{digest.hexdigest()}"


def _find(tx: Tx, tenant: str, schedule_id: str) -> Schedule:
    row = tx.one(sa.select(SCHEDULE).where(SCHEDULE.c.tenant == tenant, SCHEDULE.c.id == schedule_id))
    if row is None:
        raise UnknownObject(f"no such schedule: {schedule_id}")
    return _schedule(row)


def _schedule(row: sa.Row[Any]) -> Schedule:
    return Schedule(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        question=row.question,
        options=orjson.loads(row.options),
        when=row.rule,
        zone=row.zone,
        created_at=row.created_at,
        made_by=row.made_by,
        next_at=row.next_at,
        last_at=row.last_at,
        last_run=row.last_run,
        reason=row.reason,
    )
