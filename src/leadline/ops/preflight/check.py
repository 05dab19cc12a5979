"""The list, gone through side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from leadline.domain import Json
from leadline.errors import LeadlineError
from leadline.ops.doctor import Look, examine
from leadline.ops.preflight.answers import answered
from leadline.ops.preflight.item import Answer, Ground, Item, Row, Standing, State, missing
from leadline.ops.preflight.site import Site
from leadline.ops.preflight.table import ITEMS
from leadline.version import __version__

_MARKS: Final = {State.DONE: "[x]", State.MISSING: "[ ]", State.NOT_NEEDED: "[-]"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """The list as it stands. `at` is ISO 8601."""

    at: str
    rows: tuple[Row, ...]

    @property
    def keeps(self) -> tuple[str, ...]:
        """The ids of what keeps the deployment from production."""
        return tuple(row.item.id for row in self.rows if row.keeps)

    def body(self) -> dict[str, Json]:
        """Return it as JSON."""
        counts = {str(state): sum(row.standing.state is state for row in self.rows) for state in State}
        return {
            "timestamp": self.at,
            "version": __version__,
            "ready": not self.keeps,
            "counts": counts,
            "items": [row.body() for row in self.rows],
        }

    def text(self) -> str:
        """Return it for a person: by section, what is missing with what to do."""
        width = max(len(row.item.id) for row in self.rows)
        lines: list[str] = []
        for section, rows in groupby(self.rows, key=lambda row: row.item.section):
            lines += ["", section] if lines else [section]
            lines += [line for row in rows for line in _lines(row, width)]
        left = sum(row.standing.state is State.MISSING for row in self.rows) - len(self.keeps)
        verdict = f"{len(self.keeps)} musts are missing, and {left} more" if self.keeps else f"ready; {left} are open"
        return "\n".join([*lines, "", verdict])


def _lines(row: Row, width: int) -> list[str]:
    standing = row.standing
    must = "MUST  " if row.keeps else "      "
    lines = [f"{_MARKS[standing.state]} {must}{row.item.id:<{width}}  {standing.told}"]
    if standing.state is State.MISSING:
        indent = " " * (width + 12)
        lines += [f"{indent}{row.item.text}"]
        lines += [f"{indent}next: {standing.command}"] if standing.command else []
    return lines


async def preflight(look: Look, *, answers: Mapping[str, Answer], try_alert: bool = False) -> Preflight:
    """Go through the list. `try_alert`: an alert may be sent, to see it delivered. Raises `SettingsError`."""
    async with Site.open(ca=look.settings.preflight.ca) as site:
        diagnosis = await examine(look)
        ground = Ground(settings=look.settings, diagnosis=diagnosis, site=site, try_alert=try_alert, clock=look.clock)
        standings = await _side_by_side(ground, answers, last=False)
        standings |= await _side_by_side(ground, answers, last=True)
    rows = tuple(Row(item=item, standing=standings[item.id]) for item in ITEMS)
    at = datetime.fromtimestamp(look.clock.now(), UTC).isoformat(timespec="seconds")
    return Preflight(at=at, rows=rows)


async def _side_by_side(ground: Ground, answers: Mapping[str, Answer], *, last: bool) -> dict[str, Standing]:
    async with asyncio.TaskGroup() as group:
        tasks = {
            item.id: group.create_task(_standing(item, ground, answers.get(item.id)), name=f"preflight {item.id}")
            for item in ITEMS
            if item.last is last
        }
    return {name: task.result() for name, task in tasks.items()}


async def _standing(item: Item, ground: Ground, answer: Answer | None) -> Standing:
    if item.look is None:
        return answered(answer, now=ground.clock.now())
    try:
        async with asyncio.timeout(item.seconds):
            return await item.look(ground)
    except TimeoutError:
        return missing(f"no answer within {item.seconds:g} s")
    except LeadlineError as error:
        return missing(str(error))
