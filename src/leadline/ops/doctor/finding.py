"""What a check found, and what is to be done about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from leadline.domain import Json
from leadline.errors import LeadlineError, MissingExtra, SettingsError

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_INSTALL: Final = re.compile(r"pip install '[^']+'")
_MOST_CAUSE: Final = 400


class Status(StrEnum):
    """How something is."""

    HEALTHY = "healthy"  # it did what was asked of it
    OFF = "off"  # the settings do not want it
    DEGRADED = "degraded"  # runs go on, worse or not for long
    UNHEALTHY = "unhealthy"  # what the settings want does not work


_ORDER: Final = (Status.OFF, Status.HEALTHY, Status.DEGRADED, Status.UNHEALTHY)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst; of nothing at all, `off`."""
    return max(statuses, key=_ORDER.index, default=Status.OFF)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check found.

    `told` is one line for a person, `facts` are further keys of its JSON. `cause`, `command` (what to run next)
    and `runbook` (a page of the documentation) are there where something is wrong. `parts` are findings
    of its parts by name, which count in `status` as its check decides.
    """

    status: Status = Status.HEALTHY
    told: str = ""
    latency_ms: int | None = None
    facts: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)
    cause: str = ""
    command: str = ""
    runbook: str = ""
    parts: Mapping[str, Finding] = field(default_factory=lambda: _NOTHING)

    def body(self) -> dict[str, Json]:
        """Return it as JSON. The reference's keys come first; `error` is the cause."""
        body: dict[str, Json] = {"status": str(self.status)}
        if self.latency_ms is not None:
            body["latency_ms"] = self.latency_ms
        body |= self.facts
        named = {"told": self.told, "error": self.cause, "next": self.command, "runbook": self.runbook}
        body |= {name: value for name, value in named.items() if value}
        if self.parts:
            body["parts"] = {name: part.body() for name, part in self.parts.items()}
        return body


def read_finding(body: Mapping[str, Any]) -> Finding:
    """Return what another process found. Raises `ValueError` for a status that is none."""
    latency, parts = body.get("latency_ms"), body.get("parts", {})
    return Finding(
        status=Status(body.get("status", "")),
        told=str(body.get("told", "")),
        latency_ms=latency if isinstance(latency, int) else None,
        cause=str(body.get("error", "")),
        command=str(body.get("next", "")),
        runbook=str(body.get("runbook", "")),
        parts={name: read_finding(part) for name, part in parts.items()},
    )


def off(told: str, **facts: Json) -> Finding:
    """Return that the settings do not want it."""
    return Finding(status=Status.OFF, told=told, facts=facts)


def warned(cause: str, *, command: str, runbook: str, told: str = "", facts: Mapping[str, Json] = _NOTHING) -> Finding:
    """Return that it works, and that something must be done."""
    return Finding(
        status=Status.DEGRADED, told=told or cause, cause=cause, command=command, runbook=runbook, facts=dict(facts)
    )


def failed(
    cause: str | LeadlineError,
    *,
    command: str,
    runbook: str,
    status: Status = Status.UNHEALTHY,
    facts: Mapping[str, Json] = _NOTHING,
) -> Finding:
    """Return that it does not work. What a failure itself says to do goes before `command`."""
    text = " ".join(str(cause).split())[:_MOST_CAUSE]
    if isinstance(cause, MissingExtra) and (install := _INSTALL.search(text)):
        command = install[0]
    elif isinstance(cause, SettingsError) and not isinstance(cause, MissingExtra) and not command:
        command = "leadline settings"
    return Finding(status=status, told=text, cause=text, command=command, runbook=runbook, facts=dict(facts))
