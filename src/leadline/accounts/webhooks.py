"""`Webhooks` over the database."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from leadline.accounts import tenants
from leadline.accounts.database import Database, Tx
from leadline.accounts.schema import DELIVERY, WEBHOOK
from leadline.accounts.sealing import Sealed, Sealer
from leadline.accounts.vault import HOOK
from leadline.errors import InputError, UnknownObject
from leadline.ports.holdings import MadeWebhook, Webhook

MARK: Final = "whsec_"
"""With this every secret of a webhook begins, as Standard Webhooks has it."""

_MOST_URL: Final = 2_000


class SqlWebhooks:
    """Webhooks as rows, their secrets encrypted."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create(self, tenant: str, *, url: str, events: Sequence[str], made_by: str) -> MadeWebhook:
        """See `Webhooks.create`. The address's form is checked here, its host by the guard when it is called."""
        _check(url, events)
        webhook_id = secrets.token_hex(8)
        secret = MARK + base64.b64encode(secrets.token_bytes(32)).decode()
        sealed = self._sealer.seal(secret, HOOK, tenant, webhook_id)

        def work(tx: Tx) -> Webhook:
            tenants.find(tx, tenant)
            values = {"id": webhook_id, "tenant": tenant, "url": url, "events": " ".join(dict.fromkeys(events))}
            more = {"key_id": sealed.key_id, "sealed": sealed.body, "created_at": tx.now, "made_by": made_by}
            tx.add(WEBHOOK, {**values, **more})
            return webhook_from(_find(tx, tenant, webhook_id))

        return MadeWebhook(webhook=await self._database.write(work), secret=secret)

    async def list(self, tenant: str) -> Sequence[Webhook]:
        """See `Webhooks.list`."""
        query = sa.select(WEBHOOK).where(WEBHOOK.c.tenant == tenant).order_by(WEBHOOK.c.created_at.desc(), WEBHOOK.c.id)
        return [webhook_from(row) for row in await self._database.read(lambda tx: tx.all(query))]

    async def delete(self, tenant: str, webhook_id: str) -> None:
        """See `Webhooks.delete`."""

        def work(tx: Tx) -> None:
            _find(tx, tenant, webhook_id)
            tx.change(sa.delete(DELIVERY).where(DELIVERY.c.webhook == webhook_id))
            tx.change(sa.delete(WEBHOOK).where(WEBHOOK.c.id == webhook_id))

        await self._database.write(work)

    async def secret(self, tenant: str, webhook_id: str) -> str:
        """See `Webhooks.secret`."""
        row = await self._database.read(lambda tx: _find(tx, tenant, webhook_id))
        return self._sealer.open(Sealed(row.key_id, row.sealed), HOOK, tenant, webhook_id)


def webhook_from(row: sa.Row[Any]) -> Webhook:
    """Return the webhook of a row."""
    return Webhook(
        id=row.id,
        tenant=row.tenant,
        url=row.url,
        events=tuple(row.events.split()),
        created_at=row.created_at,
        made_by=row.made_by,
    )


def _find(tx: Tx, tenant: str, webhook_id: str) -> sa.Row[Any]:
    row = tx.one(sa.select(WEBHOOK).where(WEBHOOK.c.tenant == tenant, WEBHOOK.c.id == webhook_id))
    if row is None:
        raise UnknownObject(f"no such webhook: {webhook_id}")
    return row


def _check(url: str, events: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None
    except ValueError:
        wrong = True
    if wrong or len(url) > _MOST_URL or not url.isprintable() or " " in url:
        raise InputError("a webhook's address is http:// or https://, with a host and without user or password")
    if not events or not all(event.isidentifier() for event in events):
        raise InputError("a webhook names the events that it wants, such as run_finished")
