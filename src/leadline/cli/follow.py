"""Watching a run, with Ctrl-C as its reader's wish: once to finish, twice to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple, Self

import click

from leadline.cli.engine import Engine
from leadline.cli.output import Result
from leadline.cli.shell import INTERRUPTED, Shell
from leadline.cli.views import View
from leadline.domain import Failure, Report, RunState
from leadline.errors import RunWaits, ToolMissing, WrongState, family_of
from leadline.events import Progress, Record, RunWaiting, ToolAnswered

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

    Raises the run's failure, `RunWaits` where a person must answer first, and `click.exceptions.Exit`
    where its reader stopped it.
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
            await _show(engine, run_id, view)
            wishes.cancel()
        if interrupts.count >= STOP:
            raise click.exceptions.Exit(INTERRUPTED)
        return await engine.result(run_id)


async def _show(engine: Engine, run_id: str, view: View) -> None:
    """Show what happens until the run has ended, or waits for a person."""
    missing: set[str] = set()
    async for item in engine.stream(run_id):
        view.take(item)
        warn(view.say, item, missing)
        if await waits(engine, run_id, item):
            return


async def waits(engine: Engine, run_id: str, item: Record | Progress) -> bool:
    """Return whether a run waits for a person from this event on; an old one may have been answered since."""
    if not isinstance(item, Record) or not isinstance(item.event, RunWaiting):
        return False
    return (await engine.run(run_id)).state is RunState.WAITING


def warn(say: Callable[[str], None], item: Record | Progress, missing: set[str]) -> None:
    """Say once that a tool does not work on this machine; `missing` are those that were told."""
    event = item.event if isinstance(item, Record) else None
    if not isinstance(event, ToolAnswered) or event.failure is None or event.failure.code != ToolMissing.code:
        return
    if event.tool not in missing:
        missing.add(event.tool)
        say(f"warning: the run goes on without `{event.tool}`: {event.failure.message}")


class Told(NamedTuple):
    """A report as it is printed, and the failure that it was written in spite of."""

    text: Result
    failure: Failure | None


async def told(engine: Engine, run_id: str, text: Result) -> Told:
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
    with suppress(WrongState, RunWaits):  # it has just ended by itself
        await finish()
    await interrupts.reach(STOP)
    say("stopping")
    with suppress(WrongState, RunWaits):
        await cancel()
    await interrupts.reach(LEAVE)
    raise click.Abort
