"""What a tenant has at a service beside runs, documents and keys: schedules, webhooks, links, secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from leadline.client.asked import Ask
from leadline.client.decoding import decoded, parsed
from leadline.client.http import Sent, ServiceHttp
from leadline.client.shapes import (
    DeliveryView,
    MadeShare,
    MadeWebhook,
    ScheduleView,
    SecretView,
    ShareView,
    WebhookView,
)
from leadline.codec import build
from leadline.errors import ServiceError

T = TypeVar("T")

_MOST_NAME = 100


class AsyncSchedules:
    """Questions that are asked again and again. Every method raises the errors of `leadline.errors`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def add(
        self,
        question: str,
        *,
        when: str,
        zone: str = "UTC",
        name: str | None = None,
        **options: Any,  # noqa: ANN401 fields of `Ask` have different types
    ) -> ScheduleView:
        """Ask a question again and again; `options` are fields of `Ask`.

        `when` is a rule such as `every Monday 08:00`, or five fields of cron, in the time of `zone`.
        Raises `InputError` for a rule or options that cannot be.
        """
        ask = Ask(question=question, **options)
        # A name is one line, as the service wants it.
        said = " ".join((name or question).split())[:_MOST_NAME]
        body = {**ask.body(), "name": said, "when": when, "zone": zone}
        sent = Sent(method="POST", path="/v1/schedules", json=body, again=False)
        return decoded(ScheduleView, await self._http.ask(sent))

    async def list(self) -> Sequence[ScheduleView]:
        """Return all schedules, by name."""
        return await listed(ScheduleView, self._http, "/v1/schedules")

    async def get(self, schedule_id: str) -> ScheduleView:
        """Look at a schedule. Raises `UnknownObject`."""
        return decoded(ScheduleView, await self._http.ask(Sent(method="GET", path=_path("schedules", schedule_id))))

    async def pause(self, schedule_id: str) -> ScheduleView:
        """Let a schedule rest. Raises `UnknownObject`."""
        return await self._change(schedule_id, paused=True)

    async def resume(self, schedule_id: str) -> ScheduleView:
        """Go on with a schedule, at its next time after now. Raises `UnknownObject`."""
        return await self._change(schedule_id, paused=False)

    async def remove(self, schedule_id: str) -> None:
        """Forget a schedule; its runs stay. Raises `UnknownObject`."""
        await self._http.ask(Sent(method="DELETE", path=_path("schedules", schedule_id), again=False))

    async def _change(self, schedule_id: str, *, paused: bool) -> ScheduleView:
        sent = Sent(method="PATCH", path=_path("schedules", schedule_id), json={"paused": paused})
        return decoded(ScheduleView, await self._http.ask(sent))


class AsyncWebhooks:
    """Addresses that are told of events. Every method raises the errors of `leadline.errors`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def add(self, url: str, *, events: Sequence[str] = ("run_finished",)) -> MadeWebhook:
        """Have an address told of events; the secret that they are signed with is told this once.

        Raises `InputError` for an address that cannot be told, `WrongState` where there are too many.
        """
        body = {"url": url, "events": [*events]}
        sent = Sent(method="POST", path="/v1/webhooks", json=body, again=False)
        return decoded(MadeWebhook, await self._http.ask(sent))

    async def list(self) -> Sequence[WebhookView]:
        """Return all webhooks, newest first."""
        return await listed(WebhookView, self._http, "/v1/webhooks")

    async def deliveries(self, webhook_id: str, *, limit: int = 50) -> Sequence[DeliveryView]:
        """Return what a webhook was told, newest first. Raises `UnknownObject`."""
        path = f"{_path('webhooks', webhook_id)}/deliveries"
        return await listed(DeliveryView, self._http, path, limit=str(limit))

    async def remove(self, webhook_id: str) -> None:
        """Forget a webhook, and what it was still to be told. Raises `UnknownObject`."""
        await self._http.ask(Sent(method="DELETE", path=_path("webhooks", webhook_id), again=False))


class AsyncShares:
    """Read-only links to reports. Every method raises the errors of `leadline.errors`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def make(self, run_id: str, *, days: int = 30) -> MadeShare:
        """Make a link to a run's report for so many days; its token is told this once. Raises `UnknownRun`."""
        sent = Sent(method="POST", path=_shares(run_id), json={"days": days}, again=False)
        return decoded(MadeShare, await self._http.ask(sent))

    async def list(self, run_id: str) -> Sequence[ShareView]:
        """Return a run's links, newest first. Raises `UnknownRun`."""
        return await listed(ShareView, self._http, _shares(run_id))

    async def close(self, share_id: str) -> ShareView:
        """Let a link open nothing any more. Raises `UnknownObject`."""
        return decoded(ShareView, await self._http.ask(Sent(method="DELETE", path=_path("shares", share_id))))


class AsyncSecrets:
    """The tenant's own keys at providers, which are set and never shown. Raises the errors of `leadline.errors`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def set(self, name: str, value: str) -> None:
        """Set the key `name`, such as `search.serper`, in place of the one before. Raises `InputError`."""
        await self._http.ask(Sent(method="PUT", path=_path("secrets", name), json={"value": value}))

    async def list(self) -> Sequence[SecretView]:
        """Return which keys there are, by name."""
        return await listed(SecretView, self._http, "/v1/secrets")

    async def remove(self, name: str) -> None:
        """Forget a key. Raises `UnknownObject`."""
        await self._http.ask(Sent(method="DELETE", path=_path("secrets", name), again=False))


async def listed(cls: type[T], http: ServiceHttp, path: str, **params: str) -> Sequence[T]:
    """Return the items of a list. Raises `ServiceError` where it is of another shape."""
    items = parsed(await http.ask(Sent(method="GET", path=path, params=params)))
    try:
        return [build(cls, one) for one in items]
    except (ValueError, TypeError) as error:
        raise ServiceError("the service gave a list in no form that this version knows") from error


def _path(kind: str, id: str) -> str:
    return f"/v1/{kind}/{quote(id, safe='')}"


def _shares(run_id: str) -> str:
    return f"{_path('research', run_id)}/shares"
