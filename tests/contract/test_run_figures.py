"""What every run store tells of its runs as a whole, and what wakes whom; runs over each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from tests.contract.test_run_store import DONE, LEASE, claim, claimed, entry, eventually, expired, new, refused, seen
from tests.support.quick import within

from leadline.domain import Flag, Json, Question, RunState
from leadline.errors import UnknownRun, WrongState
from leadline.events import ENGINE, RunFinished, RunHandedOver, RunResumed, RunWaiting
from leadline.ports import FLAGS, QUEUE, Depth, RunStore

Opener = Callable[..., AbstractAsyncContextManager[RunStore]]
WAITS = entry(RunWaiting(reason="approval"))


def asks(text: str) -> dict[str, object]:
    return {"question": Question(text=text, language="en")}


# --- figures


async def test_depth_counts_what_has_not_ended(opener: Opener) -> None:
    async with opener() as store:
        assert await store.depth() == Depth()
        assert await store.depths() == {}
        for run_id in ("q1", "q2", "held", "waits", "done"):
            await store.create(new(run_id))
        await store.create(new("other", tenant="b"))
        await store.create(new("local"), owner="cli", lease=LEASE)
        await claimed(store, run_id="held")
        waiting = await claimed(store, run_id="waits")
        await store.append("waits", waiting.fence, [WAITS])
        ended = await claimed(store, run_id="done")
        await store.append("done", ended.fence, [entry(DONE)])
        depths = await store.depths()
        mine = depths["acme"]
        assert set(depths) == {"acme", "b"}
        assert (mine.claimable, mine.queued, mine.running, mine.waiting) == (2, 2, 2, 1)
        whole = await store.depth()
        assert (whole.claimable, whole.queued, whole.running, whole.waiting) == (3, 3, 2, 1)
        alone = await store.depth(tenant="b")
        assert (alone.claimable, alone.queued, alone.running) == (1, 1, 0)
        assert await store.depth(tenant="nobody") == Depth()


async def test_depth_counts_expired_runs_that_anybody_may_take(store: RunStore) -> None:
    await store.create(new("dead"))
    await store.create(new("local"), owner="cli", lease=0.01)
    await claimed(store, lease=0.01)
    await eventually(lambda: expired(store, "dead"))
    await eventually(lambda: expired(store, "local"))
    depth = await store.depth()
    assert (depth.claimable, depth.queued, depth.running, depth.oldest) == (1, 0, 2, None)


async def test_the_oldest_is_told_by_its_time_in_the_queue(store: RunStore) -> None:
    await store.create(new("r1"))
    begun = time.monotonic()
    first = (await store.depth()).oldest
    await asyncio.sleep(0.05)
    second = (await store.depth()).oldest
    assert first is not None
    assert second is not None
    assert 0.04 <= second - first <= time.monotonic() - begun + 0.05  # by clocks of which each has its own grain
    run = await claimed(store)
    assert (await store.depth()).oldest is None
    await store.append("r1", run.fence, [entry(RunHandedOver(owner="w1", reason="drain"))])
    third = (await store.depth()).oldest
    assert third is not None
    assert third < second


async def test_a_local_run_in_the_queue_is_nobodys_work(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="cli", lease=LEASE)
    await store.append("r1", run.fence, [entry(RunHandedOver(owner="cli", reason="drain"))])
    depth = await store.depth()
    assert (depth.queued, depth.claimable, depth.oldest) == (1, 0, None)


async def test_ended_runs_are_told_by_age_and_tenant(store: RunStore) -> None:
    for run_id, tenant in [("r1", "acme"), ("r2", "acme"), ("x", "b"), ("open", "acme")]:
        await store.create(new(run_id, tenant=tenant))
    for run_id in ("r2", "r1", "x"):
        run = await claimed(store, run_id=run_id)
        await store.append(run_id, run.fence, [entry(DONE)])
    after = time.time() + 5
    assert [run.id for run in await store.ended(before=after)] == ["r2", "r1", "x"]
    assert [run.id for run in await store.ended(before=after, tenant="acme")] == ["r2", "r1"]
    assert [run.id for run in await store.ended(before=after, limit=1)] == ["r2"]
    assert await store.ended(before=time.time() - 60) == []
    first = await store.get("r1", tenant="acme")
    assert [run.id for run in await store.ended(before=first.updated_at)] == ["r2"]


# --- listings


async def test_a_listing_goes_on_behind_its_last_row(store: RunStore) -> None:
    for index in range(7):
        await store.create(new(f"r{index}"))
    found: list[str] = []
    before = None
    while page := await store.runs(tenant="acme", before=before, limit=3):
        found += [run.id for run in page]
        before = page[-1].cursor
        await store.create(new(f"later{len(found)}"))
    assert found == [f"r{index}" for index in reversed(range(7))]
    assert await store.runs(tenant="acme", state=RunState.DONE, before=before) == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["r4", "r3", "r2", "r1"]),
        ("  lighthouse ", ["r1"]),
        ("EDDY 1698", ["r1"]),
        ("eddy 1709", []),
        ("深度", ["r2"]),
        ("straße", ["r3"]),
        ("STRASSE", ["r3"]),
        ("100%", ["r4"]),
        ("_", ["r4"]),
        ("a\\b", ["r4"]),
        ("%", ["r4"]),
    ],
)
async def test_search_finds_parts_of_words_in_any_case(store: RunStore, search: str, found: list[str]) -> None:
    for run_id, text in [
        ("r1", "When was the first Lighthouse on the Eddystone lit, 1698?"),
        ("r2", "海水有多深？测量深度"),
        ("r3", "Wie heißt die STRAẞE?"),
        ("r4", "Is 100% of a\\b_c true?"),
    ]:
        await store.create(new(run_id, **asks(text)))
    await store.create(new("x", tenant="b", **asks("lighthouse")))
    assert [run.id for run in await store.runs(tenant="acme", search=search)] == found


async def test_search_keeps_to_state_and_place(store: RunStore) -> None:
    for index in range(4):
        await store.create(new(f"r{index}", **asks(f"deep {index % 2}")))
    await claimed(store, run_id="r2")
    assert [r.id for r in await store.runs(tenant="acme", search="deep 0", state=RunState.QUEUED)] == ["r0"]
    place = (await store.get("r3", tenant="acme")).cursor
    assert [r.id for r in await store.runs(tenant="acme", search="deep", before=place, limit=2)] == ["r2", "r1"]


async def test_a_question_that_no_database_text_can_hold_is_kept(store: RunStore) -> None:
    run = await store.create(new("r1", **asks("nul \x00 here")))
    assert run.question.text == "nul \x00 here"
    assert [r.id for r in await store.runs(tenant="acme", search="here")] == ["r1"]
    for strange in ("r1\x00", "\ud800", "r\n1"):
        assert await refused(UnknownRun, store.get(strange, tenant="acme"))


# --- fairness


async def test_a_tenant_with_one_run_does_not_wait_behind_one_with_many(store: RunStore) -> None:
    for number in range(100):
        await store.create(new(f"a{number}", tenant="a"))
    for _ in range(5):
        await claimed(store)
    await store.create(new("b0", tenant="b"))
    assert (await claimed(store)).id == "b0"
    held = [(await claimed(store)).id for _ in range(2)]
    assert held == ["a5", "a6"]


async def test_claims_at_once_all_find_work_and_never_the_same(opener: Opener) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opener()) for _ in range(3)]
        for number in range(24):
            await stores[0].create(new(f"r{number}"))
        async with asyncio.TaskGroup() as group:
            claims = [group.create_task(claim(store, f"w{n}")) for n in range(8) for store in stores]
        taken = [run.id for run in (task.result() for task in claims) if run is not None]
        assert len(taken) == 24
        assert len(set(taken)) == 24
        assert await claim(stores[0]) is None


# --- replies


async def test_a_reply_queues_the_run_and_its_next_claim_carries_it_once(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store)
    assert await refused(WrongState, store.reply("r1", {"approve": True}, tenant="acme"))
    await store.append("r1", run.fence, [WAITS])
    assert (await store.get("r1", tenant="acme")).waits_for == "approval"
    assert await refused(UnknownRun, store.reply("r1", {"approve": True}, tenant="b"))
    reply: dict[str, Json] = {"plan": ["深度?", "x \x00 y"], "n": 1}
    answered = await store.reply("r1", reply, tenant="acme")
    assert (answered.state, answered.waits_for) == (RunState.QUEUED, None)
    assert await refused(WrongState, store.reply("r1", reply, tenant="acme"))
    again = await claimed(store, "w2")
    assert (await store.records("r1"))[-1].event == RunResumed(owner="w2", attempt=0, engine=ENGINE, reply=reply)
    await store.append("r1", again.fence, [entry(RunHandedOver(owner="w2", reason="drain"))])
    await claimed(store, "w3")
    assert (await store.records("r1"))[-1].event == RunResumed(owner="w3", attempt=0, engine=ENGINE)


# --- what wakes whom


async def test_a_topic_wakes_who_waits_for_it(opener: Opener) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(opener()) for _ in range(2)]
        await other.create(new("r1"))
        run = await claimed(other)
        await asyncio.sleep(0.3)  # what happened before is heard of

        async def woken(topic: str, act: Callable[[], object]) -> None:
            counter = await one.changed(-1, timeout=10)
            wait = asyncio.create_task(one.changed(counter, timeout=10, of=topic))
            await asyncio.sleep(0.15)
            with within(1):
                await act()  # type: ignore[misc]  # any awaitable
                assert await wait != counter

        await woken(QUEUE, lambda: other.create(new("r2")))
        await woken(FLAGS, lambda: other.flag("r1", Flag.FINISH, tenant="acme"))
        await woken("r1", lambda: other.append("r1", run.fence, [seen(1)]))
        await woken(QUEUE, lambda: other.append("r1", run.fence, [entry(RunHandedOver(owner="w1", reason="x"))]))
        await woken("r1", lambda: claim(other, run_id="r1"))


async def test_cancelling_a_run_that_its_owner_lets_go_ends_it_in_one_append(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store)
    await store.flag("r1", Flag.CANCEL, tenant="acme")
    await store.append("r1", run.fence, [seen(1), WAITS])
    row = await store.get("r1", tenant="acme")
    assert (row.state, row.waits_for) == (RunState.CANCELLED, None)
    assert isinstance((await store.records("r1"))[-1].event, RunFinished)


async def test_a_claim_that_finds_nothing_is_no_news(store: RunStore) -> None:
    """Idle slots claim when the store changes: what they find nothing by must not wake them again."""
    seen = await store.changed(-1, timeout=0.0, of=QUEUE)
    seen = await store.changed(seen, timeout=0.5, of=QUEUE)  # to have connected may be news by itself
    assert await store.claim("nobody", lease=2.0, engines=(ENGINE,)) is None
    assert await store.changed(seen, timeout=0.3, of=QUEUE) == seen
