"""All checks side by side, each within its time; what one does wrong is its own finding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leadline.domain import Json
from leadline.errors import LeadlineError
from leadline.ops.doctor.finding import Finding, Status, failed, read_finding, worst
from leadline.ops.doctor.look import Look
from leadline.ops.doctor.table import CHECKS, Check
from leadline.version import __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What all checks found, by their names. `at` is ISO 8601; `note` says why less is told than was found."""

    at: str
    findings: Mapping[str, Finding]
    note: str = ""

    @property
    def status(self) -> Status:
        """The worst of all."""
        return worst(finding.status for finding in self.findings.values())

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of what does not work."""
        return tuple(name for name, one in self.findings.items() if one.status is Status.UNHEALTHY)

    @property
    def degraded(self) -> tuple[str, ...]:
        """The names of what must be looked at."""
        return tuple(name for name, one in self.findings.items() if one.status is Status.DEGRADED)

    def body(self) -> dict[str, Json]:
        """Return it as JSON: the reference's keys, and more."""
        checks: dict[str, Json] = {}
        for name, finding in self.findings.items():
            group, dot, part = name.partition(".")
            if not dot:
                checks[group] = finding.body()
                continue
            nested = checks.setdefault(group, {})
            if isinstance(nested, dict):
                nested[part] = finding.body()
        told: dict[str, Json] = {"timestamp": self.at, "status": str(self.status), "version": __version__}
        return told | ({"note": self.note} if self.note else {}) | {"checks": checks}


def read_diagnosis(body: Mapping[str, Any]) -> Diagnosis:
    """Return what another process found, from its JSON. Raises `ValueError` for any other."""
    found: dict[str, Finding] = {}
    try:
        for name, check in body["checks"].items():
            nested = "status" not in check
            parts = {f"{name}.{part}": inner for part, inner in check.items()} if nested else {name: check}
            found |= {part: read_finding(inner) for part, inner in parts.items()}
        return Diagnosis(at=str(body["timestamp"]), findings=found, note=str(body.get("note", "")))
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError("no diagnosis in a form that this version knows") from error


async def examine(
    look: Look, *, only: Collection[str] = (), told: Callable[[str, Finding], None] | None = None
) -> Diagnosis:
    """Make every check, or `only` those of these names or groups; `told` hears of each as it ends."""
    checks = [check for check in CHECKS if not only or {check.name, check.name.partition(".")[0]} & set(only)]
    found: dict[str, Finding] = {}

    async def one(check: Check) -> None:
        found[check.name] = await _within(check, look)
        if told is not None:
            told(check.name, found[check.name])

    async with asyncio.TaskGroup() as group:
        for check in checks:
            group.create_task(one(check), name=f"doctor {check.name}")
    at = datetime.fromtimestamp(look.clock.now(), UTC).isoformat(timespec="seconds")
    return Diagnosis(at=at, findings={check.name: found[check.name] for check in checks})


async def _within(check: Check, look: Look) -> Finding:
    try:
        async with asyncio.timeout(check.seconds):
            return await check.run(look)
    except TimeoutError:
        return failed(f"gave no answer within {check.seconds:g} s", command=check.command, runbook=check.runbook)
    except LeadlineError as error:
        return failed(error, command=check.command, runbook=check.runbook)
    except Exception as error:  # noqa: BLE001 the border of a check: the others must be told of all the same
        cause = f"the check itself broke: {type(error).__name__}: {error}"
        return failed(cause, command="leadline doctor --debug", runbook=check.runbook)
