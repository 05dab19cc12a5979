"""A diagnosis for a person: one line a check, then what to do."""

from __future__ import annotations

from typing import Final

from leadline.ops.doctor.diagnosis import Diagnosis
from leadline.ops.doctor.finding import Finding, Status

_MARKS: Final = {Status.HEALTHY: "ok", Status.OFF: "-", Status.DEGRADED: "warn", Status.UNHEALTHY: "FAIL"}
_WIDTH: Final = 110


def shown_text(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as lines of text."""
    width = max((len(name) for name in diagnosis.findings), default=0)
    lines = [_line(name, finding, width) for name, finding in diagnosis.findings.items()]
    troubles = [(name, one) for name, one in diagnosis.findings.items() if one.cause]
    troubles.sort(key=lambda pair: pair[1].status is not Status.UNHEALTHY)
    for name, finding in troubles:
        lines += ["", *_trouble(name, finding)]
    lines += ["", f"note: {diagnosis.note}"] if diagnosis.note else []
    return "\n".join([*lines, "", _verdict(diagnosis)])


def _line(name: str, finding: Finding, width: int) -> str:
    told = " ".join(finding.told.split())
    cut = told if len(told) <= _WIDTH else f"{told[: _WIDTH - 3]}..."
    return f"{_MARKS[finding.status]:<4}  {name:<{width}}  {cut}"


def _trouble(name: str, finding: Finding) -> list[str]:
    bad = {part: one for part, one in finding.parts.items() if one.cause}
    lines = [f"{_MARKS[finding.status]} {name}: {finding.cause}"]
    if len(bad) > 1:
        lines[0] = f"{_MARKS[finding.status]} {name}:"
        lines += [f"  cause:   {one.cause}" for one in bad.values()]
    lines += [f"  next:    {finding.command}"] if finding.command else []
    return lines + ([f"  runbook: {finding.runbook}"] if finding.runbook else [])


def _verdict(diagnosis: Diagnosis) -> str:
    failed, warned = len(diagnosis.failed), len(diagnosis.degraded)
    if not failed and not warned:
        return "everything that is set works"
    parts = [f"{failed} of {len(diagnosis.findings)} checks failed"] if failed else []
    parts += [f"{warned} warning{'s' if warned > 1 else ''}"] if warned else []
    return ", ".join(parts)
