"""What a tenant may hold of the queue at a time, and what stores tell of runs that they end themselves."""

from __future__ import annotations

import asyncio

from tests.contract.test_run_store import DONE, SHORT, Opener, claim, claimed, entry, eventually, new

from leadline.domain import Flag, RunState, StopReason
from leadline.ports import Run, RunStore


async def test_a_tenant_at_its_most_waits_and_nobody_behind_it(opener: Opener) -> None:
    async with opener(tenant_runs=2) as store:
        for number in range(4):
            await store.create(new(f"a{number}", tenant="a", priority=5))
        await store.create(new("b0", tenant="b"))
        held = [await claimed(store) for _ in range(3)]
        assert [run.id for run in held] == ["a0", "a1", "b0"]  # what is more urgent and may not run holds nobody up
        assert await claim(store) is None
        await store.append("a1", held[1].fence, [entry(DONE)])
        assert (await claimed(store)).id == "a2"
        assert (await claimed(store, "w2", run_id="a3")).id == "a3"  # who names a run wants that one


async def test_two_processes_at_once_do_not_pass_the_most(opener: Opener) -> None:
    async with opener(tenant_runs=3) as one, opener(tenant_runs=3) as two:
        for number in range(12):
            await one.create(new(f"a{number}"))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(claim(store, f"w{n}")) for n in range(6) for store in (one, two)]
        assert len([task for task in tasks if task.result() is not None]) == 3


async def test_runs_of_a_persons_own_process_do_not_count(opener: Opener) -> None:
    async with opener(tenant_runs=1) as store:
        await store.create(new("local"), owner="cli", lease=30)
        await store.create(new("queued"))
        assert (await claimed(store)).id == "queued"


async def test_an_expired_run_goes_on_although_its_tenant_is_at_its_most(opener: Opener) -> None:
    async with opener(tenant_runs=1) as store:
        await store.create(new("r1"))
        await claimed(store, "w1", lease=SHORT)
        assert isinstance(await eventually(lambda: claim(store, "w2", lease=SHORT)), Run)


async def test_what_the_store_ends_itself_is_told_once(opener: Opener) -> None:
    told: list[Run] = []
    async with opener(attempts=1, ended=told.append) as store:
        await store.create(new("waits"))
        assert (await store.flag("waits", Flag.CANCEL, tenant="acme")).state is RunState.CANCELLED
        assert _ends(told) == [("waits", RunState.CANCELLED, StopReason.CANCELLED)]
        await store.create(new("dies"))
        await claimed(store, "w1", lease=SHORT)
        await eventually(lambda: _failed(store, "dies"))
        assert _ends(told)[1:] == [("dies", RunState.FAILED, StopReason.ATTEMPTS)]
        await store.create(new("works"))
        run = await claimed(store, "w1")
        await store.append("works", run.fence, [entry(DONE)])
        await store.create(new("held"))
        await claimed(store, "w1")
        await store.flag("held", Flag.CANCEL, tenant="acme")  # its worker ends it
        assert len(told) == 2


def _ends(told: list[Run]) -> list[tuple[str, RunState, StopReason | None]]:
    return [(run.id, run.state, run.stop_reason) for run in told]


async def _failed(store: RunStore, run_id: str) -> bool:
    await claim(store, "w2", lease=SHORT)
    return (await store.get(run_id, tenant="acme")).state is RunState.FAILED
