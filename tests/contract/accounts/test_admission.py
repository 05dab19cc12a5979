"""What is let in: budgets and runs side by side are exact, over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.support.accounts import Turned

from leadline.domain import RunState, Usage
from leadline.limits.inbound import LOST_AFTER, RUN_RETRY, Inbound, Rates
from leadline.limits.memory import MemoryLedger
from leadline.limits.waiting import GcraLimiter
from leadline.ports.admission import Admitted, Answer, Bounds, Fullest, InboundLimit, Refused, Standing, Wanted, Wish
from leadline.wiring.accounts import Accounts

DAY = 86_400.0
TODAY = "2026-11-23"


@dataclass
class Runs:
    """`Standings` of runs that a test makes up."""

    known: dict[str, Standing] = field(default_factory=dict)

    def set(self, run_id: str, state: RunState, *, tokens: int = 0, usd: float = 0.0) -> None:
        self.known[run_id] = Standing(state=state, usage=Usage(prompt_tokens=tokens, cost_usd=usd))

    async def standing(self, run_id: str, *, tenant: str) -> Standing | None:
        return self.known.get(run_id)


Maker = Callable[..., Inbound]


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def inbound(accounts: Accounts, turned: Turned, runs: Runs) -> Maker:
    def make(*, rates: Rates | None = None, **bounds: float) -> Inbound:
        return Inbound(
            limiter=GcraLimiter(MemoryLedger(monotonic=turned.now), monotonic=turned.now),
            holds=accounts.holds,
            standings=runs,
            rates=rates or Rates(),
            bounds=Bounds(**bounds),  # type: ignore[arg-type]  # values by name
            question_characters=100,
            now=turned.now,
        )

    return make


def run(
    run_id: str, *, key: str = "k1", tenant: str = "acme", tokens: int | None = 10, usd: float | None = None
) -> Wish:
    return Wish(tenant=tenant, key=key, wanted=Wanted.RUN, id=run_id, tokens=tokens, usd=usd)


def refused(answer: Answer) -> tuple[InboundLimit, int]:
    assert isinstance(answer, Refused), answer
    return answer.limit, answer.status


async def test_a_key_and_all_together_have_rates(inbound: Maker, turned: Turned) -> None:
    gate = inbound(rates=Rates(key=1.0, key_burst=2, all=1.0, all_burst=3))
    request = Wish(tenant="acme", key="k1")
    assert [await gate.admit(request) for _ in range(2)] == [Admitted(), Admitted()]
    answer = await gate.admit(request)
    assert refused(answer) == (InboundLimit.KEY_RATE, 429)
    assert isinstance(answer, Refused)
    assert answer.retry_after == pytest.approx(1.0)
    other = Wish(tenant="acme", key="k2")
    assert await gate.admit(other) == Admitted()
    assert refused(await gate.admit(other)) == (InboundLimit.RATE, 503)
    turned.at += 2.0
    assert await gate.admit(request) == Admitted()


async def test_a_question_has_a_size(inbound: Maker) -> None:
    answer = await inbound().admit(Wish(tenant="acme", key="k1", wanted=Wanted.RUN, id="r1", characters=101))
    assert refused(answer) == (InboundLimit.QUESTION_SIZE, 413)
    assert isinstance(answer, Refused)
    assert answer.retry_after is None


async def test_runs_of_a_key_are_bounded_until_one_ends(inbound: Maker, runs: Runs) -> None:
    gate = inbound(key_runs=2)
    for run_id in ("r1", "r2"):
        runs.set(run_id, RunState.RUNNING)
        assert isinstance(await gate.admit(run(run_id)), Admitted)
    answer = await gate.admit(run("r3"))
    assert refused(answer) == (InboundLimit.KEY_RUNS, 429)
    assert isinstance(answer, Refused)
    assert answer.retry_after == RUN_RETRY
    assert isinstance(await gate.admit(run("r4", key="k2")), Admitted)
    runs.set("r1", RunState.DONE)  # nobody has told the gate: it looks before it refuses
    assert isinstance(await gate.admit(run("r3")), Admitted)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"key_waiting": 2}, (InboundLimit.KEY_WAITING, 429)),
        ({"waiting": 2}, (InboundLimit.WAITING, 503)),
    ],
)
async def test_waiting_runs_are_bounded_until_one_starts(
    inbound: Maker, runs: Runs, bounds: dict[str, int], expected: tuple[InboundLimit, int]
) -> None:
    gate = inbound(**bounds)
    for run_id in ("r1", "r2"):
        runs.set(run_id, RunState.QUEUED)
        await gate.admit(run(run_id))
    assert refused(await gate.admit(run("r3"))) == expected
    runs.set("r2", RunState.RUNNING)
    assert isinstance(await gate.admit(run("r3")), Admitted)
    runs.set("r2", RunState.QUEUED)  # handed over: it waits again
    runs.set("r3", RunState.QUEUED)
    await gate.reconcile()
    assert refused(await gate.admit(run("r4"))) == expected


async def test_all_runs_together_are_bounded(inbound: Maker, runs: Runs) -> None:
    gate = inbound(runs=2)
    for i, tenant in enumerate(("acme", "other")):
        runs.set(f"r{i}", RunState.RUNNING)
        await gate.admit(run(f"r{i}", key=f"k{i}", tenant=tenant))
    assert refused(await gate.admit(run("r9", key="k9"))) == (InboundLimit.RUNS, 503)


async def test_a_budget_is_set_aside_then_settled(inbound: Maker, accounts: Accounts, turned: Turned) -> None:
    gate = inbound(tokens_per_day=100)
    assert await gate.admit(run("r1", tokens=60)) == Admitted(tokens=60)
    answer = await gate.admit(run("r2", tokens=60))
    assert refused(answer) == (InboundLimit.TENANT_TOKENS, 429)
    assert isinstance(answer, Refused)
    assert answer.retry_after == DAY
    assert isinstance(await gate.admit(run("r2", tokens=60, tenant="other")), Admitted)
    await gate.settle("r1", tokens=30, usd=0.0)
    await gate.settle("r1", tokens=99, usd=0.0)  # the first word counts
    assert await gate.admit(run("r3", tokens=None)) == Admitted(tokens=70)
    (day,) = await accounts.holds.usage("acme", since=TODAY, until=TODAY)
    assert (day.runs, day.tokens, day.held_tokens) == (2, 30, 70)
    turned.at += DAY
    assert await gate.admit(run("r4", tokens=100)) == Admitted(tokens=100)


async def test_a_run_that_names_no_budget_leaves_room_for_others(inbound: Maker, accounts: Accounts) -> None:
    gate = inbound(tokens_per_day=1_000, usd_per_day=2.0, run_share=0.25)
    unnamed = Wish(tenant="acme", key="k1", wanted=Wanted.RUN, id="r1", usual_tokens=100_000)
    assert await gate.admit(unnamed) == Admitted(tokens=250, usd=0.5)
    assert await gate.admit(unnamed) == Admitted(tokens=250, usd=0.5)  # the same one asked again
    assert await gate.admit(replace(unnamed, id="r2", usual_tokens=80, usual_usd=0.1)) == Admitted(tokens=80, usd=0.1)
    assert await accounts.holds.fullest(Bounds(tokens_per_day=1_000, usd_per_day=2.0)) == Fullest(tokens=0.33, usd=0.3)
    assert await gate.admit(run("r3", tokens=600, usd=1.35)) == Admitted(tokens=600, usd=1.35)  # named: no share
    assert await gate.admit(replace(unnamed, id="r4")) == Admitted(tokens=70, usd=0.05)  # what is left
    assert refused(await gate.admit(replace(unnamed, id="r5"))) == (InboundLimit.TENANT_TOKENS, 429)
    await gate.settle("r1", tokens=20, usd=0.01)
    assert await gate.admit(replace(unnamed, id="r5")) == Admitted(tokens=230, usd=0.49)
    (day,) = await accounts.holds.usage("acme", since=TODAY, until=TODAY)
    assert (day.tokens, day.usd, day.held_tokens, day.held_usd) == (20, 0.01, 980, 1.99)


async def test_without_a_days_budget_a_run_gets_what_is_set_for_everybody(inbound: Maker) -> None:
    wish = Wish(tenant="acme", key="k1", wanted=Wanted.RUN, id="r1", usual_tokens=5_000)
    assert await inbound(run_share=0.25).admit(wish) == Admitted(tokens=5_000)


async def test_money_counts_exactly(inbound: Maker, accounts: Accounts) -> None:
    gate = inbound(usd_per_day=1.0)
    for i in range(10):
        assert await gate.admit(run(f"r{i}", usd=0.1)) == Admitted(tokens=10, usd=0.1)
    assert refused(await gate.admit(run("r10", usd=0.000001))) == (InboundLimit.TENANT_USD, 429)
    for i in range(10):
        await gate.settle(f"r{i}", tokens=1, usd=0.0000004)
    (day,) = await accounts.holds.usage("acme", since=TODAY, until=TODAY)
    assert (day.usd, day.held_usd, day.tokens) == (0.00001, 0.0, 10)


async def test_a_tenants_own_budget_goes_first(inbound: Maker, accounts: Accounts) -> None:
    gate = inbound(tokens_per_day=100)
    await accounts.tenants.limit("acme", tokens_per_day=1_000, usd_per_day=0.5)
    assert await gate.admit(run("r1", tokens=900)) == Admitted(tokens=900, usd=0.5)
    await gate.settle("r1", tokens=900, usd=0.5)
    assert refused(await gate.admit(run("r2", tokens=10))) == (InboundLimit.TENANT_USD, 429)


async def test_the_fullest_budget_is_that_of_the_tenant_nearest_to_its_end(
    inbound: Maker, accounts: Accounts, turned: Turned
) -> None:
    bounds = Bounds(tokens_per_day=100)
    gate = inbound(tokens_per_day=100)
    assert await accounts.holds.fullest(bounds) == Fullest()
    await accounts.tenants.limit("acme", tokens_per_day=1_000, usd_per_day=2.0)
    await gate.admit(run("r1", tokens=100, usd=0.5))
    await gate.admit(run("r2", tokens=40, tenant="other"))
    assert await accounts.holds.fullest(bounds) == Fullest(tokens=0.4, usd=0.25)
    await gate.settle("r2", tokens=10, usd=0.0)
    assert await accounts.holds.fullest(bounds) == Fullest(tokens=0.1, usd=0.25)
    await gate.settle("r1", tokens=100, usd=1.5)
    assert await accounts.holds.fullest(Bounds()) == Fullest(tokens=0.1, usd=0.75)
    await accounts.tenants.limit("acme", tokens_per_day=0, usd_per_day=None)
    assert await accounts.holds.fullest(Bounds()) == Fullest(tokens=1.0, usd=None)
    turned.at += DAY
    assert await accounts.holds.fullest(bounds) == Fullest()


async def test_the_same_id_gets_the_same_answer(inbound: Maker, accounts: Accounts) -> None:
    gate = inbound(tokens_per_day=100, key_runs=1)
    assert await gate.admit(run("r1", tokens=None)) == Admitted(tokens=100)
    assert await gate.admit(run("r1", tokens=None)) == Admitted(tokens=100)
    assert len(await accounts.holds.open(key="k1")) == 1


async def test_side_by_side_nobody_gets_the_last_tokens_twice(inbound: Maker) -> None:
    gates = [inbound(tokens_per_day=50, key_runs=7), inbound(tokens_per_day=50, key_runs=7)]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(gates[i % 2].admit(run(f"r{i}"))) for i in range(16)]
    answers = [task.result() for task in asked]
    assert sum(isinstance(answer, Admitted) for answer in answers) == 5


async def test_ended_runs_are_settled_with_what_they_used(inbound: Maker, accounts: Accounts, runs: Runs) -> None:
    gate = inbound(tokens_per_day=100)
    await gate.admit(run("r1", tokens=100))
    runs.set("r1", RunState.FAILED, tokens=40, usd=0.25)
    assert await gate.admit(run("r2", tokens=60)) == Admitted(tokens=60)
    (day,) = await accounts.holds.usage("acme", since=TODAY, until=TODAY)
    assert (day.tokens, day.usd, day.held_tokens) == (40, 0.25, 60)


async def test_what_was_never_made_is_given_back(inbound: Maker, accounts: Accounts, turned: Turned) -> None:
    gate = inbound(key_runs=1)
    await gate.admit(run("r1"))
    assert await gate.reconcile() == 0
    turned.at += LOST_AFTER
    assert await gate.reconcile() == 1
    assert await accounts.holds.open() == []


async def test_calls_of_models_spend_the_same_budget(inbound: Maker, accounts: Accounts, turned: Turned) -> None:
    gate = inbound(tokens_per_day=100, key_runs=1)
    call = Wish(tenant="acme", key="k1", wanted=Wanted.CALL, id="c1", tokens=80)
    assert await gate.admit(call) == Admitted(tokens=80)
    assert refused(await gate.admit(run("r1", tokens=30))) == (InboundLimit.TENANT_TOKENS, 429)
    turned.at += LOST_AFTER * 10  # its process died: what was set aside counts as used
    assert await gate.reconcile() == 1
    (day,) = await accounts.holds.usage("acme", since=TODAY, until=TODAY)
    assert (day.calls, day.runs, day.tokens, day.held_tokens) == (1, 0, 80, 0)
