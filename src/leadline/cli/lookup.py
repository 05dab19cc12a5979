"""Runs by what a person types, and runs whose process is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from leadline.cli.engine import Engine
from leadline.errors import UnknownRun, WrongState

_LOOK: Final = 0.5
"""Seconds between two looks at a lease: its end wakes nobody."""


async def find_run(engine: Engine, given: str) -> str:
    """Return the id of the run that is meant: an id, the beginning of one, or `last`.

    Raises `UnknownRun`.
    """
    try:
        return (await engine.run(given)).id
    except UnknownRun as error:
        raise UnknownRun(f"{error}; `leadline runs` lists what there is") from error


async def take_up(engine: Engine, run_id: str, say: Callable[[str], None]) -> None:
    """Resume a run; where its process is gone, once that one's lease has run out.

    Raises `UnknownRun`, and `WrongState` for a run that has ended or that a live process holds.
    """
    seen: float | None = None
    while True:
        run = await engine.run(run_id)
        try:
            await engine.resume(run_id)
        except WrongState:
            renewed = seen is not None and run.lease_until != seen
            if run.state.ended or run.lease_until is None or renewed:
                raise
        else:
            return
        if seen is None:
            say(f"run {run_id}: waiting for the lease of the process that had it to run out")
        seen = run.lease_until
        await asyncio.sleep(_LOOK)
