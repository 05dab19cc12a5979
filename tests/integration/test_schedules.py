"""Schedules become runs: once over several processes and after a downtime, on the evidence of the run before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounts import MONDAY, Turned
from tests.support.cluster import until

from leadline import Leadline
from leadline.api.scheduling import Scheduler, limits_of, overrides_of, scheduler_of
from leadline.errors import InputError, UnknownRun
from leadline.ports.access import LOCAL
from leadline.ports.admission import Admitted, Bounds, InboundLimit, Refused, Wanted, Wish
from leadline.ports.holdings import Schedule
from leadline.ports.signals import Rejected, Signal
from leadline.settings import Settings
from leadline.settings.service import ServiceSettings
from leadline.wiring import Platform, platform
from leadline.wiring.accounts import Accounts, open_accounts

DAY = 86_400.0


@dataclass
class Place:
    clock: Turned
    accounts: Accounts
    running: Platform
    one: Scheduler
    other: Scheduler

    async def schedule(self, **options: object) -> Schedule:
        return await self.accounts.schedules.create(
            LOCAL,
            name="news",
            question="What is new?",
            when="every Monday 08:00",
            zone="UTC",
            made_by="ann",
            options={"web": True, "strategy": "extractive", **options},  # type: ignore[dict-item]  # what a request may hold
        )


class Clock(Turned):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    settings, clock = Settings(data_dir=folder), Clock()
    async with open_accounts(settings, clock=clock) as accounts, platform(settings) as running:
        one, other = [await scheduler_of(settings, accounts, running) for _ in range(2)]
        yield Place(clock, accounts, running, one, other)


async def test_of_two_processes_one_makes_the_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        made = await place.schedule()
        assert await place.one.fire() == []
        place.clock.at = MONDAY + DAY
        both = await asyncio.gather(place.one.fire(), place.other.fire())
        (name,) = [run for runs in both for run in runs]
        run = await place.running.store.get(name, tenant=LOCAL)
        assert (run.question.text, run.origin.method, run.options.ledger_of) == ("What is new?", "schedule", None)
        assert run.options.web
        after = await place.accounts.schedules.get(LOCAL, made.id)
        assert (after.last_run, after.next_at) == (name, MONDAY + 7 * DAY + DAY / 3)


@pytest.mark.parametrize(
    ("tenant", "made_by", "said", "priority"),
    [
        (LOCAL, "ann", 5, 5),  # a tenant of the service's operators
        (LOCAL, "ann", -5, -5),
        ("acme", "ann", 5, 0),  # whose maker was an operator once, and is none any more
        ("acme", "ann", -5, -5),
        ("acme", "operator:root", 5, 5),  # added on the machine itself
        ("acme", "operator:root", 50, 10),
        ("acme", "ann", None, 0),
    ],
)
async def test_its_runs_go_before_others_only_where_operators_wish_it(
    tenant: str, made_by: str, said: int | None, priority: int, tmp_path: Path
) -> None:
    async with opened(tmp_path) as place:
        await place.accounts.tenants.ensure(tenant, name=tenant)
        await place.accounts.schedules.create(
            tenant,
            name="news",
            question="What is new?",
            when="every Monday 08:00",
            zone="UTC",
            made_by=made_by,
            options={"web": True, "strategy": "extractive", **({} if said is None else {"priority": said})},
        )
        place.clock.at = MONDAY + DAY
        (name,) = await place.one.fire()
        assert (await place.running.store.get(name, tenant=tenant)).priority == priority


async def test_after_a_downtime_it_fires_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.schedule()
        place.clock.at = MONDAY + 40 * DAY
        assert len(await place.one.fire()) == 1
        assert await place.other.fire() == []
        assert len(await place.running.store.runs(tenant=LOCAL)) == 1


async def test_a_process_that_died_in_between_makes_no_second_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.schedule()
        place.clock.at = MONDAY + DAY
        (due,) = await place.accounts.schedules.due("dead", lease=60)
        await place.running.store.create(await place.one._new(due))
        assert await place.other.fire() == []
        place.clock.at += 61
        assert await place.other.fire() == [due.run_id]
        assert len(await place.running.store.runs(tenant=LOCAL)) == 1


async def test_what_cannot_be_asked_makes_no_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.schedule(corpora=["nowhere"])
        place.clock.at = MONDAY + DAY
        assert await place.one.fire() == []
        assert await place.running.store.runs(tenant=LOCAL) == []


async def test_a_schedule_whose_corpus_is_gone_is_paused_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as place:
        corpus = await place.accounts.corpora.create(LOCAL, name="papers")
        made = await place.schedule(corpora=[corpus.id])
        await place.accounts.corpora.delete(LOCAL, corpus.id)
        for days in (1, 2, 30):
            place.clock.at = MONDAY + days * DAY
            assert await place.one.fire() == []
        resting = await place.accounts.schedules.get(LOCAL, made.id)
        assert (resting.next_at, resting.reason) == (None, f"no such corpus: {corpus.id}")
        assert [record.msg for record in caplog.records if record.name == "leadline.schedules"] == ["schedule_paused"]
        # Whoever lets it go on has dealt with it, or is told again.
        resumed = await place.accounts.schedules.pause(LOCAL, made.id, paused=False)
        assert resumed.next_at is not None
        assert resumed.reason is None


async def test_what_cannot_be_asked_now_is_told_once_a_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def told() -> list[str]:
        return [record.reason for record in caplog.records if record.name == "leadline.schedules"]  # type: ignore[attr-defined]  # a field of the log

    async with opened(tmp_path) as place:
        made = await place.schedule(strategy="auto", servers=["gone"])
        place.clock.at = MONDAY + DAY
        for _ in range(120):  # ten minutes
            assert await place.one.fire() == []
            place.clock.at += 5
        waits = await place.accounts.schedules.get(LOCAL, made.id)
        assert waits.next_at == made.next_at
        assert [waits.reason] == told()
        refusing = Scheduler(accounts=place.accounts, running=place.running, admission=Refusing(), owner="w")
        await place.accounts.schedules.delete(LOCAL, made.id)
        made = await place.schedule()
        place.clock.at = MONDAY + 8 * DAY
        for _ in range(3):
            assert await refusing.fire() == []
            place.clock.at += 3_600
        assert (await place.accounts.schedules.get(LOCAL, made.id)).reason == "too many"
        assert told()[1:] == ["too many"]
        (name,) = await place.one.fire()
        after = await place.accounts.schedules.get(LOCAL, made.id)
        assert (after.reason, after.last_run) == (None, name)


async def test_the_run_before_is_at_hand(tmp_path: Path) -> None:
    document = tmp_path / "a.txt"
    document.write_text("The first lighthouse on the Eddystone was lit in 1698.\n")
    async with Leadline(Settings(data_dir=tmp_path / "data")) as engine:
        name = await engine.start("When was the first lighthouse lit?", docs=[document])
        await engine.result(name)
    async with opened(tmp_path / "data") as place:
        made = await place.schedule()
        place.clock.at = MONDAY + DAY
        (due,) = await place.accounts.schedules.due("w", lease=60)
        before = replace(due, schedule=replace(made, last_run=name))
        assert (await place.one._new(before)).options.ledger_of == name
        gone = replace(due, schedule=replace(made, last_run="r0"))
        assert (await place.one._new(gone)).options.ledger_of is None
        with pytest.raises(UnknownRun):
            await place.running.store.get("r0", tenant=LOCAL)


async def test_a_run_is_as_the_request_for_it_was(tmp_path: Path) -> None:
    document = tmp_path / "a.txt"
    document.write_text("The first lighthouse on the Eddystone was lit in 1698.\n")
    async with Leadline(Settings(data_dir=tmp_path / "data")) as engine:
        name = await engine.start("When was the first lighthouse lit?", docs=[document])
        await engine.result(name)
    async with opened(tmp_path / "data") as place:
        budget = {"steps": 7, "tokens": None, "seconds": 90.5}
        await place.schedule(web=None, budget=budget, language="zh", continues=name, servers=[], length="short")
        place.clock.at = MONDAY + DAY
        (made,) = await place.one.fire()
        run = await place.running.store.get(made, tenant=LOCAL)
        defaults = Settings().budget
        assert (run.options.budget.steps, run.options.budget.seconds) == (7, 90.5)
        assert run.options.budget.tokens == defaults.tokens
        assert (run.question.language, run.options.ledger_of, run.options.web) == ("zh", name, True)


async def test_with_documents_the_web_is_left_alone_unless_it_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        corpus = await place.accounts.corpora.create(LOCAL, name="papers")
        await place.accounts.schedules.create(
            LOCAL,
            name="papers",
            question="What is new?",
            when="every day 08:00",
            zone="UTC",
            made_by="ann",
            options={"corpora": [corpus.id]},
        )
        place.clock.at = MONDAY + DAY
        (made,) = await place.one.fire()
        options = (await place.running.store.get(made, tenant=LOCAL)).options
        assert (options.web, options.corpora) == (False, (f"{corpus.id}@{corpus.version}",))


async def test_a_run_without_a_report_passes_on_the_one_before_it(tmp_path: Path) -> None:
    document = tmp_path / "a.txt"
    document.write_text("The first lighthouse on the Eddystone was lit in 1698.\n")
    async with Leadline(Settings(data_dir=tmp_path / "data")) as engine:
        name = await engine.start("When was the first lighthouse lit?", docs=[document])
        await engine.result(name)
        options = engine.options(web=True, ledger_of=name)
        cancelled = await engine.start("When was the first lighthouse lit?", options=options, carry=False)
        await engine.cancel(cancelled)
    async with opened(tmp_path / "data") as place:
        assert await place.one._earlier(LOCAL, cancelled) == name


async def test_schedules_that_name_no_budget_leave_room_for_each_other(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        await place.accounts.tenants.limit(LOCAL, tokens_per_day=1_000, usd_per_day=2.0)
        for _ in range(3):
            await place.schedule()
        await place.schedule(budget={"tokens": 200})
        place.clock.at = MONDAY + DAY
        made = [await place.running.store.get(run, tenant=LOCAL) for run in await place.one.fire()]
        budgets = [run.options.budget for run in made]
        assert sorted((budget.tokens, budget.usd) for budget in budgets) == [(200, 0.5), *[(250, 0.5)] * 3]


async def test_a_worker_gives_back_what_ended_runs_had_set_aside(tmp_path: Path) -> None:
    settings = replace(Settings(data_dir=tmp_path), service=ServiceSettings(upkeep_seconds=1.0))
    bounds = Bounds(key_runs=1)
    async with Leadline(settings) as engine, open_accounts(settings) as accounts:
        name = await engine.start("When was the first lighthouse lit?", options=engine.options(web=True), carry=False)
        wish = Wish(tenant=LOCAL, key="k", wanted=Wanted.RUN, id=name, tokens=1_000)
        assert isinstance(await accounts.holds.reserve(wish, bounds), Admitted)  # by a service that is gone now
        await engine.cancel(name)
        assert len(await accounts.holds.open()) == 1
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.work(concurrency=1, stop=stop))

            async def settled() -> bool:
                return not await accounts.holds.open()

            await until(settled, within=20)
            stop.set()


async def test_what_the_limits_refuse_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        told: list[Signal] = []
        place.running.outgoing.signals = Hears(told)
        for _ in range(2):
            await place.schedule()
        place.clock.at = MONDAY + DAY
        refusing = Scheduler(accounts=place.accounts, running=place.running, admission=Refusing(), owner="w")
        assert await refusing.fire() == []
        assert told == [Rejected(method="schedule", reason="runs")] * 2


class Hears:
    def __init__(self, told: list[Signal]) -> None:
        self._told = told

    def signal(self, signal: Signal) -> None:
        self._told.append(signal)


class Refusing:
    """An admission that lets nobody in."""

    async def admit(self, wish: Wish) -> Refused:
        return Refused(limit=InboundLimit.RUNS, status=503, message="too many", retry_after=15.0)

    async def settle(self, wish_id: str, *, tokens: int, usd: float) -> None:
        raise AssertionError(wish_id)

    async def reconcile(self, *, key: str | None = None) -> int:
        return 0


@pytest.mark.parametrize(
    "options",
    [{"nonsense": 1}, {"nonsense": None}, {"web": "yes"}, {"strategy": "wild"}, {"corpora": "c"}, {"budget": 3}],
)
def test_options_that_are_none_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        overrides_of(options)  # type: ignore[arg-type]  # what is wrong is the point


@pytest.mark.parametrize("budget", [{"days": 1}, {"steps": 1.5}, {"usd": 0}, {"tokens": "many"}, {"steps": True}])
def test_budgets_that_are_none_are_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        limits_of({"budget": budget})
