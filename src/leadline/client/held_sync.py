"""The parts of `Client` for schedules, webhooks, links and secrets: `client.held` without an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, TypeVar

from leadline.client.held import AsyncSchedules, AsyncSecrets, AsyncShares, AsyncWebhooks
from leadline.client.shapes import (
    DeliveryView,
    MadeShare,
    MadeWebhook,
    ScheduleView,
    SecretView,
    ShareView,
    WebhookView,
)

T = TypeVar("T")


class Do(Protocol):
    """Does something on the loop's thread and waits for it."""

    def __call__(self, work: Awaitable[T], /) -> T:
        """Return what it gives."""
        ...


class Schedules:
    """Questions that are asked again and again. Every method is `AsyncSchedules`' of the same name."""

    def __init__(self, schedules: AsyncSchedules, do: Do) -> None:
        self._schedules = schedules
        self._do = do

    def add(
        self,
        question: str,
        *,
        when: str,
        zone: str = "UTC",
        name: str | None = None,
        **options: Any,  # noqa: ANN401 fields of `Ask` have different types
    ) -> ScheduleView:
        """See `AsyncSchedules.add`."""
        return self._do(self._schedules.add(question, when=when, zone=zone, name=name, **options))

    def list(self) -> Sequence[ScheduleView]:
        """See `AsyncSchedules.list`."""
        return self._do(self._schedules.list())

    def get(self, schedule_id: str) -> ScheduleView:
        """See `AsyncSchedules.get`."""
        return self._do(self._schedules.get(schedule_id))

    def pause(self, schedule_id: str) -> ScheduleView:
        """See `AsyncSchedules.pause`."""
        return self._do(self._schedules.pause(schedule_id))

    def resume(self, schedule_id: str) -> ScheduleView:
        """See `AsyncSchedules.resume`."""
        return self._do(self._schedules.resume(schedule_id))

    def remove(self, schedule_id: str) -> None:
        """See `AsyncSchedules.remove`."""
        self._do(self._schedules.remove(schedule_id))


class Webhooks:
    """Addresses that are told of events. Every method is `AsyncWebhooks`' of the same name."""

    def __init__(self, webhooks: AsyncWebhooks, do: Do) -> None:
        self._webhooks = webhooks
        self._do = do

    def add(self, url: str, *, events: Sequence[str] = ("run_finished",)) -> MadeWebhook:
        """See `AsyncWebhooks.add`."""
        return self._do(self._webhooks.add(url, events=events))

    def list(self) -> Sequence[WebhookView]:
        """See `AsyncWebhooks.list`."""
        return self._do(self._webhooks.list())

    def deliveries(self, webhook_id: str, *, limit: int = 50) -> Sequence[DeliveryView]:
        """See `AsyncWebhooks.deliveries`."""
        return self._do(self._webhooks.deliveries(webhook_id, limit=limit))

    def remove(self, webhook_id: str) -> None:
        """See `AsyncWebhooks.remove`."""
        self._do(self._webhooks.remove(webhook_id))


class Shares:
    """Read-only links to reports. Every method is `AsyncShares`' of the same name."""

    def __init__(self, shares: AsyncShares, do: Do) -> None:
        self._shares = shares
        self._do = do

    def make(self, run_id: str, *, days: int = 30) -> MadeShare:
        """See `AsyncShares.make`."""
        return self._do(self._shares.make(run_id, days=days))

    def list(self, run_id: str) -> Sequence[ShareView]:
        """See `AsyncShares.list`."""
        return self._do(self._shares.list(run_id))

    def close(self, share_id: str) -> ShareView:
        """See `AsyncShares.close`."""
        return self._do(self._shares.close(share_id))


class Secrets:
    """The tenant's own keys at providers. Every method is `AsyncSecrets`' of the same name."""

    def __init__(self, secrets: AsyncSecrets, do: Do) -> None:
        self._secrets = secrets
        self._do = do

    def set(self, name: str, value: str) -> None:
        """See `AsyncSecrets.set`."""
        self._do(self._secrets.set(name, value))

    def list(self) -> Sequence[SecretView]:
        """See `AsyncSecrets.list`."""
        return self._do(self._secrets.list())

    def remove(self, name: str) -> None:
        """See `AsyncSecrets.remove`."""
        self._do(self._secrets.remove(name))
