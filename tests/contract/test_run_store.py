"""What every run store promises; runs over each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import cast

from tests.support.quick import within

from leadline.domain import (
    Budget,
    Failure,
    Flag,
    Json,
    ModelAnswer,
    Options,
    Price,
    Question,
    RunState,
    StopReason,
    Usage,
)
from leadline.errors import LeaseLost, UnknownRun, WrongState
from leadline.events import (
    ENGINE,
    Entry,
    Event,
    FlagSeen,
    ModelAnswered,
    RunFinished,
    RunHandedOver,
    RunResumed,
    RunStarted,
    RunWaiting,
    ToolAnswered,
)
from leadline.ports import NewRun, Run, RunStore

ENGINES = [ENGINE]
LEASE = 30.0
SHORT = 0.15

Opener = Callable[..., AbstractAsyncContextManager[RunStore]]


def new(run_id: str, **changes: object) -> NewRun:
    values: dict[str, object] = {
        "id": run_id,
        "tenant": "acme",
        "question": Question(text="Wie tief? 有多深？", language="en"),
        "options": Options(),
        "seed": 2**63 + 11,
    }
    return NewRun(**(values | changes))  # type: ignore[arg-type]  # values by name, checked by the class


def entry(event: Event, *, at: float = 1.0, branch: str = "") -> Entry:
    return Entry(at=at, branch=branch, event=event)


def seen(number: int) -> Entry:
    return entry(FlagSeen(round=number, flag=Flag.FINISH))


DONE = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED)


async def claim(store: RunStore, owner: str = "w1", **changes: object) -> Run | None:
    values: dict[str, object] = {"lease": LEASE, "engines": ENGINES}
    return await store.claim(owner, **(values | changes))  # type: ignore[arg-type]  # as above


async def claimed(store: RunStore, owner: str = "w1", **changes: object) -> Run:
    run = await claim(store, owner, **changes)
    assert run is not None
    return run


async def eventually(attempt: Callable[[], object], *, within: float = 50.0) -> object:
    """Return the first true result of `attempt()`, awaited; what must pass is a lease."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        result = await attempt()  # type: ignore[misc]  # a coroutine function's result
        if result:
            return result
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


# --- rows


async def test_a_created_run_is_read_back_whole(store: RunStore) -> None:
    options = Options(
        budget=Budget(usd=1.5, steps=None),
        urls=("https://example.org/",),
        price=Price(prompt=0.1, completion=0.3),
    )
    wanted = new("r1", options=options, priority=7, software="leadline/1")
    made = await store.create(wanted)
    assert made == await store.get("r1", tenant="acme")
    assert (made.question, made.options, made.seed) == (
        wanted.question,
        options,
        wanted.seed,
    )
    assert (made.state, made.priority, made.fence) == (RunState.QUEUED, 7, 0)
    assert (made.owner, made.lease_until, made.last_seq) == (None, None, 0)
    assert abs(made.created_at - time.time()) < 5
    assert await store.records("r1") == []


async def test_a_used_id_is_refused_and_harms_nobody(store: RunStore) -> None:
    await store.create(new("r1"))
    async with asyncio.TaskGroup() as group:
        again = group.create_task(refused(WrongState, store.create(new("r1"))))
        other = group.create_task(store.create(new("r2")))
    assert again.result()
    assert other.result().id == "r2"


async def refused(kind: type[Exception], call: object) -> bool:
    try:
        await call  # type: ignore[misc]  # any awaitable
    except kind:
        return True
    return False


async def test_another_tenants_run_is_unknown(store: RunStore) -> None:
    await store.create(new("r1"))
    for call in (
        store.get("r1", tenant="other"),
        store.flag("r1", Flag.CANCEL, tenant="other"),
        store.delete("r1", tenant="other"),
        store.get("nothing", tenant="acme"),
    ):
        assert await refused(UnknownRun, call)


async def test_runs_lists_newest_first_by_tenant_state_and_time(store: RunStore) -> None:
    for index in range(5):
        await store.create(new(f"r{index}"))
    await store.create(new("x", tenant="other"))
    await claimed(store, run_id="r2")
    listed = await store.runs(tenant="acme")
    assert [run.id for run in listed] == ["r4", "r3", "r2", "r1", "r0"]
    assert [run.id for run in await store.runs(tenant="acme", limit=2)] == ["r4", "r3"]
    assert {run.tenant for run in await store.runs(tenant=None)} == {"acme", "other"}
    assert (await store.get("x", tenant=None)).tenant == "other"
    assert [run.id for run in await store.runs(tenant="acme", state=RunState.RUNNING)] == ["r2"]
    before = await store.runs(tenant="acme", before=listed[1].cursor)
    assert [run.id for run in before] == ["r2", "r1", "r0"]


async def test_delete_forgets_only_ended_runs(store: RunStore) -> None:
    await store.create(new("r1"))
    assert await refused(WrongState, store.delete("r1", tenant="acme"))
    run = await claimed(store)
    await store.append("r1", run.fence, [entry(DONE)])
    await store.delete("r1", tenant="acme")
    assert await refused(UnknownRun, store.get("r1", tenant="acme"))
    assert await store.records("r1") == []
    again = await store.create(new("r1"))
    assert again.last_seq == 0


# --- the journal


async def test_records_come_back_equal_in_order_and_in_pages(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store)
    events: list[Event] = [
        ModelAnswered(
            call="main/1/model/0",
            answer=ModelAnswer(text="深" * 9000 + "\x00 end", finish="stop", opaque={"a": [1, None]}),
            usage=Usage(prompt_tokens=3, cost_usd=0.1 + 0.2, tool_calls={"search": 2}),
        ),
        ToolAnswered(
            call="main/1/search/0",
            tool="search",
            value={"hits": [{"score": 1e-9, "n": 2**60}]},
            failure=Failure(code="x", message="y"),
        ),
        FlagSeen(round=1, flag=Flag.FINISH),
    ]
    times = [1795423768.0230312, 0.1 + 0.2, 3.0]
    entries = [entry(e, at=at, branch="b/1") for e, at in zip(events, times, strict=True)]
    assert await store.append("r1", run.fence, entries[:2]) == 3
    assert await store.append("r1", run.fence, entries[2:]) == 4
    records = await store.records("r1")
    assert [record.seq for record in records] == [1, 2, 3, 4]
    assert records[0].event == RunStarted(
        question=run.question, options=run.options, seed=run.seed, engine=ENGINE, software=""
    )
    assert [record.event for record in records[1:]] == events
    assert [record.at for record in records[1:]] == times
    assert {record.branch for record in records[1:]} == {"b/1"}
    assert [r.seq for r in await store.records("r1", after=1, limit=2)] == [2, 3]
    assert (await store.get("r1", tenant="acme")).last_seq == 4


async def test_lone_surrogates_of_a_model_do_not_break_the_journal(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="w1")
    event = ModelAnswered(call="c", answer=ModelAnswer(text="a\ud800b", finish="stop"))
    assert await store.append("r1", run.fence, [entry(event)]) == 2
    stored = (await store.records("r1", after=1))[0].event
    assert isinstance(stored, ModelAnswered)
    assert stored.answer is not None
    assert stored.answer.text == "a?b"


async def test_what_json_cannot_hold_is_refused_alone(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="w1")
    bad = ToolAnswered(call="c", tool="t", value=cast("str", object()))
    assert await refused(TypeError, store.append("r1", run.fence, [seen(1), entry(bad)]))
    assert await store.append("r1", run.fence, [seen(1)]) == 2


async def test_the_store_alone_begins_and_nothing_follows_an_end(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="w1")
    resumed = RunResumed(owner="w1", attempt=0, engine=ENGINE)
    assert await refused(ValueError, store.append("r1", run.fence, [entry(resumed)]))
    assert await refused(ValueError, store.append("r1", run.fence, [entry(DONE), seen(1)]))
    await store.append("r1", run.fence, [seen(1), entry(DONE)])
    assert await refused(LeaseLost, store.append("r1", run.fence, [seen(2)]))
    assert [r.event.type for r in await store.records("r1")] == [
        "run_started",
        "flag_seen",
        "run_finished",
    ]


async def test_an_end_is_seen_in_the_row(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="w1")
    usage = Usage(model_calls=2, cost_usd=0.25, tool_calls={"visit": 1})
    failure = Failure(code="model_denied", message="wrong key")
    end = RunFinished(
        state=RunState.FAILED,
        stop_reason=StopReason.ERROR,
        report="f" * 64,
        usage=usage,
        failure=failure,
    )
    await store.append("r1", run.fence, [entry(end)])
    row = await store.get("r1", tenant="acme")
    assert (row.state, row.stop_reason) == (RunState.FAILED, StopReason.ERROR)
    assert (row.report, row.usage, row.failure) == ("f" * 64, usage, failure)
    assert (row.owner, row.lease_until) == (None, None)


async def test_appends_of_many_runs_at_once_are_numbered_without_gaps(store: RunStore) -> None:
    fences = {f"r{n}": (await store.create(new(f"r{n}"), owner="w1")).fence for n in range(20)}
    async with asyncio.TaskGroup() as group:
        for run_id, fence in fences.items():
            for number in range(10):
                group.create_task(store.append(run_id, fence, [seen(number), seen(number + 1)]))
    for run_id in fences:
        records = await store.records(run_id)
        assert [record.seq for record in records] == list(range(1, 22))
        rounds = [r.event.round for r in records if isinstance(r.event, FlagSeen)]
        assert rounds == [number + more for number in range(10) for more in (0, 1)]


async def test_a_refused_append_takes_no_other_with_it(store: RunStore) -> None:
    good = await store.create(new("good"), owner="w1")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(store.append("good", good.fence, [seen(1)]))
        wrong = group.create_task(refused(LeaseLost, store.append("good", good.fence + 1, [seen(2)])))
        unknown = group.create_task(refused(LeaseLost, store.append("no", 1, [seen(2)])))
        last = group.create_task(store.append("good", good.fence, [seen(3)]))
    assert (first.result(), wrong.result(), unknown.result(), last.result()) == (2, True, True, 3)


# --- claims


async def test_a_first_claim_starts_and_a_second_finds_nothing(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store, "w1")
    assert (run.state, run.owner, run.fence, run.attempts) == (RunState.RUNNING, "w1", 1, 0)
    assert run.lease_until is not None
    assert abs(run.lease_until - time.time() - LEASE) < 5
    assert run.last_seq == 1
    assert await claim(store, "w2") is None
    assert await claim(store, "w2", run_id="r1") is None


async def test_the_best_is_by_priority_then_by_share_then_by_age(store: RunStore) -> None:
    for run_id, tenant, priority in [
        ("a1", "a", 0),
        ("a2", "a", 0),
        ("a3", "a", 0),
        ("b1", "b", 0),
        ("b2", "b", 0),
        ("high", "a", 5),
    ]:
        await store.create(new(run_id, tenant=tenant, priority=priority))
    order = [(await claimed(store)).id for _ in range(6)]
    # `high` counts as one of a's, so b comes next; then they take turns, the older first.
    assert order == ["high", "b1", "a1", "b2", "a2", "a3"]


async def test_only_engines_that_the_caller_understands(store: RunStore) -> None:
    await store.create(new("r1"))
    assert await claim(store, engines=["0", "2"]) is None
    assert await claim(store, engines=[]) is None
    assert await claim(store, engines=["0"], run_id="r1") is None
    assert (await claimed(store, engines=["0", ENGINE])).id == "r1"


async def test_a_local_run_is_born_claimed_and_never_adopted(opener: Opener) -> None:
    async with opener() as store:
        run = await store.create(new("r1"), owner="cli", lease=SHORT)
        assert (run.state, run.owner, run.fence, run.last_seq) == (RunState.RUNNING, "cli", 1, 1)
        await eventually(lambda: expired(store, "r1"))
        await asyncio.sleep(SHORT)
        assert await claim(store, "w1", lease=SHORT) is None
        taken = await claimed(store, "w1", run_id="r1")
        assert (taken.attempts, taken.fence) == (1, 2)
        over = entry(RunHandedOver(owner="w1", reason="drain"))
        await store.append("r1", taken.fence, [over])
        assert await claim(store, "w2") is None
        assert (await claimed(store, "w2", run_id="r1")).attempts == 1


async def expired(store: RunStore, run_id: str) -> bool:
    run = await store.get(run_id, tenant="acme")
    return run.lease_until is not None and run.lease_until < time.time()


async def test_an_expired_run_goes_to_another_and_the_zombie_is_refused(store: RunStore) -> None:
    await store.create(new("r1"))
    old = await claimed(store, "w1", lease=SHORT)
    await store.append("r1", old.fence, [seen(1)])
    taken = await eventually(lambda: claim(store, "w2", lease=SHORT))
    assert isinstance(taken, Run)
    assert (taken.owner, taken.fence, taken.attempts) == ("w2", old.fence + 1, 1)
    assert await refused(LeaseLost, store.append("r1", old.fence, [seen(2)]))
    assert await refused(LeaseLost, store.append("r1", old.fence, [entry(DONE)]))
    await store.append("r1", taken.fence, [seen(3), entry(DONE)])
    events = [record.event for record in await store.records("r1")]
    assert events[2] == RunResumed(owner="w2", attempt=1, engine=ENGINE)
    assert [e.type for e in events].count("run_finished") == 1


async def test_an_owner_may_renew_an_expired_lease_whose_fence_stands(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store, "w1", lease=0.01)
    await eventually(lambda: expired(store, "r1"))
    (beat,) = await store.beat("w1", lease=LEASE)
    assert (beat.run_id, beat.fence, beat.flag) == ("r1", run.fence, None)
    assert beat.lease_until > time.time() + LEASE / 2
    assert await claim(store, "w2") is None
    assert await store.append("r1", run.fence, [seen(1)]) == 2


async def test_a_beat_tells_of_flags_and_is_silent_about_lost_runs(store: RunStore) -> None:
    for run_id in ("kept", "lost", "ended"):
        await store.create(new(run_id))
    await claimed(store, "w1", run_id="kept")
    await claimed(store, "w1", run_id="lost", lease=0.01)
    ended = await claimed(store, "w1", run_id="ended")
    await store.append("ended", ended.fence, [entry(DONE)])
    await eventually(lambda: claim(store, "w2", run_id="lost"))
    await store.flag("kept", Flag.FINISH, tenant="acme")
    (beat,) = await store.beat("w1", lease=LEASE)
    assert (beat.run_id, beat.flag) == ("kept", Flag.FINISH)
    assert await store.beat("nobody", lease=LEASE) == []


async def test_a_handed_over_run_goes_on_at_once_and_counts_no_attempt(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store, "w1")
    await store.append("r1", run.fence, [entry(RunHandedOver(owner="w1", reason="drain"))])
    assert (await store.get("r1", tenant="acme")).state is RunState.QUEUED
    assert await refused(LeaseLost, store.append("r1", run.fence, [seen(1)]))
    again = await claimed(store, "w2")
    assert (again.attempts, again.fence) == (0, run.fence + 1)
    types = [record.event.type for record in await store.records("r1")]
    assert types == ["run_started", "run_handed_over", "run_resumed"]


# --- a person's reply


async def waiting(store: RunStore, run_id: str = "r1", *, owner: str | None = None) -> Run:
    """Return a run that waits for a person."""
    if owner is None:
        await store.create(new(run_id))
        run = await claimed(store, "w1")
    else:
        run = await store.create(new(run_id), owner=owner)
    await store.append(run_id, run.fence, [entry(RunWaiting(reason="approve the plan", asks={"for": "plan"}))])
    return await store.get(run_id, tenant="acme")


async def test_a_waiting_run_says_for_what_and_is_held_by_nobody(store: RunStore) -> None:
    run = await waiting(store)
    assert (run.state, run.waits_for, run.owner, run.lease_until) == (RunState.WAITING, "approve the plan", None, None)
    assert await claim(store, "w2") is None


async def test_a_reply_queues_the_run_and_comes_with_its_next_claim_alone(store: RunStore) -> None:
    await waiting(store)
    reply: dict[str, Json] = {"plan": ["有多深？", "how deep"], "approve": True, "n": [1, {"a": None}]}
    answered = await store.reply("r1", reply, tenant="acme")
    assert (answered.state, answered.waits_for) == (RunState.QUEUED, None)
    assert len(await store.records("r1")) == 2  # it is written with the claim, not before
    run = await claimed(store, "w2")
    await store.append("r1", run.fence, [entry(RunHandedOver(owner="w2", reason="drain"))])
    await claimed(store, "w3")
    replies = [r.event.reply for r in await store.records("r1") if isinstance(r.event, RunResumed)]
    assert replies == [reply, None]


async def test_a_locally_owned_run_is_answered_but_not_adopted(store: RunStore) -> None:
    await waiting(store, owner="mine")
    await store.reply("r1", {"approve": True}, tenant="acme")
    assert await claim(store, "stranger") is None
    run = await claimed(store, "mine", run_id="r1")
    assert (run.state, run.waits_for, run.attempts) == (RunState.RUNNING, None, 0)


async def test_only_a_waiting_run_of_ones_own_takes_a_reply(store: RunStore) -> None:
    await waiting(store)
    assert await refused(UnknownRun, store.reply("r1", {}, tenant="other"))
    assert await refused(UnknownRun, store.reply("r2", {}, tenant="acme"))
    await store.reply("r1", {"approve": True}, tenant="acme")
    assert await refused(WrongState, store.reply("r1", {"approve": True}, tenant="acme"))


async def test_a_waiting_run_that_is_cancelled_ends_at_once(store: RunStore) -> None:
    await waiting(store)
    ended = await store.flag("r1", Flag.CANCEL, tenant="acme")
    assert (ended.state, ended.waits_for) == (RunState.CANCELLED, None)
    assert await refused(WrongState, store.reply("r1", {"approve": True}, tenant="acme"))


async def test_a_waiting_run_is_taken_up_by_name_only(store: RunStore) -> None:
    await store.create(new("r1"))
    run = await claimed(store, "w1")
    await store.append("r1", run.fence, [entry(RunWaiting(reason="approval"))])
    assert (await store.get("r1", tenant="acme")).state is RunState.WAITING
    assert await claim(store, "w2") is None
    again = await claimed(store, "w2", run_id="r1")
    assert (again.state, again.attempts) == (RunState.RUNNING, 0)


async def test_the_store_ends_a_run_whose_workers_died_too_often(opener: Opener) -> None:
    async with opener(attempts=2) as store:
        await store.create(new("r1"))
        await claimed(store, "w1", lease=0.02)
        second = await eventually(lambda: claim(store, "w2", lease=0.02))
        assert isinstance(second, Run)
        assert second.attempts == 1

        async def ended() -> bool:
            assert await claim(store, "w3", lease=0.02) is None
            return (await store.get("r1", tenant="acme")).state.ended

        await eventually(ended)
        row = await store.get("r1", tenant="acme")
        assert (row.state, row.stop_reason, row.attempts) == (
            RunState.FAILED,
            StopReason.ATTEMPTS,
            2,
        )
        assert row.failure is not None
        assert row.failure.code == "attempts"
        assert row.fence > second.fence
        assert await refused(LeaseLost, store.append("r1", second.fence, [entry(DONE)]))
        last = (await store.records("r1"))[-1].event
        assert isinstance(last, RunFinished)


async def test_who_has_just_connected_leaves_expired_runs_to_their_owners(opener: Opener) -> None:
    async with opener() as first:
        await first.create(new("r1"))
        await claimed(first, "w1", lease=0.01)
        await eventually(lambda: expired(first, "r1"))
        async with opener() as second:
            assert await claim(second, "w2", lease=LEASE) is None
            (beat,) = await first.beat("w1", lease=0.01)
            assert beat.run_id == "r1"
            assert await eventually(lambda: claim(second, "w2", lease=SHORT))


async def test_a_cancelled_claim_leaves_no_run_behind(store: RunStore) -> None:
    await store.create(new("r1"))
    for _ in range(20):
        task = asyncio.ensure_future(claim(store, "w1"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        run = await eventually(lambda: claim(store, "w2"))
        assert isinstance(run, Run)
        over = entry(RunHandedOver(owner="w2", reason="drain"))
        await store.append("r1", run.fence, [over])
    assert await store.beat("w1", lease=LEASE) == []


# --- flags


async def test_cancel_ends_what_nobody_holds(store: RunStore) -> None:
    await store.create(new("queued"))
    await store.create(new("waiting"))
    await store.create(new("dead"))
    waiting = await claimed(store, run_id="waiting")
    await store.append("waiting", waiting.fence, [entry(RunWaiting(reason="x"))])
    await claimed(store, run_id="dead", lease=0.01)
    await eventually(lambda: expired(store, "dead"))
    for run_id in ("queued", "waiting", "dead"):
        before = await store.get(run_id, tenant="acme")
        row = await store.flag(run_id, Flag.CANCEL, tenant="acme")
        assert (row.state, row.stop_reason) == (RunState.CANCELLED, StopReason.CANCELLED)
        assert row.fence == before.fence + 1
        end = RunFinished(state=RunState.CANCELLED, stop_reason=StopReason.CANCELLED)
        assert (await store.records(run_id))[-1].event == end
        assert await refused(WrongState, store.flag(run_id, Flag.FINISH, tenant="acme"))
    assert await claim(store) is None


async def test_a_held_run_is_flagged_and_cancel_stands_over_finish(store: RunStore) -> None:
    run = await store.create(new("r1"), owner="w1")
    assert (await store.flag("r1", Flag.FINISH, tenant="acme")).flag is Flag.FINISH
    assert (await store.flag("r1", Flag.CANCEL, tenant="acme")).state is RunState.RUNNING
    assert (await store.flag("r1", Flag.FINISH, tenant="acme")).flag is Flag.CANCEL
    assert await store.append("r1", run.fence, [seen(1)]) == 2
    over = entry(RunHandedOver(owner="w1", reason="drain"))
    await store.append("r1", run.fence, [over])
    assert (await store.get("r1", tenant="acme")).state is RunState.CANCELLED


async def test_a_queued_run_keeps_the_wish_to_finish(store: RunStore) -> None:
    await store.create(new("r1"))
    assert (await store.flag("r1", Flag.FINISH, tenant="acme")).state is RunState.QUEUED
    assert (await claimed(store)).flag is Flag.FINISH


# --- changes


async def test_changed_returns_at_once_for_a_fresh_caller_and_times_out(store: RunStore) -> None:
    counter = await store.changed(-1, timeout=10)
    counter = await store.changed(counter, timeout=0.3)
    assert await store.changed(counter, timeout=0.05) == counter


async def test_changed_is_woken_by_ones_own_writes(store: RunStore) -> None:
    counter = await store.changed(-1, timeout=10)
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(store.changed(counter, timeout=10)) for _ in range(3)]
        await asyncio.sleep(0)
        await store.create(new("r1"))
    assert all(wait.result() != counter for wait in waits)


async def test_changed_sees_what_other_connections_write(opener: Opener) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(opener())
        other = await stack.enter_async_context(opener())
        counter = await one.changed(-1, timeout=10)
        await one.changed(counter, timeout=0.25)  # has looked once
        for number in range(3):
            counter = await one.changed(-1, timeout=10)
            with within(2):
                await other.create(new(f"r{number}"))  # nobody waits at this moment
                assert await one.changed(counter, timeout=10) != counter
        row = await other.flag("r0", Flag.CANCEL, tenant="acme")
        assert row == await one.get("r0", tenant="acme")
