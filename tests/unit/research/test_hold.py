from __future__ import annotations

import asyncio

import pytest

from leadline.domain import Flag
from leadline.errors import LeaseLost
from leadline.research.hold import Hold
from leadline.testing import FakeClock


def hold(clock: FakeClock) -> Hold:
    return Hold(fence=3, lease=30.0, monotonic=clock.monotonic)


async def test_a_fresh_lease_lets_calls_begin() -> None:
    await hold(FakeClock()).fresh()


async def test_a_stale_lease_waits_for_its_confirmation() -> None:
    clock = FakeClock()
    held = hold(clock)
    await clock.advance(30.0)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(held.fresh())
        await asyncio.sleep(0)
        assert not waiting.done()
        held.renewed(30.0)


async def test_a_lost_lease_lets_none_begin() -> None:
    clock = FakeClock()
    held = hold(clock)
    held.lose()
    with pytest.raises(LeaseLost):
        await held.fresh()
    assert held.lost


async def test_who_waits_hears_of_the_loss() -> None:
    clock = FakeClock()
    held = hold(clock)
    await clock.advance(31.0)
    asyncio.get_running_loop().call_soon(held.lose)
    with pytest.raises(LeaseLost):
        await held.fresh()


def test_cancel_outranks_finish_and_each_is_told_once() -> None:
    held = hold(FakeClock())
    told: list[Flag] = []
    held.watch(told.append)
    for flag in (Flag.FINISH, Flag.FINISH, Flag.CANCEL, Flag.FINISH, Flag.CANCEL):
        held.raise_flag(flag)
    assert (held.flag, told) == (Flag.CANCEL, [Flag.FINISH, Flag.CANCEL])
