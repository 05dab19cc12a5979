"""Deliveries: what they are signed with, how long they wait, and that no answer stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from leadline.errors import LeadlineError, LeaseLost, SecretUnreadable, StoreUnavailable
from leadline.ports.holdings import Delivery, DeliveryState, MadeWebhook, Webhook
from leadline.ports.posting import Posted
from leadline.resilience import SystemClock
from leadline.service.hooks import AT_ONCE, DELAYS, Sender, signed

HOOK = Webhook(id="w", tenant="acme", url="https://a.example/", events=("run_finished",), created_at=0, made_by="test")
DELIVERY = Delivery(
    id="msg_p5jXN8AQM9LWM0D4loKWxJek",
    webhook=HOOK,
    event="run_finished",
    run_id="r1",
    body=b'{"test": 2432232314}',
    state=DeliveryState.PENDING,
    attempts=0,
    created_at=0,
    next_at=0,
)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Desk:
    """Deliveries, webhooks and an address in one: what is due, what it answers, what was noted."""

    answer: Posted | Exception
    due: list[Delivery] = field(default_factory=list)
    lost: Exception | None = None
    unreadable: bool = False
    noted: list[tuple[str, int | None, float | None]] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self, url: str) -> None:
        assert url == HOOK.url

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Posted:
        assert (url, body, headers["webhook-id"]) == (HOOK.url, DELIVERY.body, DELIVERY.id)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def secret(self, tenant: str, webhook_id: str) -> str:
        if self.unreadable:
            raise SecretUnreadable("add it to `LEADLINE_SECRETS__OLD_KEYS`")
        return {("acme", "w"): SECRET}[tenant, webhook_id]

    async def claim(self, owner: str, *, lease: float, limit: int = 20) -> Sequence[Delivery]:
        assert (owner, lease > 0) == ("test", True)
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken

    async def delivered(self, delivery: Delivery, *, status: int) -> None:
        if self.lost is not None:
            raise self.lost
        self.noted.append(("", status, None))
        if len(self.noted) == 50:
            self.quiet.set()

    async def failed(self, delivery: Delivery, *, problem: str, status: int | None, retry_in: float | None) -> None:
        self.noted.append((problem, status, retry_in))

    async def enqueue(self, tenant: str, *, event: str, run_id: str, body: bytes, at: float | None = None) -> int:
        raise AssertionError("a sender notes nothing new")

    async def create(self, tenant: str, *, url: str, events: Sequence[str], made_by: str) -> MadeWebhook:
        raise AssertionError("a sender makes none")

    async def delete(self, tenant: str, webhook_id: str) -> None:
        raise AssertionError("a sender deletes none")


def sender(desk: Desk) -> Sender:
    return Sender(
        deliveries=desk,  # type: ignore[arg-type]  # `list` alone differs between the two ports
        webhooks=desk,  # type: ignore[arg-type]  # as above
        posts=desk,
        clock=SystemClock(),
        random=Random(1),
        owner="test",
    )


def test_the_signature_is_that_of_the_standard() -> None:
    found = signed(DELIVERY.id, DELIVERY.body, secret=SECRET, at=1_614_265_330)
    assert found == {
        "webhook-id": DELIVERY.id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    with pytest.raises(LeadlineError, match="no base64"):
        signed("m", b"", secret="whsec_?", at=1)


async def test_waits_grow_until_it_is_given_up() -> None:
    desk = Desk(Posted(500, None))
    for attempts in range(len(DELAYS) + 1):
        await sender(desk).send(replace(DELIVERY, attempts=attempts))
    waits = [wait for _, _, wait in desk.noted]
    assert waits[-1] is None
    for wait, delay in zip(waits[:-1], DELAYS, strict=True):
        assert wait is not None
        assert delay <= wait <= delay * 1.1
    assert sum(DELAYS) > 3 * 86_400


@pytest.mark.parametrize(
    ("answer", "noted"),
    [
        (Posted(204, None), ("", 204, None)),
        (Posted(410, None), ("it answered with status 410", 410, None)),
        (Posted(503, 900.0), ("it answered with status 503", 503, 900.0)),
        (ValueError("nobody translated this"), ("the service failed to send it", None, pytest.approx(5, rel=0.1))),
    ],
)
async def test_each_end_is_noted(answer: Posted | Exception, noted: tuple[str, int | None, float | None]) -> None:
    desk = Desk(answer)
    await sender(desk).send(DELIVERY)
    assert desk.noted == [noted]


async def test_the_log_of_deliveries_says_nothing_of_the_services_keys() -> None:
    desk = Desk(Posted(204, None), unreadable=True)
    await sender(desk).send(DELIVERY)
    ((problem, status, wait),) = desk.noted
    assert (problem, status) == ("the service cannot sign it now", None)
    assert wait is not None


@pytest.mark.parametrize("lost", [LeaseLost("gone"), StoreUnavailable("away")])
async def test_what_another_process_holds_by_now_is_left_to_it(lost: Exception) -> None:
    desk = Desk(Posted(204, None), lost=lost)
    await sender(desk).send(DELIVERY)
    assert desk.noted == []


async def test_several_are_sent_at_once_and_not_more() -> None:
    desk = Desk(Posted(204, None), due=[DELIVERY] * 50)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sender(desk).run())
        await desk.quiet.wait()
        task.cancel()
    assert len(desk.noted) == 50
    assert desk.most == AT_ONCE
