"""Which entries share an append, however busy the event loop is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from leadline.domain import Usage
from leadline.events import Entry, ModelAnswered, ModelAsked, Record
from leadline.ports import RunStore
from leadline.research.outbox import OUTCOME_WAIT, Outbox
from leadline.testing.clock import FakeClock


class Appended:
    """A store that keeps what each append brought."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def append(self, run_id: str, fence: int, entries: Sequence[Entry]) -> int:
        """Take entries."""
        self.batches.append([entry.event.type for entry in entries])
        return sum(map(len, self.batches))


ASKED = Entry(at=0.0, branch="", event=ModelAsked(call="/1/model/0", model="m", request="r", purpose="p"))
ANSWERED = Entry(at=0.0, branch="", event=ModelAnswered(call="/1/model/0", usage=Usage()))


def an_outbox(store: Appended) -> tuple[Outbox, asyncio.Queue[Record]]:
    told: asyncio.Queue[Record] = asyncio.Queue()
    made = Outbox(run_id="r", fence=1, store=cast("RunStore", store), clock=FakeClock(0.0), committed=told.put_nowait)
    return made, told


async def test_an_outcome_goes_with_the_next_intent_though_the_loop_was_held_up() -> None:
    store = Appended()
    outbox, told = an_outbox(store)
    outbox.put(ANSWERED)
    outbox.soon()
    time.sleep(OUTCOME_WAIT * 3)  # noqa: ASYNC251 other runs keep the loop busy for longer than an outcome waits
    for _ in range(2):  # the run goes on in the second turn of the loop
        await asyncio.sleep(0)
    await outbox.write(ASKED)
    await outbox.close()
    assert store.batches == [["model_answered", "model_asked"]]
    assert [told.get_nowait().seq for _ in range(2)] == [1, 2]


async def test_an_outcome_that_nothing_follows_is_appended_alone() -> None:
    store = Appended()
    outbox, told = an_outbox(store)
    outbox.put(ANSWERED)
    outbox.soon()
    assert (await told.get()).seq == 1
    assert store.batches == [["model_answered"]]
    outbox.put(ANSWERED)
    outbox.soon()
    assert (await told.get()).seq == 2
    await outbox.close()
    assert store.batches == [["model_answered"]] * 2
