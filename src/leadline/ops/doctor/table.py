"""Every check there is, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from leadline.ops.doctor import machine, models, parts, places, software, tools
from leadline.ops.doctor.finding import Finding
from leadline.ops.doctor.look import Look

_PAGE: Final = "docs/diagnosis.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A check: its name (a dot nests it in the JSON), its work, its seconds, what helps where it breaks."""

    name: str
    run: Callable[[Look], Awaitable[Finding]]
    seconds: float = 20.0
    command: str = "leadline settings"
    runbook: str = _PAGE


CHECKS: Final[Sequence[Check]] = (
    Check(name="settings", run=software.settings, runbook=f"{_PAGE}#settings"),
    Check(name="versions", run=software.versions, runbook=f"{_PAGE}#versions"),
    Check(name="model_service", run=models.model_service, seconds=models.SECONDS, runbook=models.RUNBOOK),
    Check(name="embeddings", run=models.embeddings, seconds=15.0, runbook=models.RUNBOOK),
    Check(name="rerank", run=models.rerank, seconds=15.0, runbook=models.RUNBOOK),
    Check(name="tool_services.search", run=tools.search, seconds=tools.SECONDS + 3, runbook=tools.RUNBOOK),
    Check(name="tool_services.visit", run=tools.visit, seconds=tools.SECONDS + 3, runbook=tools.RUNBOOK),
    Check(name="tool_services.scholar", run=tools.scholar, seconds=tools.SECONDS + 3, runbook=tools.RUNBOOK),
    Check(
        name="tool_services.python",
        run=tools.python,
        seconds=tools.SANDBOX_SECONDS,
        command="leadline sandbox check",
        runbook=f"{_PAGE}#sandbox",
    ),
    Check(name="tool_servers", run=tools.tool_servers, seconds=30.0, runbook=tools.RUNBOOK),
    Check(name="parts", run=parts.parts, command="leadline status", runbook="docs/operations.md#4-look"),
    Check(name="store", run=places.store, runbook=f"{_PAGE}#store"),
    Check(name="queue", run=places.queue, runbook=f"{_PAGE}#queue"),
    Check(name="broker", run=places.broker, runbook=f"{_PAGE}#broker"),
    Check(name="blobs", run=places.blobs, runbook=f"{_PAGE}#blobs"),
    Check(name="accounts", run=places.accounts, runbook=f"{_PAGE}#accounts"),
    Check(name="cache", run=places.cache, command="leadline cache stats", runbook=f"{_PAGE}#cache"),
    Check(name="limits", run=places.limits, runbook=f"{_PAGE}#limits"),
    Check(name="event_log", run=places.event_log, command="leadline ship --status", runbook=f"{_PAGE}#event-log"),
    Check(name="resources", run=machine.resources, runbook=f"{_PAGE}#disk"),
    Check(name="file_handles", run=machine.file_handles, runbook=f"{_PAGE}#file-handles"),
    Check(name="clock", run=machine.clock, seconds=15.0, runbook=f"{_PAGE}#clock"),
)
