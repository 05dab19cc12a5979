"""What tenants keep besides runs: repeats, links, schedules, webhooks, corpora; over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from dataclasses import replace

import pytest
from tests.support.accounts import MONDAY, Turned, opened

from leadline.accounts import shares
from leadline.accounts.once import KEPT
from leadline.accounts.sealing import Sealer
from leadline.errors import (
    AlreadyThere,
    IdempotencyConflict,
    InputError,
    LeaseLost,
    SettingsError,
    UnknownObject,
    WrongState,
)
from leadline.ports.corpora import CorpusDocument
from leadline.ports.holdings import Delivery, DeliveryState, Due, MadeShare, Schedule, Webhook
from leadline.wiring.accounts import Accounts

HOUR = 3600.0
DAY = 24 * HOUR

# ------------------------------------------------------------------------------------------- repeats


async def test_a_repeat_gets_the_first_object(accounts: Accounts, turned: Turned) -> None:
    assert await accounts.once.first("acme", "k", body_hash="a", object="r1") == "r1"
    assert await accounts.once.first("acme", "k", body_hash="a", object="r2") == "r1"
    assert await accounts.once.first("other", "k", body_hash="b", object="r3") == "r3"
    with pytest.raises(IdempotencyConflict):
        await accounts.once.first("acme", "k", body_hash="b", object="r4")
    turned.at += KEPT
    assert await accounts.once.first("acme", "k", body_hash="b", object="r5") == "r5"


async def test_of_many_repeats_at_once_one_is_the_first(accounts: Accounts) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(accounts.once.first("acme", "k", body_hash="a", object=f"r{i}")) for i in range(8)]
    assert len({task.result() for task in asked}) == 1


# --------------------------------------------------------------------------------------------- links


async def test_a_link_opens_one_run_until_it_ends(accounts: Accounts, turned: Turned) -> None:
    made = await accounts.shares.create("acme", "r1", made_by="ann", expires_at=turned.at + 10)
    assert await accounts.shares.find(made.token) == made.share
    assert made.token not in repr(made)
    assert await accounts.shares.list("acme", run_id="r1") == [made.share]
    assert await accounts.shares.list("other") == []
    turned.at += 10
    with pytest.raises(UnknownObject):
        await accounts.shares.find(made.token)


async def test_a_link_is_closed_by_its_tenant_alone(accounts: Accounts) -> None:
    made = await accounts.shares.create("acme", "r1", made_by="ann")
    with pytest.raises(UnknownObject):
        await accounts.shares.revoke("other", made.share.id)
    await accounts.shares.revoke("acme", made.share.id)
    for token in (made.token, made.share.id, "", "\ud800"):
        with pytest.raises(UnknownObject):
            await accounts.shares.find(token)


async def test_so_many_links_to_a_run_are_open(
    accounts: Accounts, turned: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "MOST", 3)
    create = accounts.shares.create
    first = await create("acme", "r1", made_by="ann")
    async with asyncio.TaskGroup() as group:
        others = [
            group.create_task(refused(create("acme", "r1", made_by="ann", expires_at=turned.at + 10))) for _ in range(6)
        ]
    assert sorted(other.result() for other in others) == [False, False, True, True, True, True]
    await create("acme", "r2", made_by="ann")
    await create("other", "r1", made_by="ann")
    await accounts.shares.revoke("acme", first.share.id)
    assert not await refused(create("acme", "r1", made_by="ann"))
    assert await refused(create("acme", "r1", made_by="ann"))
    turned.at += 10
    assert not await refused(create("acme", "r1", made_by="ann"))
    assert len(await accounts.shares.list("acme", run_id="r1")) == 5
    turned.at += 31 * DAY
    assert await accounts.tidy() == 3
    assert len(await accounts.shares.list("acme", run_id="r1")) == 2


async def refused(making: Awaitable[MadeShare]) -> bool:
    """Whether a link was refused, for there are too many."""
    try:
        await making
    except WrongState:
        return True
    return False


async def test_a_disabled_tenants_links_are_closed(accounts: Accounts) -> None:
    made = await accounts.shares.create("acme", "r1", made_by="ann")
    await accounts.tenants.disable("acme", disabled=True)
    with pytest.raises(UnknownObject):
        await accounts.shares.find(made.token)


# ----------------------------------------------------------------------------------------- schedules


async def schedule(accounts: Accounts, when: str = "every Monday 08:00", *, tenant: str = "acme") -> Schedule:
    return await accounts.schedules.create(
        tenant,
        name="news",
        question="What is new?",
        when=when,
        zone="Europe/Berlin",
        made_by="ann",
        options={"web": True},
    )


async def due(accounts: Accounts, owner: str = "w1") -> list[Due]:
    return list(await accounts.schedules.due(owner, lease=30))


async def test_a_schedule_is_due_at_its_local_time(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts)
    assert made.next_at == MONDAY + 7 * HOUR
    assert await accounts.schedules.get("acme", made.id) == made
    assert made.options == {"web": True}
    turned.at = MONDAY + 7 * HOUR - 1
    assert await due(accounts) == []
    turned.at += 1
    (found,) = await due(accounts)
    assert (found.schedule.id, found.at) == (made.id, MONDAY + 7 * HOUR)
    after = await accounts.schedules.fired(found, run_id=found.run_id)
    assert (after.next_at, after.last_at, after.last_run) == (found.at + 7 * DAY, found.at, found.run_id)


async def test_of_many_workers_one_fires(accounts: Accounts, turned: Turned) -> None:
    for _ in range(3):
        await schedule(accounts)
    turned.at = MONDAY + 8 * HOUR
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(due(accounts, f"w{i}")) for i in range(6)]
    taken = [one.schedule.id for task in asked for one in task.result()]
    assert len(taken) == len(set(taken)) == 3


async def test_after_a_downtime_it_fires_once(accounts: Accounts, turned: Turned) -> None:
    await schedule(accounts, "every hour")
    turned.at = MONDAY + 5 * DAY + 10
    (found,) = await due(accounts)
    after = await accounts.schedules.fired(found, run_id="r1")
    assert after.next_at == MONDAY + 5 * DAY + HOUR
    assert await due(accounts) == []


async def test_a_worker_that_died_is_followed_by_another_with_the_same_run(accounts: Accounts, turned: Turned) -> None:
    await schedule(accounts)
    turned.at = MONDAY + 8 * HOUR
    (lost,) = await due(accounts)
    assert await due(accounts, "w2") == []
    turned.at += 30
    (again,) = await due(accounts, "w2")
    assert (again.run_id, again.at) == (lost.run_id, lost.at)
    with pytest.raises(LeaseLost):
        await accounts.schedules.fired(lost, run_id=lost.run_id)
    await accounts.schedules.fired(again, run_id=again.run_id)


async def test_a_paused_schedule_rests(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts)
    assert (await accounts.schedules.pause("acme", made.id, paused=True)).next_at is None
    turned.at = MONDAY + 9 * DAY
    assert await due(accounts) == []
    resumed = await accounts.schedules.pause("acme", made.id, paused=False)
    assert resumed.next_at == MONDAY + 14 * DAY + 7 * HOUR


async def test_what_can_not_be_asked_rests_and_says_why_until_it_goes_on(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts)
    turned.at = MONDAY + 8 * HOUR
    (lost,) = await due(accounts)
    turned.at += 30
    (found,) = await due(accounts, "w2")
    with pytest.raises(LeaseLost):
        await accounts.schedules.rest(lost, reason="too late")
    resting = await accounts.schedules.rest(found, reason="its corpus is gone")
    assert (resting.next_at, resting.reason, resting.last_at) == (None, "its corpus is gone", None)
    turned.at = MONDAY + 9 * DAY
    assert await due(accounts) == []
    assert (await accounts.schedules.pause("acme", made.id, paused=False)).reason is None


async def test_what_cannot_be_asked_now_is_tried_again_after_growing_pauses(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts, "every day 08:00")
    turned.at = start = float(made.next_at or 0)
    tried = []
    while turned.at < start + 4 * HOUR:
        for found in await due(accounts):
            tried.append(turned.at - start)
            waits = await accounts.schedules.postpone(found, reason="the tool server is away")
            assert (waits.next_at, waits.reason) == (start, "the tool server is away")
        turned.at += 60
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses == [60, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
    turned.at += HOUR
    (found,) = await due(accounts)
    fired = await accounts.schedules.fired(found, run_id=found.run_id)
    assert (fired.reason, fired.next_at, found.at) == (None, start + DAY, start)


async def test_a_pause_ends_at_the_next_time_at_the_latest(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts, "every 5 minutes")
    turned.at = (made.next_at or 0) + DAY  # after a downtime the first pause is short all the same
    (found,) = await due(accounts)
    await accounts.schedules.postpone(found, reason="away")
    turned.at += 59
    assert await due(accounts) == []
    turned.at += 1
    (found,) = await due(accounts)
    await accounts.schedules.postpone(found, reason="away")
    turned.at += 239
    assert await due(accounts) == []
    turned.at += 1
    assert len(await due(accounts)) == 1


async def test_a_postponed_schedule_that_is_paused_says_nothing_and_goes_on_in_time(
    accounts: Accounts, turned: Turned
) -> None:
    made = await schedule(accounts, "every hour")
    turned.at = made.next_at or 0
    (found,) = await due(accounts)
    await accounts.schedules.pause("acme", made.id, paused=True)
    waits = await accounts.schedules.postpone(found, reason="away")
    assert (waits.next_at, waits.reason) == (None, None)
    resumed = await accounts.schedules.pause("acme", made.id, paused=False)
    turned.at = resumed.next_at or 0
    (found,) = await due(accounts)
    turned.at += 31
    assert len(await due(accounts)) == 1  # its worker died
    with pytest.raises(LeaseLost):
        await accounts.schedules.postpone(found, reason="away")


async def test_a_schedule_paused_while_it_fires_stays_so(accounts: Accounts, turned: Turned) -> None:
    made = await schedule(accounts)
    turned.at = MONDAY + 8 * HOUR
    (found,) = await due(accounts)
    await accounts.schedules.pause("acme", made.id, paused=True)
    assert (await accounts.schedules.fired(found, run_id="r1")).next_at is None


async def test_a_disabled_tenants_schedules_rest(accounts: Accounts, turned: Turned) -> None:
    await schedule(accounts)
    await accounts.tenants.disable("acme", disabled=True)
    turned.at = MONDAY + 8 * HOUR
    assert await due(accounts) == []


async def test_others_schedules_are_unknown(accounts: Accounts) -> None:
    made = await schedule(accounts)
    for call in (
        accounts.schedules.get("other", made.id),
        accounts.schedules.delete("other", made.id),
        accounts.schedules.pause("other", made.id, paused=True),
    ):
        with pytest.raises(UnknownObject):
            await call
    assert await accounts.schedules.list("other") == []
    await accounts.schedules.delete("acme", made.id)
    assert await accounts.schedules.list("acme") == []


# ------------------------------------------------------------------------------------------ webhooks


async def hook(accounts: Accounts, *events: str) -> Webhook:
    made = await accounts.webhooks.create(
        "acme", url="https://hooks.example/x", events=events or ["run_finished"], made_by="ann"
    )
    return made.webhook


async def claim(accounts: Accounts, owner: str = "w1") -> list[Delivery]:
    return list(await accounts.deliveries.claim(owner, lease=30))


async def test_a_webhook_is_told_of_what_it_wants_once(accounts: Accounts) -> None:
    wanted = await hook(accounts)
    await hook(accounts, "run_started")
    for _ in range(2):
        assert await accounts.deliveries.enqueue("acme", event="run_finished", run_id="r1", body=b"{}") == 1
    assert await accounts.deliveries.enqueue("other", event="run_finished", run_id="r2", body=b"{}") == 0
    (found,) = await claim(accounts)
    assert (found.webhook, found.body, found.attempts) == (wanted, b"{}", 0)
    assert await claim(accounts, "w2") == []
    await accounts.deliveries.delivered(found, status=204)
    (listed,) = await accounts.deliveries.list("acme", wanted.id)
    assert (listed.state, listed.status, listed.attempts) == (DeliveryState.DELIVERED, 204, 1)
    with pytest.raises(LeaseLost):
        await accounts.deliveries.delivered(found, status=200)


async def test_a_failed_delivery_comes_again_until_it_is_given_up(accounts: Accounts, turned: Turned) -> None:
    wanted = await hook(accounts)
    await accounts.deliveries.enqueue("acme", event="run_finished", run_id="r1", body=b"{}")
    (first,) = await claim(accounts)
    await accounts.deliveries.failed(first, problem="timeout", status=None, retry_in=60)
    assert await claim(accounts) == []
    turned.at += 60
    (second,) = await claim(accounts)
    assert second.attempts == 1
    await accounts.deliveries.failed(second, problem="gone", status=410, retry_in=None)
    turned.at += DAY
    assert await claim(accounts) == []
    (listed,) = await accounts.deliveries.list("acme", wanted.id)
    assert (listed.state, listed.problem, listed.status) == (DeliveryState.FAILED, "gone", 410)


async def test_a_sender_that_died_is_followed_and_may_not_speak_again(accounts: Accounts, turned: Turned) -> None:
    await hook(accounts)
    await accounts.deliveries.enqueue("acme", event="run_finished", run_id="r1", body=b"{}")
    (lost,) = await claim(accounts)
    turned.at += 30
    (again,) = await claim(accounts, "w2")
    with pytest.raises(LeaseLost):
        await accounts.deliveries.delivered(lost, status=200)
    await accounts.deliveries.delivered(again, status=200)


async def test_of_many_senders_each_delivery_has_one(accounts: Accounts) -> None:
    await hook(accounts)
    for i in range(10):
        await accounts.deliveries.enqueue("acme", event="run_finished", run_id=f"r{i}", body=b"{}")
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(claim(accounts, f"w{i}")) for i in range(5)]
    taken = [one.id for task in asked for one in task.result()]
    assert len(taken) == len(set(taken)) == 10


async def test_webhooks_are_their_tenants(accounts: Accounts) -> None:
    wanted = await hook(accounts)
    await accounts.deliveries.enqueue("acme", event="run_finished", run_id="r1", body=b"{}")
    for call in (
        accounts.webhooks.secret("other", wanted.id),
        accounts.webhooks.delete("other", wanted.id),
        accounts.deliveries.list("other", wanted.id),
    ):
        with pytest.raises(UnknownObject):
            await call
    await accounts.webhooks.delete("acme", wanted.id)
    assert await claim(accounts) == []


async def test_a_webhooks_address_is_one(accounts: Accounts) -> None:
    for url in (
        "ftp://x.example",
        "https://",
        "https://u:p@x.example",
        "x",
        "https://x.example/\n",
        "https://[",
        "http://a b/",
    ):
        with pytest.raises(InputError):
            await accounts.webhooks.create("acme", url=url, events=["run_finished"], made_by="ann")


async def test_a_webhook_needs_a_key_for_its_secret(accounts_url: str, turned: Turned) -> None:
    async with opened(accounts_url, turned, sealer=Sealer(None)) as accounts:
        with pytest.raises(SettingsError):
            await hook(accounts)


# ------------------------------------------------------------------------------------------- corpora

DOCUMENT = CorpusDocument(name="a.pdf", blob="1" * 64, size=10, type="application/pdf", added_at=0.0)


async def names(accounts: Accounts, corpus_id: str, version: int | None = None) -> list[tuple[str, str]]:
    found = await accounts.corpora.documents("acme", corpus_id, version=version)
    return [(one.name, one.blob[:1]) for one in found]


async def test_a_corpus_keeps_its_versions(accounts: Accounts) -> None:
    made = await accounts.corpora.create("acme", name="papers")
    one = await accounts.corpora.put("acme", made.id, DOCUMENT)
    assert await accounts.corpora.put("acme", made.id, replace(DOCUMENT, added_at=5.0)) == one
    await accounts.corpora.put("acme", made.id, replace(DOCUMENT, blob="2" * 64))
    await accounts.corpora.put("acme", made.id, replace(DOCUMENT, name="b.pdf", blob="3" * 64))
    last = await accounts.corpora.remove("acme", made.id, "a.pdf")
    assert (one.version, last.version) == (1, 4)
    assert await names(accounts, made.id) == [("b.pdf", "3")]
    assert [await names(accounts, made.id, at) for at in range(5)] == [
        [],
        [("a.pdf", "1")],
        [("a.pdf", "2")],
        [("a.pdf", "2"), ("b.pdf", "3")],
        [("b.pdf", "3")],
    ]
    with pytest.raises(UnknownObject):
        await names(accounts, made.id, 5)


async def test_uploads_side_by_side_are_all_there(accounts: Accounts) -> None:
    made = await accounts.corpora.create("acme", name="papers")
    async with asyncio.TaskGroup() as tasks:
        for i in range(8):
            tasks.create_task(accounts.corpora.put("acme", made.id, replace(DOCUMENT, name=f"{i}.pdf")))
    assert len(await names(accounts, made.id)) == 8
    assert (await accounts.corpora.get("acme", made.id)).version == 8


async def test_corpora_are_their_tenants(accounts: Accounts) -> None:
    made = await accounts.corpora.create("acme", name="papers")
    with pytest.raises(AlreadyThere):
        await accounts.corpora.create("acme", name="papers")
    for call in (
        accounts.corpora.get("other", made.id),
        accounts.corpora.put("other", made.id, DOCUMENT),
        accounts.corpora.remove("other", made.id, "a.pdf"),
        accounts.corpora.documents("other", made.id),
        accounts.corpora.delete("other", made.id),
        accounts.corpora.remove("acme", made.id, "none.pdf"),
    ):
        with pytest.raises(UnknownObject):
            await call
    await accounts.corpora.delete("acme", made.id)
    assert await accounts.corpora.list("acme") == []


async def test_what_is_over_is_forgotten(accounts: Accounts, turned: Turned) -> None:
    await accounts.once.first("acme", "k", body_hash="a", object="r1")
    await hook(accounts)
    await accounts.deliveries.enqueue("acme", event="run_finished", run_id="r1", body=b"{}")
    (found,) = await claim(accounts)
    await accounts.deliveries.delivered(found, status=200)
    assert await accounts.tidy() == 0
    turned.at += 31 * DAY
    assert await accounts.tidy() == 2
