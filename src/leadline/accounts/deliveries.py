"""`Deliveries` over the database: an outbox, held by leases."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import DELIVERY, TENANT, WEBHOOK
from leadline.errors import LeaseLost, UnknownObject
from leadline.ports.holdings import Delivery, DeliveryState, Webhook


class SqlDeliveries:
    """Deliveries as rows; whoever sends one holds it by a lease and a fence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(self, tenant: str, *, event: str, run_id: str, body: bytes, at: float | None = None) -> int:
        """See `Deliveries.enqueue`."""
        hooks = sa.select(WEBHOOK.c.id, WEBHOOK.c.events).where(WEBHOOK.c.tenant == tenant)
        if at is not None:
            hooks = hooks.where(WEBHOOK.c.created_at <= at)

        def wanting(tx: Tx) -> list[str]:
            return [row.id for row in tx.all(hooks) if event in row.events.split()]

        def work(tx: Tx) -> int:
            found = wanting(tx)
            for webhook_id in found:
                values = {"id": secrets.token_hex(8), "webhook": webhook_id, "event": event, "run_id": run_id}
                state = {"state": str(DeliveryState.PENDING), "attempts": 0, "problem": "", "fence": 0}
                times = {"created_at": tx.now, "next_at": tx.now}
                tx.add_new(DELIVERY, {**values, **state, **times, "body": body})
            return len(found)

        # Most tenants have none: that is found without a write.
        return await self._database.write(work) if await self._database.read(wanting) else 0

    async def claim(self, owner: str, *, lease: float, limit: int = 20) -> Sequence[Delivery]:
        """See `Deliveries.claim`."""
        if not await self._database.read(lambda tx: tx.all(_waiting(tx.now, 1))):
            return []  # the usual case takes no lock
        return await self._database.write(lambda tx: _take(tx, owner, lease=lease, limit=limit))

    async def delivered(self, delivery: Delivery, *, status: int) -> None:
        """See `Deliveries.delivered`."""
        await self._end(delivery, {"state": str(DeliveryState.DELIVERED), "next_at": None, "status": status})

    async def failed(self, delivery: Delivery, *, problem: str, status: int | None, retry_in: float | None) -> None:
        """See `Deliveries.failed`."""
        told: Mapping[str, Any] = {"status": status, "problem": problem[:500]}
        if retry_in is None:
            await self._end(delivery, {**told, "state": str(DeliveryState.FAILED), "next_at": None})
        else:
            await self._end(delivery, told, again_in=retry_in)

    async def list(self, tenant: str, webhook_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        """See `Deliveries.list`."""
        known = sa.select(WEBHOOK.c.id).where(WEBHOOK.c.tenant == tenant, WEBHOOK.c.id == webhook_id)
        query = _joined().where(DELIVERY.c.webhook == webhook_id, WEBHOOK.c.tenant == tenant)

        def work(tx: Tx) -> Sequence[Delivery]:
            if tx.one(known) is None:
                raise UnknownObject(f"no such webhook: {webhook_id}")
            rows = tx.all(query.order_by(DELIVERY.c.created_at.desc(), DELIVERY.c.id).limit(limit))
            return [_delivery(row) for row in rows]

        return await self._database.read(work)

    async def _end(self, delivery: Delivery, values: Mapping[str, Any], *, again_in: float | None = None) -> None:
        """Write an attempt's outcome, where its sender still holds the delivery. Raises `LeaseLost`."""

        def work(tx: Tx) -> None:
            mine = (DELIVERY.c.id == delivery.id) & (DELIVERY.c.fence == delivery.fence)
            held = DELIVERY.c.state == str(DeliveryState.PENDING)
            times = {} if again_in is None else {"next_at": tx.now + again_in}
            changed = {**values, **times, "owner": None, "lease_until": None, "attempts": DELIVERY.c.attempts + 1}
            if not tx.change(sa.update(DELIVERY).where(mine, held).values(**changed)):
                raise LeaseLost(f"delivery {delivery.id} was taken by another worker, or is gone")

        await self._database.write(work)


def _joined() -> sa.Select[Any]:
    """Select deliveries with their webhooks; the columns that both have are the delivery's."""
    hook = [WEBHOOK.c.tenant, WEBHOOK.c.url, WEBHOOK.c.events, WEBHOOK.c.made_by]
    made = WEBHOOK.c.created_at.label("hook_created_at")
    return sa.select(DELIVERY, *hook, made).join(WEBHOOK, WEBHOOK.c.id == DELIVERY.c.webhook)


def _waiting(now: float, limit: int) -> sa.Select[Any]:
    """Select what is to be sent and held by nobody."""
    return (
        _joined()
        .join(TENANT, TENANT.c.id == WEBHOOK.c.tenant)
        .where(DELIVERY.c.next_at <= now, TENANT.c.disabled_at.is_(None))
        .where(DELIVERY.c.lease_until.is_(None) | (DELIVERY.c.lease_until <= now))
        .order_by(DELIVERY.c.next_at)
        .limit(limit)
    )


def _take(tx: Tx, owner: str, *, lease: float, limit: int) -> Sequence[Delivery]:
    taken = []
    for row in tx.all(_waiting(tx.now, limit).with_for_update(of=DELIVERY, skip_locked=True)):
        fence = row.fence + 1
        held = {"owner": owner, "lease_until": tx.now + lease, "fence": fence}
        tx.change(sa.update(DELIVERY).where(DELIVERY.c.id == row.id).values(**held))
        taken.append(_delivery(row, fence=fence))
    return taken


def _delivery(row: sa.Row[Any], *, fence: int | None = None) -> Delivery:
    webhook = Webhook(
        id=row.webhook,
        tenant=row.tenant,
        url=row.url,
        events=tuple(row.events.split()),
        created_at=row.hook_created_at,
        made_by=row.made_by,
    )
    return Delivery(
        id=row.id,
        webhook=webhook,
        event=row.event,
        run_id=row.run_id,
        body=bytes(row.body),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        fence=row.fence if fence is None else fence,
        status=row.status,
        problem=row.problem,
    )
