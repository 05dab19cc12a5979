"""What tenants keep besides runs: repeated requests, links, schedules, webhooks; corpora are in `corpora`.

As in `ports.accounts`: times are Unix seconds, another tenant's objects are unknown, and all
methods raise `StoreUnavailable` or `StoreFull`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from leadline.domain import Json


class Once(Protocol):
    """Requests that may be sent twice and count once (`Idempotency-Key`)."""

    async def first(self, tenant: str, key: str, *, body_hash: str, object: str) -> str:
        """Return the object of the first request with this key within 24 hours: `object` where this is it.

        Raises `IdempotencyConflict` where that one had another body.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A read-only link to a run's report, as it is listed."""

    id: str
    tenant: str
    run_id: str
    created_at: float
    made_by: str
    expires_at: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeShare:
    """A link that was just made; `token` is shown this once."""

    share: Share
    token: str = field(repr=False)


class Shares(Protocol):
    """Read-only links: whoever has the token may read one run's report, and nothing else."""

    async def create(self, tenant: str, run_id: str, *, made_by: str, expires_at: float | None = None) -> MadeShare:
        """Make a link. The caller has checked that the run is the tenant's. Raises `WrongState` for too many."""
        ...

    async def find(self, token: str) -> Share:
        """Return the link that a token opens. Raises `UnknownObject`, also for an expired or revoked one."""
        ...

    async def list(self, tenant: str, *, run_id: str | None = None) -> Sequence[Share]:
        """Return a tenant's links, newest first."""
        ...

    async def revoke(self, tenant: str, share_id: str) -> Share:
        """Close a link for good. Raises `UnknownObject`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A question that is asked again and again.

    `when` is a rule such as `every Monday 08:00` or `0 8 * * 1`, in the time of `zone`. `options`
    are the run's options as a request has them. `next_at` is `None` while it is paused. `reason` says
    why it is paused where that was not its owner's doing, or why what is due could not be asked yet.
    """

    id: str
    tenant: str
    name: str
    question: str
    options: Mapping[str, Json]
    when: str
    zone: str
    created_at: float
    made_by: str
    next_at: float | None
    last_at: float | None = None
    last_run: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A schedule whose time has come, held by one worker.

    `at` is the moment that it stands for. `run_id` derives from schedule and moment: a worker that
    dies between making the run and `fired` makes no second one.
    """

    schedule: Schedule
    at: float
    fence: int
    run_id: str


class Schedules(Protocol):
    """Schedules of tenants, and who fires them."""

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
        """Make a schedule. Raises `InputError` for a rule or zone that is none, or that never comes."""
        ...

    async def get(self, tenant: str, schedule_id: str) -> Schedule:
        """Return a schedule. Raises `UnknownObject`."""
        ...

    async def list(self, tenant: str) -> Sequence[Schedule]:
        """Return a tenant's schedules, by name."""
        ...

    async def pause(self, tenant: str, schedule_id: str, *, paused: bool) -> Schedule:
        """Let it rest, or go on with its next time after now. Raises `UnknownObject`."""
        ...

    async def delete(self, tenant: str, schedule_id: str) -> None:
        """Forget a schedule. Raises `UnknownObject`."""
        ...

    async def due(self, owner: str, *, lease: float, limit: int = 10) -> Sequence[Due]:
        """Take schedules whose time has come and that nobody holds, for `lease` seconds.

        Each is taken by one worker. After a downtime a schedule is due once, however often its
        time had come. Those of disabled tenants rest.
        """
        ...

    async def fired(self, due: Due, *, run_id: str) -> Schedule:
        """Record the run that was made; its next time is the first one after now.

        Raises `LeaseLost` where another worker has taken it since.
        """
        ...

    async def rest(self, due: Due, *, reason: str) -> Schedule:
        """Pause what can not be asked any more, until its owner lets it go on. Raises as `fired`."""
        ...

    async def postpone(self, due: Due, *, reason: str) -> Schedule:
        """Note why what is due cannot be asked now; it stays due, and may be taken again after a pause.

        The pause is a minute at first and grows with the time that has passed, to an hour; it ends at the
        schedule's next time at the latest. Raises as `fired`.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """An address that is told of events. It is a tenant's: guarded like any address from outside."""

    id: str
    tenant: str
    url: str
    events: tuple[str, ...]
    created_at: float
    made_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeWebhook:
    """A webhook that was just made; `secret` signs its deliveries and is shown this once."""

    webhook: Webhook
    secret: str = field(repr=False)


class Webhooks(Protocol):
    """Who wants to be told."""

    async def create(self, tenant: str, *, url: str, events: Sequence[str], made_by: str) -> MadeWebhook:
        """Make a webhook. Raises `InputError`, and `SettingsError` where its secret cannot be encrypted."""
        ...

    async def list(self, tenant: str) -> Sequence[Webhook]:
        """Return a tenant's webhooks, newest first."""
        ...

    async def delete(self, tenant: str, webhook_id: str) -> None:
        """Forget a webhook and its deliveries. Raises `UnknownObject`."""
        ...

    async def secret(self, tenant: str, webhook_id: str) -> str:
        """Return what its deliveries are signed with. Raises `UnknownObject`, `SecretUnreadable`."""
        ...


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"  # to be sent, perhaps again
    DELIVERED = "delivered"  # the other side said 2xx
    FAILED = "failed"  # given up


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One event for one webhook. `body` is what is sent, byte for byte."""

    id: str
    webhook: Webhook
    event: str
    run_id: str
    body: bytes
    state: DeliveryState
    attempts: int
    created_at: float
    next_at: float | None
    fence: int = 0
    status: int | None = None
    problem: str = ""


class Deliveries(Protocol):
    """What is still to be told, and what became of it."""

    async def enqueue(self, tenant: str, *, event: str, run_id: str, body: bytes, at: float | None = None) -> int:
        """Note the event for each webhook of the tenant that wants it; return how many do.

        The same event of the same run is noted once for each webhook. `at` is when it happened:
        webhooks that were made later are not told.
        """
        ...

    async def claim(self, owner: str, *, lease: float, limit: int = 20) -> Sequence[Delivery]:
        """Take deliveries whose time has come and that nobody holds, oldest first."""
        ...

    async def delivered(self, delivery: Delivery, *, status: int) -> None:
        """Record that it arrived. Raises `LeaseLost`."""
        ...

    async def failed(self, delivery: Delivery, *, problem: str, status: int | None, retry_in: float | None) -> None:
        """Record that it did not; without `retry_in` it is given up. Raises `LeaseLost`."""
        ...

    async def list(self, tenant: str, webhook_id: str, *, limit: int = 50) -> Sequence[Delivery]:
        """Return a webhook's deliveries, newest first. Raises `UnknownObject`."""
        ...
