"""`Holds` over the database: what is set aside and what was used, exact over all processes.

A day is a day of UTC. What a run uses counts on the day on which it was let in, whenever it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from leadline.accounts.database import Database, Tx
from leadline.accounts.money import micros, usd
from leadline.accounts.schema import HOLD, TENANT, USAGE
from leadline.ports.admission import Admitted, Bounds, DayUsage, Fullest, Hold, InboundLimit, Over, Wanted, Wish

_LOCK: Final = "leadline accounts holds"
_DAY: Final = 86_400.0


class SqlHolds:
    """Holds and usage as rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, wish: Wish, bounds: Bounds) -> Admitted | Over:
        """See `Holds.reserve`. The same id again gets the first answer again."""
        return await self._database.write(lambda tx: _reserve(tx, wish, bounds))

    async def settle(self, hold_id: str, *, tokens: int, usd: float) -> bool:
        """See `Holds.settle`."""
        return await self._database.write(lambda tx: _settle(tx, hold_id, tokens=tokens, spent=micros(usd)))

    async def moved(self, hold_id: str, *, waiting: bool) -> None:
        """See `Holds.moved`."""
        mine = sa.update(HOLD).where(HOLD.c.id == hold_id, HOLD.c.waiting != waiting).values(waiting=waiting)
        await self._database.write(lambda tx: tx.change(mine))

    async def open(self, *, key: str | None = None, limit: int = 10_000) -> Sequence[Hold]:
        """See `Holds.open`."""
        query = sa.select(HOLD).where(HOLD.c.open).order_by(HOLD.c.made_at, HOLD.c.id).limit(limit)
        if key is not None:
            query = query.where(HOLD.c.key == key)
        return [_hold(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def usage(self, tenant: str, *, since: str, until: str) -> Sequence[DayUsage]:
        """See `Holds.usage`."""
        query = (
            sa.select(USAGE)
            .where(USAGE.c.tenant == tenant, USAGE.c.day >= since, USAGE.c.day <= until)
            .order_by(USAGE.c.day.desc())
        )
        return [_usage(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def fullest(self, bounds: Bounds) -> Fullest:
        """See `Holds.fullest`."""
        return await self._database.read(lambda tx: _fullest(tx, bounds))


class _Amounts(NamedTuple):
    """Tokens and millionths of a dollar; `None` has no bound."""

    tokens: int | None
    micros: int | None


class _Day(NamedTuple):
    """A tenant's budget of today, and what it may still set aside of it."""

    whole: _Amounts
    left: _Amounts


def _reserve(tx: Tx, wish: Wish, bounds: Bounds) -> Admitted | Over:
    tx.lock(_LOCK)
    before = tx.one(sa.select(HOLD).where(HOLD.c.id == wish.id))
    if before is not None:
        return _admitted(before.granted_tokens, before.granted_micros)
    over = _over_runs(tx, wish, bounds) if wish.wanted is Wanted.RUN else None
    if over is not None:
        return over
    day = datetime.fromtimestamp(tx.now, UTC).date().isoformat()
    whole, left = _budget(tx, wish.tenant, day, bounds=bounds)
    asked, usual = _micros(wish.usd), _micros(wish.usual_usd)
    until_tomorrow = _DAY - tx.now % _DAY
    if left.tokens is not None and (left.tokens <= 0 or (wish.tokens or 0) > left.tokens):
        return Over(limit=InboundLimit.TENANT_TOKENS, retry_after=until_tomorrow)
    if left.micros is not None and (left.micros <= 0 or (asked or 0) > left.micros):
        return Over(limit=InboundLimit.TENANT_USD, retry_after=until_tomorrow)
    share = bounds.run_share
    granted = _Amounts(
        _unasked(wish.usual_tokens, whole.tokens, left.tokens, share=share) if wish.tokens is None else wish.tokens,
        _unasked(usual, whole.micros, left.micros, share=share) if asked is None else asked,
    )
    _set_aside(tx, wish, day, granted=granted)
    return _admitted(granted.tokens, granted.micros)


def _unasked(usual: int | None, whole: int | None, left: int | None, *, share: float) -> int | None:
    """Return how much is set aside where no amount was asked for: the usual, within its share and what is left."""
    if whole is None or left is None:
        return usual
    most = min(left, max(1, int(whole * share)))
    return most if usual is None else min(most, usual)


def _over_runs(tx: Tx, wish: Wish, bounds: Bounds) -> Over | None:
    """Return the limit of runs side by side that one more would pass; a new run waits at first."""
    checks = (
        (wish.key, bounds.key_runs, bounds.key_waiting, InboundLimit.KEY_RUNS, InboundLimit.KEY_WAITING),
        (None, bounds.runs, bounds.waiting, InboundLimit.RUNS, InboundLimit.WAITING),
    )
    for key, most_runs, most_waiting, runs_limit, waiting_limit in checks:
        if most_runs is None and most_waiting is None:
            continue
        runs, waiting = _counts(tx, key)
        if most_runs is not None and runs >= most_runs:
            return Over(limit=runs_limit)
        if most_waiting is not None and waiting >= most_waiting:
            return Over(limit=waiting_limit)
    return None


def _counts(tx: Tx, key: str | None) -> tuple[int, int]:
    """Return how many runs have not ended, and how many of them wait."""
    waits = sa.func.coalesce(sa.func.sum(sa.case((HOLD.c.waiting, 1), else_=0)), 0)
    query = sa.select(sa.func.count().label("runs"), waits.label("waits")).where(
        HOLD.c.open, HOLD.c.wanted == str(Wanted.RUN)
    )
    row = tx.one(query if key is None else query.where(HOLD.c.key == key))
    return (0, 0) if row is None else (int(row.runs), int(row.waits))


def _budget(tx: Tx, tenant: str, day: str, *, bounds: Bounds) -> _Day:
    """Return the tenant's budget and what is left of it: its own goes before everybody's."""
    own = tx.one(sa.select(TENANT.c.tokens_per_day, TENANT.c.micros_per_day).where(TENANT.c.id == tenant))
    tokens, money = (None, None) if own is None else (own.tokens_per_day, own.micros_per_day)
    if tokens is None:
        tokens = bounds.tokens_per_day
    if money is None:
        money = _micros(bounds.usd_per_day)
    whole = _Amounts(tokens, money)
    used = tx.one(sa.select(USAGE).where(USAGE.c.tenant == tenant, USAGE.c.day == day))
    if used is None:
        return _Day(whole, whole)
    left = _Amounts(
        None if tokens is None else tokens - used.tokens - used.held_tokens,
        None if money is None else money - used.micros - used.held_micros,
    )
    return _Day(whole, left)


def _fullest(tx: Tx, bounds: Bounds) -> Fullest:
    today = datetime.fromtimestamp(tx.now, UTC).date().isoformat()
    query = (
        sa.select(USAGE, TENANT.c.tokens_per_day, TENANT.c.micros_per_day)
        .join(TENANT, TENANT.c.id == USAGE.c.tenant, isouter=True)
        .where(USAGE.c.day == today)
    )
    everybody = _micros(bounds.usd_per_day)
    tokens, money = list[float](), list[float]()
    for row in tx.all(query):
        _add_share(tokens, row.tokens + row.held_tokens, own=row.tokens_per_day, everybody=bounds.tokens_per_day)
        _add_share(money, row.micros + row.held_micros, own=row.micros_per_day, everybody=everybody)
    return Fullest(tokens=max(tokens, default=None), usd=max(money, default=None))


def _add_share(shares: list[float], used: int, *, own: int | None, everybody: int | None) -> None:
    budget = everybody if own is None else own
    if budget is not None:
        shares.append(used / budget if budget else 1.0)


def _set_aside(tx: Tx, wish: Wish, day: str, *, granted: _Amounts) -> None:
    is_run = wish.wanted is Wanted.RUN
    nothing = {"runs": 0, "calls": 0, "tokens": 0, "micros": 0, "held_tokens": 0, "held_micros": 0}
    tx.add_new(USAGE, {"tenant": wish.tenant, "day": day, **nothing})
    tokens, money = granted.tokens or 0, granted.micros or 0
    tx.change(
        sa.update(USAGE)
        .where(USAGE.c.tenant == wish.tenant, USAGE.c.day == day)
        .values(
            runs=USAGE.c.runs + int(is_run),
            calls=USAGE.c.calls + int(not is_run),
            held_tokens=USAGE.c.held_tokens + tokens,
            held_micros=USAGE.c.held_micros + money,
        )
    )
    who = {"id": wish.id, "tenant": wish.tenant, "key": wish.key, "wanted": str(wish.wanted)}
    state = {"day": day, "made_at": tx.now, "waiting": is_run, "open": True, "tokens": tokens, "micros": money}
    tx.add(HOLD, {**who, **state, "granted_tokens": granted.tokens, "granted_micros": granted.micros})


def _settle(tx: Tx, hold_id: str, *, tokens: int, spent: int) -> bool:
    tx.lock(_LOCK)
    hold = tx.one(sa.select(HOLD).where(HOLD.c.id == hold_id, HOLD.c.open))
    if hold is None:
        return False
    tx.change(sa.update(HOLD).where(HOLD.c.id == hold_id).values(open=False, waiting=False))
    tx.change(
        sa.update(USAGE)
        .where(USAGE.c.tenant == hold.tenant, USAGE.c.day == hold.day)
        .values(
            tokens=USAGE.c.tokens + tokens,
            micros=USAGE.c.micros + spent,
            held_tokens=USAGE.c.held_tokens - hold.tokens,
            held_micros=USAGE.c.held_micros - hold.micros,
        )
    )
    return True


def _micros(amount: float | None) -> int | None:
    return None if amount is None else micros(amount)


def _admitted(tokens: int | None, money: int | None) -> Admitted:
    return Admitted(tokens=tokens, usd=None if money is None else usd(money))


def _hold(row: sa.Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        tenant=row.tenant,
        key=row.key,
        wanted=Wanted(row.wanted),
        made_at=row.made_at,
        waiting=row.waiting,
        tokens=row.tokens,
        usd=usd(row.micros),
    )


def _usage(row: sa.Row[Any]) -> DayUsage:
    return DayUsage(
        day=row.day,
        runs=row.runs,
        calls=row.calls,
        tokens=row.tokens,
        usd=usd(row.micros),
        held_tokens=row.held_tokens,
        held_usd=usd(row.held_micros),
    )
