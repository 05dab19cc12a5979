"""Deadlines, retries, breakers, shared loads and owned tasks, on a clock that tests turn."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random

import pytest

from leadline.errors import (
    LeadlineError,
    ModelDenied,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)
from leadline.resilience import (
    Backoff,
    Breaker,
    BreakerState,
    Deadline,
    Owned,
    SingleFlight,
    SystemClock,
    retry,
)


class Turned:
    """A clock that moves when it is turned, or slept on."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Turned:
    return Turned()


# --- deadline


def test_a_deadline_runs_down_to_nothing(clock: Turned) -> None:
    deadline = Deadline(10, monotonic=clock)
    assert deadline.left() == 10
    clock.seconds += 4
    assert (deadline.left(), deadline.expired) == (6, False)
    clock.seconds += 7
    assert (deadline.left(), deadline.expired) == (0, True)


def test_a_cut_comes_only_nearer_and_leaves_the_first_alone(clock: Turned) -> None:
    deadline = Deadline(10, monotonic=clock)
    assert deadline.cut(3).left() == 3
    assert deadline.cut(30).left() == 10
    clock.seconds += 9
    assert deadline.cut(3).left() == 1
    assert deadline.left() == 1


def test_no_limit_is_infinite_until_it_is_cut(clock: Turned) -> None:
    deadline = Deadline(None, monotonic=clock)
    assert (deadline.left(), deadline.expired) == (math.inf, False)
    assert deadline.cut(2).left() == 2
    assert Deadline(0, monotonic=clock).expired


# --- retry


def failing(*errors: LeadlineError) -> Callable[[], asyncio.Future[str]]:
    left = list(errors)

    async def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work  # type: ignore[return-value]  # a coroutine is awaited like a future


async def tried(clock: Turned, *errors: LeadlineError, seconds: float | None = None, attempts: int = 3) -> str:
    return await retry(
        failing(*errors),
        backoff=Backoff(attempts=attempts, base=1.0, cap=4.0),
        deadline=Deadline(seconds, monotonic=clock),
        clock=clock,
        random=Random(5),
    )


async def test_what_may_pass_is_tried_again(clock: Turned) -> None:
    assert await tried(clock, ModelTimeout("a"), ModelUnavailable("b")) == "done"
    assert len(clock.sleeps) == 2
    assert 0 <= clock.sleeps[0] <= 1
    assert 0 <= clock.sleeps[1] <= 2


async def test_the_last_error_is_raised_when_attempts_are_used_up(clock: Turned) -> None:
    with pytest.raises(ModelTimeout, match="c"):
        await tried(clock, ModelTimeout("a"), ModelTimeout("b"), ModelTimeout("c"))


async def test_what_stays_is_not_tried_again(clock: Turned) -> None:
    with pytest.raises(ModelDenied):
        await tried(clock, ModelDenied("key"))
    assert clock.sleeps == []


async def test_a_servers_wish_is_waited_for(clock: Turned) -> None:
    assert await tried(clock, ModelRateLimited("busy", retry_after=30.0)) == "done"
    assert 30 <= clock.sleeps[0] <= 31


async def test_no_wait_beyond_the_deadline(clock: Turned) -> None:
    with pytest.raises(ModelRateLimited):
        await tried(clock, ModelRateLimited("busy", retry_after=30.0), seconds=20)
    assert clock.sleeps == []


def test_waits_double_to_a_cap_and_use_the_whole_range() -> None:
    backoff = Backoff(base=1.0, cap=4.0)
    random = Random(1)
    for failures, most in [(1, 1), (2, 2), (3, 4), (4, 4), (40, 4)]:
        waits = [backoff.wait(failures, random=random) for _ in range(300)]
        assert max(waits) <= most
        assert max(waits) > 0.9 * most
        assert min(waits) < 0.1 * most


# --- the breaker


def state(breaker: Breaker) -> BreakerState:
    return breaker.state  # a call, so that the type checker expects it to change


def opened(clock: Turned) -> Breaker:
    breaker = Breaker(threshold=2, cooldown=10, monotonic=clock)
    breaker.failed()
    breaker.failed()
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not(clock: Turned) -> None:
    breaker = Breaker(threshold=2, cooldown=10, monotonic=clock)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert state(breaker) is BreakerState.CLOSED
    breaker.failed()
    assert breaker.allow()
    breaker.failed()
    assert state(breaker) is BreakerState.OPEN
    assert not breaker.allow()
    assert breaker.retry_in() == 10


def test_one_trial_passes_after_the_cooldown(clock: Turned) -> None:
    breaker = opened(clock)
    clock.seconds += 10
    assert state(breaker) is BreakerState.HALF_OPEN
    assert [breaker.allow() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert state(breaker) is BreakerState.CLOSED
    assert breaker.allow()


def test_a_failed_trial_opens_it_again(clock: Turned) -> None:
    breaker = opened(clock)
    clock.seconds += 10
    assert breaker.allow()
    clock.seconds += 1
    breaker.failed()
    assert state(breaker) is BreakerState.OPEN
    assert breaker.retry_in() == 10


def test_stragglers_do_not_keep_it_open(clock: Turned) -> None:
    breaker = opened(clock)
    clock.seconds += 9
    breaker.failed()
    clock.seconds += 1
    assert breaker.allow()


def test_a_trial_given_up_or_forgotten_lets_another_through(clock: Turned) -> None:
    breaker = opened(clock)
    clock.seconds += 10
    assert breaker.allow()
    breaker.abandoned()
    assert breaker.allow()
    assert not breaker.allow()
    clock.seconds += 10
    assert breaker.allow()


# --- single flight


class Loads:
    """Loads that wait until they are let go."""

    def __init__(self) -> None:
        self.count = 0
        self.cancelled = 0
        self.gate = asyncio.Event()

    async def load(self) -> int:
        self.count += 1
        number = self.count
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_two_hundred_callers_one_load() -> None:
    loads = Loads()
    async with SingleFlight[str, int]("test") as flights:
        callers = [asyncio.ensure_future(flights.run("k", loads.load)) for _ in range(200)]
        other = asyncio.ensure_future(flights.run("other", loads.load))
        await turns()
        loads.gate.set()
        assert {await caller for caller in callers} == {1}
        assert await other == 2
        assert await flights.run("k", loads.load) == 3


async def test_a_cancelled_leader_harms_nobody() -> None:
    loads = Loads()
    async with SingleFlight[str, int]("test") as flights:
        leader, second = (asyncio.ensure_future(flights.run("k", loads.load)) for _ in range(2))
        await turns()
        leader.cancel()
        await turns()
        third = asyncio.ensure_future(flights.run("k", loads.load))
        await turns()
        loads.gate.set()
        assert (await second, await third, loads.count, loads.cancelled) == (1, 1, 1, 0)
        assert leader.cancelled()


async def test_a_load_that_nobody_wants_is_cancelled_and_the_next_is_fresh() -> None:
    loads = Loads()
    async with SingleFlight[str, int]("test") as flights:
        caller = asyncio.ensure_future(flights.run("k", loads.load))
        await turns()
        caller.cancel()
        fresh = asyncio.ensure_future(flights.run("k", loads.load))
        await turns()
        fresh_too = asyncio.ensure_future(flights.run("k", loads.load))
        await turns()
        assert (loads.count, loads.cancelled) in {(2, 1), (1, 0)}
        loads.gate.set()
        assert await fresh == await fresh_too == loads.count


async def test_an_error_goes_to_all_and_is_not_kept() -> None:
    async with SingleFlight[str, str]("test") as flights:
        work = failing(ModelTimeout("once"))
        callers = [asyncio.ensure_future(flights.run("k", work)) for _ in range(3)]  # type: ignore[arg-type]  # a coroutine function
        await asyncio.wait(callers)
        assert [type(caller.exception()) for caller in callers] == [ModelTimeout] * 3
        assert await flights.run("k", work) == "done"  # type: ignore[arg-type]  # a coroutine function


async def test_the_end_cancels_loads_under_way() -> None:
    loads = Loads()
    async with SingleFlight[str, int]("test") as flights:
        caller = asyncio.ensure_future(flights.run("k", loads.load))
        await turns()
    assert loads.cancelled == 1
    await asyncio.wait([caller])
    assert caller.cancelled()


# --- owned tasks


async def test_owned_tasks_have_names_and_an_end() -> None:
    loads = Loads()
    async with Owned("worker") as tasks:
        task = tasks.spawn(loads.load(), name="heartbeat")
        assert task.get_name() == "worker/heartbeat"
        await turns()
    assert task.cancelled()
    assert loads.cancelled == 1
    with pytest.raises(RuntimeError, match="worker"):
        tasks.start(loads.load(), name="late")


async def test_a_failed_task_is_told_at_once() -> None:
    told: list[tuple[str, BaseException]] = []
    error = ModelTimeout("x")
    async with Owned("worker", failed=lambda name, e: told.append((name, e))) as tasks:
        tasks.start(failing(error)(), name="beat")  # type: ignore[arg-type]  # a coroutine
        await turns()
        assert told == [("worker/beat", error)]


async def test_without_a_listener_the_loop_is_told() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: told.append(c["message"]))
    async with Owned("worker") as tasks:
        tasks.start(failing(ModelTimeout("x"))(), name="beat")  # type: ignore[arg-type]  # a coroutine
        await turns()
    assert told == ["background task `worker/beat` failed"]


async def test_the_system_clock_goes_forward() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.01)
    assert 0.005 < clock.now() - before < 5


def test_a_breaker_tells_each_change_once() -> None:
    now, told = 0.0, list[BreakerState]()
    breaker = Breaker(threshold=2, cooldown=10.0, monotonic=lambda: now, changed=told.append)
    breaker.succeeded()
    breaker.failed()
    assert told == []
    breaker.failed()
    breaker.failed()
    now = 11.0
    assert breaker.allow()
    breaker.failed()
    now = 22.0
    assert breaker.allow()
    breaker.succeeded()
    breaker.succeeded()
    states = BreakerState
    assert told == [states.OPEN, states.HALF_OPEN, states.OPEN, states.HALF_OPEN, states.CLOSED]
