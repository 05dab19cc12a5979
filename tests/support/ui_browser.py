"""The Web UI's world in a thread of its own, beside a browser that is driven from the test's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.support.ui_world import WISH, World, ui_world

T = TypeVar("T")

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective))"


@dataclass
class Served:
    """A service in a thread of its own, and its runs that have ended, by question."""

    world: World
    loop: asyncio.AbstractEventLoop
    runs: dict[str, str] = field(default_factory=dict)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(90)

    def address(self, hash: str = "") -> str:
        """Return the address of a page."""
        return f"{self.world.url}/{hash}"

    def run(self, question: str, *, later: bool = False, **fields: Any) -> str:
        """Return a run of the question that has ended; it is asked when it is first wanted."""
        key = f"{question} {later}"
        if key not in self.runs:
            run = self.do(self.world.research(question, web=True, strategy="react", **fields))
            assert self.do(self.world.until(run))["state"] == "done"
            self.runs[key] = run
        return self.runs[key]

    def again(self, question: str) -> str:
        """Return a run that asked the question once more, and found other things."""
        return self.run(question, later=True, continues=self.run(question), instructions=WISH)


@dataclass
class Seen:
    """What pages said and where they went."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Yield the world, in a thread of its own: a browser's driver does not start beside a loop."""
    ready: Future[Served] = Future()
    ends: list[asyncio.Event] = []

    async def live() -> None:
        over = asyncio.Event()
        async with ui_world(folder) as world:
            ends.append(over)
            ready.set_result(Served(world, asyncio.get_running_loop()))
            await over.wait()

    def work() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # handed to the test that waits for the world
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=work)
    thread.start()
    found = ready.result(100)
    try:
        yield found
    finally:
        found.loop.call_soon_threadsafe(ends[0].set)
        thread.join(30)
