from __future__ import annotations

import asyncio

import pytest

from leadline.errors import FetchRateLimited, LimitReached
from leadline.fetch.hosts import Hosts
from leadline.limits.memory import MemoryLedger
from leadline.limits.turns import HostTurns, ServiceTurns
from leadline.limits.types import Limit
from leadline.limits.waiting import GcraLimiter
from leadline.testing import FakeClock


class Process:
    """A process's limiter over a ledger that others share, on a clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.clock = FakeClock(auto=True)
        self.ledger = MemoryLedger(monotonic=self.clock.monotonic)

    def limiter(self) -> GcraLimiter:
        return GcraLimiter(self.ledger, clock=self.clock, monotonic=self.clock.monotonic)

    def hosts(self, *, delay: float) -> Hosts:
        return Hosts(clock=self.clock, delay=delay, pace=HostTurns(self.limiter()), monotonic=self.clock.monotonic)


@pytest.fixture
def process() -> Process:
    return Process()


async def visit(hosts: Hosts, process: Process, host: str, *, patience: float = 60.0, paced: bool = True) -> float:
    async with hosts.turn(host, patience=patience, paced=paced):
        return process.clock.monotonic()


async def test_the_pause_at_a_host_holds_over_processes(process: Process) -> None:
    one, two = process.hosts(delay=2.0), process.hosts(delay=2.0)
    begun = process.clock.monotonic()
    times = [await visit(hosts, process, "a.example") - begun for hosts in (one, two, one, two)]
    assert times == pytest.approx([0, 2, 4, 6])
    assert await visit(two, process, "b.example") - begun == pytest.approx(6)
    assert await visit(one, process, "a.example", paced=False) - begun == pytest.approx(6)


async def test_a_host_that_asks_to_wait_is_left_alone_by_all(process: Process) -> None:
    one, two = process.hosts(delay=1.0), process.hosts(delay=1.0)
    await one.hold("a.example", 30.0)
    with pytest.raises(FetchRateLimited) as refused:
        await visit(two, process, "a.example", patience=5.0)
    assert refused.value.retry_after == pytest.approx(30.0)
    assert isinstance(refused.value.__cause__, LimitReached)
    begun = process.clock.monotonic()
    await visit(two, process, "a.example", patience=60.0)
    assert process.clock.monotonic() - begun >= 30.0


async def test_robots_txt_slows_a_host_down_further(process: Process) -> None:
    hosts = process.hosts(delay=0.5)
    hosts.slow_down("a.example", 4.0)
    begun = process.clock.monotonic()
    times = [await visit(hosts, process, "a.example") - begun for _ in range(3)]
    assert times == pytest.approx([0, 4, 8])


async def test_a_tenant_has_its_share_and_its_queue_holds_up_nobody(process: Process) -> None:
    limiter = process.limiter()
    share = Limit(key="tenant:greedy:serper", rate=0.1)
    greedy = ServiceTurns(limiter, "serper", rate=10.0, more=(share,))
    other = ServiceTurns(limiter, "serper", rate=10.0)
    await greedy.turn("k", deadline=60)
    with pytest.raises(LimitReached, match="tenant:greedy"):
        await greedy.turn("k", deadline=5)
    await other.turn("k", deadline=5)


async def test_a_key_that_was_limited_holds_no_other_key(process: Process) -> None:
    turns = ServiceTurns(process.limiter(), "serper", rate=10.0)
    await turns.limited("k1", retry_after=30.0)
    with pytest.raises(LimitReached):
        await turns.turn("k1", deadline=5)
    await turns.turn("k2", deadline=5)


async def test_who_goes_away_gives_its_turn_back() -> None:
    limiter = GcraLimiter(MemoryLedger())
    turns = ServiceTurns(limiter, "serper", rate=0.5)
    await turns.turn("k", deadline=60)
    waiting = asyncio.create_task(turns.turn("k", deadline=60))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(LimitReached) as refused:
        await turns.turn("k", deadline=0.01)
    assert refused.value.retry_after <= 2.0  # not the four seconds behind who went away
