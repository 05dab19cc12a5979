"""Places for programs: shared out by tenants, and none is lost when somebody who waits goes away."""

from __future__ import annotations

import asyncio
import random

from leadline.sandbox.places import Places


class Queue:
    """Who was let in, in order; each leaves when told."""

    def __init__(self, places: Places) -> None:
        self.came: list[str] = []
        self._places = places
        self._gates: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str) -> None:
        """Ask for a place of the tenant that is the name's first letter."""
        self._gates[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name))
        await settled()

    async def leave(self, name: str) -> None:
        self._gates[name].set()
        await self.tasks[name]
        await settled()

    async def give_up(self, name: str) -> None:
        self.tasks[name].cancel()
        await settled()

    async def _hold(self, name: str) -> None:
        async with self._places.held(name[0]):
            self.came.append(name)
            await self._gates[name].wait()


async def settled() -> None:
    """Let everybody take the steps that they can take."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_for_much_waits_behind_their_own() -> None:
    queue = Queue(Places(2))
    for name in ("a1", "a2", "a3", "a4", "b1", "c1"):
        await queue.ask(name)
    for name in ("a1", "b1", "c1", "a2", "a3", "a4"):
        await queue.leave(name)
    assert queue.came == ["a1", "a2", "b1", "c1", "a3", "a4"]


async def test_tenants_that_have_as_many_take_turns() -> None:
    queue = Queue(Places(1))
    for name in ("a1", "a2", "b1", "a3", "b2"):
        await queue.ask(name)
    for name in ("a1", "a2", "b1", "a3", "b2"):
        await queue.leave(name)
    assert queue.came == ["a1", "a2", "b1", "a3", "b2"]


async def test_who_gives_up_costs_nobody_a_place() -> None:
    queue = Queue(Places(1))
    for name in ("a1", "b1", "c1"):
        await queue.ask(name)
    await queue.give_up("b1")
    await queue.leave("a1")
    assert queue.came == ["a1", "c1"]
    await queue.give_up("c1")
    await queue.ask("d1")
    assert queue.came == ["a1", "c1", "d1"]


async def test_a_turn_that_comes_as_its_waiter_gives_up_is_passed_on() -> None:
    queue = Queue(Places(1))
    for name in ("a1", "b1", "c1"):
        await queue.ask(name)
    queue._gates["a1"].set()
    asyncio.get_running_loop().call_soon(queue.tasks["b1"].cancel)  # after a1 has left, before b1 is told
    await settled()
    assert queue.came == ["a1", "c1"]


async def test_whatever_happens_no_place_is_lost_or_taken_twice() -> None:
    chance, places, inside, most = random.Random(7), Places(3), 0, 0

    async def work(tenant: str) -> None:
        nonlocal inside, most
        async with places.held(tenant):
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(0)
            finally:
                inside -= 1

    tasks = []
    for _ in range(400):
        tasks.append(asyncio.create_task(work(chance.choice("abc"))))
        if chance.random() < 0.4:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (inside, most) == (0, 3)
    async with asyncio.timeout(60), places.held("a"), places.held("b"), places.held("c"):
        pass
