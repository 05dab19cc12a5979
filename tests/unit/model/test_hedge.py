"""Two tries, one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from leadline.errors import ModelBroken, ModelTimeout
from leadline.model.attempt import Relay
from leadline.model.hedge import Race, Raced, Try
from leadline.resilience import Owned


class Play:
    """A try that begins, says something and ends when a test's times say."""

    def __init__(self, name: str, *, begins: float = 0.0, lasts: float = 0.0, error: Exception | None = None) -> None:
        self.name = name
        self.begins = begins
        self.lasts = lasts
        self.error = error
        self.cancelled = False

    async def __call__(self, relay: Relay) -> str:
        try:
            await asyncio.sleep(self.begins)
            if self.error is not None and not self.lasts:
                raise self.error
            relay.beat()
            relay.tell("text", self.name)
            await asyncio.sleep(self.lasts)
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.name


@pytest.fixture
async def tasks() -> AsyncIterator[Owned]:
    async with Owned("test") as owned:
        yield owned


async def raced(tasks: Owned, first: Play, second: Play | None, heard: list[str]) -> Raced[str]:
    def other() -> Try[str] | None:
        return second

    race: Race[str] = Race(tasks, progress=lambda _kind, text: heard.append(text), after=0.03)
    return await race.run(first, other)


async def test_a_first_try_that_begins_is_alone(tasks: Owned) -> None:
    heard: list[str] = []
    found = await raced(tasks, Play("first", lasts=0.08), Play("second"), heard)
    assert found == Raced(value="first", calls=1)
    assert heard == ["first"]


async def test_who_begins_first_wins_and_the_other_is_stopped(tasks: Owned) -> None:
    heard: list[str] = []
    first, second = Play("first", begins=9.0), Play("second", begins=0.02, lasts=0.02)
    assert await raced(tasks, first, second, heard) == Raced(value="second", calls=2)
    assert first.cancelled
    assert heard == ["second"]


async def test_a_late_first_may_still_win(tasks: Owned) -> None:
    heard: list[str] = []
    first, second = Play("first", begins=0.05, lasts=0.05), Play("second", begins=9.0)
    assert (await raced(tasks, first, second, heard)).value == "first"
    assert second.cancelled
    assert heard == ["first"]


async def test_one_that_fails_leaves_it_to_the_other(tasks: Owned) -> None:
    first, second = Play("first", begins=0.06), Play("second", error=ModelBroken("second"))
    assert (await raced(tasks, first, second, [])).value == "first"
    first, second = Play("first", begins=0.04, error=ModelBroken("first")), Play("second", begins=0.08)
    assert (await raced(tasks, first, second, [])).value == "second"


async def test_where_both_fail_the_first_ones_error_is_told(tasks: Owned) -> None:
    first = Play("first", begins=0.05, error=ModelTimeout("first"))
    second = Play("second", error=ModelBroken("second"))
    with pytest.raises(ModelTimeout, match="first"):
        await raced(tasks, first, second, [])


async def test_an_early_failure_starts_no_second(tasks: Owned) -> None:
    with pytest.raises(ModelBroken):
        await raced(tasks, Play("first", error=ModelBroken("at once")), None, [])


async def test_a_winner_that_breaks_off_is_a_failure_not_a_mixture(tasks: Owned) -> None:
    heard: list[str] = []
    first = Play("first", begins=0.05, lasts=0.02, error=ModelBroken("cut"))
    with pytest.raises(ModelBroken, match="cut"):
        await raced(tasks, first, Play("second", begins=0.2), heard)
    assert heard == ["first"]


async def test_a_caller_that_leaves_stops_both(tasks: Owned) -> None:
    first, second = Play("first", begins=9.0), Play("second", begins=9.0)
    call = asyncio.get_running_loop().create_task(raced(tasks, first, second, []))
    await asyncio.sleep(0.06)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert first.cancelled
    assert second.cancelled
