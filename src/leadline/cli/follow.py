"""Watching a run, with Ctrl-C as its reader's wish: once to finish, twice to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, Self

import click

from leadline.cli.engine import Engine
from leadline.cli.shell import INTERRUPTED, Shell
from leadline.cli.views import View
from leadline.domain import Failure, Report
from leadline.errors import WrongState, family_of

FINISH: Final = 1
STOP: Final = 2
LEAVE: Final = 3


class Interrupts:
    """Counts Ctrl-C while it is entered, on a running event loop of the main thread.

    SIGTERM cancels the task that entered it: engines hand their runs over, and the program ends.
    """

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        self._loop.add_signal_handler(signal.SIGINT, self.interrupt)
        if task is not None:
            self._loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGINT)
        self._loop.remove_signal_handler(signal.SIGTERM)

    def interrupt(self) -> None:
        """Count one."""
        self.count += 1
        self._changed.set()

    async def reach(self, count: int) -> None:
        """Return once there were `count`."""
        while self.count < count:
            self._changed.clear()
            await self._changed.wait()


async def follow(engine: Engine, run_id: str, view: View) -> Report:
    """Show a run until it has ended and return its report.

    Raises the run's failure, and `click.exceptions.Exit` where its reader stopped it.
    """
    view.begin(run_id)
    with Interrupts() as interrupts:
        async with asyncio.TaskGroup() as group:
            wishes = group.create_task(
                obey(
                    interrupts,
                    view.say,
                    finish=lambda: engine.finish(run_id),
                    cancel=lambda: engine.cancel(run_id),
                ),
                name="interrupts",
            )
            async for item in engine.stream(run_id):
                view.take(item)
            wishes.cancel()
        if interrupts.count >= STOP:
            raise click.exceptions.Exit(INTERRUPTED)
        return await engine.result(run_id)


class Told(NamedTuple):
    """A report as it is printed, and the failure that it was written in spite of."""

    text: str | bytes
    failure: Failure | None


async def told(engine: Engine, run_id: str, text: str | bytes) -> Told:
    """Return a run's rendered report with the run's failure."""
    return Told(text, (await engine.run(run_id)).failure)


def exit_code(shell: Shell, result: Told) -> int:
    """Return the exit code of a report that was printed; a failure in spite of which it was written is told."""
    if result.failure is None:
        return 0
    family = family_of(result.failure.code)
    return shell.fail(family(f"this report is what could be done after a failure: {result.failure.message}"))


async def obey(
    interrupts: Interrupts,
    say: Callable[[str], None],
    *,
    finish: Callable[[], Awaitable[None]],
    cancel: Callable[[], Awaitable[None]],
) -> None:
    """Do what a reader's Ctrl-C asks for; return never but by the third: it leaves at once."""
    await interrupts.reach(FINISH)
    say("finishing with what there is; Ctrl-C again stops")
    with suppress(WrongState):  # it has just ended by itself
        await finish()
    await interrupts.reach(STOP)
    say("stopping")
    with suppress(WrongState):
        await cancel()
    await interrupts.reach(LEAVE)
    raise click.Abort
