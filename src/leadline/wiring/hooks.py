"""Settings -> webhooks: how the journal becomes deliveries, and what sends them."""

from __future__ import annotations

from random import Random

from leadline.eventlog.envelope import Envelopes
from leadline.eventlog.shipper import Shipper
from leadline.eventlog.webhooks import NAME, WebhookOutbox
from leadline.ports.holdings import Deliveries
from leadline.ports.posting import Posts
from leadline.wiring.owners import new_owner
from leadline.wiring.platform import Platform


def noting(running: Platform, deliveries: Deliveries) -> Shipper:
    """Return what notes a delivery for each event that a webhook wants; one process at a time does."""
    return Shipper(
        store=running.store,
        sink=WebhookOutbox(deliveries),
        name=NAME,
        owner=new_owner(),
        envelopes=Envelopes(),
        clock=running.clock,
        random=Random(),  # noqa: S311 spreads waits, guards nothing
    )


async def posts_of(running: Platform) -> Posts:
    """Return what sends to addresses of tenants; closed with the platform's other outgoing calls."""
    from leadline.fetch.guard import Guard  # noqa: PLC0415 aiohttp only where a service runs
    from leadline.fetch.posting import GuardedPosts  # noqa: PLC0415 as above

    settings = running.settings
    guard = Guard(allow_private=settings.fetch.allow_private)
    opened = GuardedPosts.open(guard, now=running.clock.now, contact=settings.fetch.contact or "", proxy=settings.proxy)
    return await running.outgoing.enter(opened)
