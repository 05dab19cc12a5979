"""What checks are given."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leadline.errors import LeadlineError
from leadline.ops.doctor.finding import Finding, failed
from leadline.ports import Clock
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.wiring import data_folder

PAGE: Final = "https://example.com/"
"""The page that reading the web is tried with unless another is named: it is there for such use (RFC 2606)."""

_OF_WEB: Final = frozenset({"search", "scholar", "visit", "fetch", "outgoing", "proxy", "tools"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One examination. `paid`: what costs money may be asked as well. `page` is read to see that pages can be.

    Without `web` nothing asks for the web, so that it is no fault where the defaults do not reach it.
    """

    settings: Settings
    paid: bool = False
    page: str = PAGE
    web: bool = True
    clock: Clock = field(default_factory=SystemClock)

    async def folder(self) -> Path:
        """Return the data folder. Raises `SettingsError`."""
        return await asyncio.to_thread(data_folder, self.settings)


def asks_for_web(settings: Settings) -> bool:
    """Return whether the operator set anything about the web: else documents may be all that is wanted."""
    sections = {name.partition(".")[0] for name, source in settings.sources.items() if source != "default"}
    return not sections.isdisjoint(_OF_WEB)


def chosen(look: Look, name: str) -> bool:
    """Return whether the operator set this setting: a default that does not work here is no fault."""
    return look.settings.sources.get(name, "default") != "default"


async def beside(works: Mapping[str, Coroutine[object, object, Finding]]) -> dict[str, Finding]:
    """Return what each of several looks found, made side by side; a failure is that look's own finding."""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_found(work), name=f"doctor {name}") for name, work in works.items()}
    return {name: task.result() for name, task in tasks.items()}


async def _found(work: Coroutine[object, object, Finding]) -> Finding:
    try:
        return await work
    except LeadlineError as error:
        return failed(error, command="leadline settings", runbook="docs/diagnosis.md#settings")
