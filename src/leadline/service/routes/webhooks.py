"""`/v1/webhooks`: addresses that are told what becomes of runs."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from leadline.errors import Forbidden, InputError, SettingsError, WrongState
from leadline.ports.access import Action
from leadline.ports.holdings import Delivery, Webhook
from leadline.service.deps import CallerDep, ObjectId, ServicesDep
from leadline.service.held_shapes import DeliveryShown, WebhookMade, WebhookShown, WebhookTaken
from leadline.service.paging import Limit
from leadline.service.routing import Routes, name_object
from leadline.service.shown import iso

MOST: Final = 20
"""Webhooks that a tenant may have."""


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/webhooks", tag="webhooks")
    write, read = Action.WEBHOOKS_WRITE, Action.WEBHOOKS_READ
    made.add("POST", "", make_webhook, action=write, status=201, model=WebhookMade, errors=(409,))
    made.add("GET", "", webhooks, action=read, model=list[WebhookShown])
    made.add("DELETE", "/{webhook_id}", forget, action=write, status=204)
    made.add("GET", "/{webhook_id}/deliveries", deliveries, action=read, model=list[DeliveryShown])
    return made


async def make_webhook(
    taken: WebhookTaken, request: Request, *, services: ServicesDep, caller: CallerDep
) -> WebhookMade:
    """Have an address told of events. `secret` is shown this once and never again.

    Deliveries are signed as Standard Webhooks has it, and come again until the address answers 2xx;
    after about three days they are given up.
    """
    known = services.accounts.webhooks
    try:
        services.posts.check(taken.url)
        if len(await known.list(caller.tenant)) >= MOST:
            raise WrongState(f"there are {MOST} webhooks already: remove one first")
        made = await known.create(caller.tenant, url=taken.url, events=taken.events, made_by=caller.key)
    except Forbidden as error:
        raise InputError(f"this address cannot be told: {error}") from error
    except SettingsError as error:
        raise InputError("this service is not set up for webhooks: it has no key to encrypt their secrets") from error
    name_object(request, made.webhook.id)
    return WebhookMade(webhook=webhook_shown(made.webhook), secret=made.secret)


async def webhooks(services: ServicesDep, caller: CallerDep) -> list[WebhookShown]:
    """List the tenant's webhooks, newest first, without their secrets."""
    return [webhook_shown(webhook) for webhook in await services.accounts.webhooks.list(caller.tenant)]


async def forget(webhook_id: ObjectId, services: ServicesDep, caller: CallerDep) -> Response:
    """Forget a webhook, and what it was still to be told."""
    await services.accounts.webhooks.delete(caller.tenant, webhook_id)
    return Response(status_code=204)


async def deliveries(
    webhook_id: ObjectId, services: ServicesDep, caller: CallerDep, *, limit: Limit = 50
) -> list[DeliveryShown]:
    """See what a webhook was told, newest first, and how each attempt ended."""
    found = await services.accounts.deliveries.list(caller.tenant, webhook_id, limit=limit)
    return [delivery_shown(delivery) for delivery in found]


def webhook_shown(webhook: Webhook) -> WebhookShown:
    """Return a webhook as it is listed."""
    return WebhookShown(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        created_at=iso(webhook.created_at),
        made_by=webhook.made_by,
    )


def delivery_shown(delivery: Delivery) -> DeliveryShown:
    """Return a delivery as it is listed."""
    return DeliveryShown(
        id=delivery.id,
        event=delivery.event,
        run_id=delivery.run_id,
        state=delivery.state.value,
        attempts=delivery.attempts,
        created_at=iso(delivery.created_at),
        next_at=None if delivery.next_at is None else iso(delivery.next_at),
        status=delivery.status,
        problem=delivery.problem,
    )
