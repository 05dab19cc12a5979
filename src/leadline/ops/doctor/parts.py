"""The parts of `leadline up`, where its settings are in force: what its supervisor says of each."""

from __future__ import annotations

import asyncio

from leadline.ops.doctor.finding import Finding, Status, off
from leadline.ops.doctor.look import Look
from leadline.ops.topology.home import Home, Plan
from leadline.ops.topology.report import WELL, PartReport, Report, report_of
from leadline.ops.topology.state import PartState, Phase

_PAGE = "docs/operations.md#4-look"


async def parts(look: Look) -> Finding:
    """Tell of each part whether it answers."""
    home = Home.around(look.settings)
    if home is None:
        return off("`leadline up` has not started this")
    report = await asyncio.to_thread(lambda: report_of(home, Plan.read(home.plan)))
    if report.phase is Phase.DOWN:
        return off("what `leadline up` starts is down")
    found = {part.name: _part(part) for part in report.parts}
    down = [part for part in report.parts if part.state not in WELL]
    if report.well:
        return Finding(told=f"{len(found)} parts answer", parts=found)
    return Finding(
        status=Status.UNHEALTHY,
        told=_told(report, down),
        cause=_told(report, down),
        command=found[down[0].name].command if report.phase is Phase.UP else "leadline status",
        runbook=_PAGE,
        parts=found,
    )


def _told(report: Report, down: list[PartReport]) -> str:
    if report.phase is not Phase.UP:
        return f"{report.phase}: {report.detail}" if report.detail else f"it is {report.phase}"
    return "; ".join(f"{part.name} is {part.state}" + (f" ({part.detail})" if part.detail else "") for part in down)


def _part(part: PartReport) -> Finding:
    if part.state in WELL:
        return Finding(told=part.state.value)
    word = "start" if part.state is PartState.HELD else "logs"
    return Finding(
        status=Status.UNHEALTHY,
        told=part.state.value,
        cause=part.detail or part.state.value,
        command=f"leadline {word} {part.name}",
        runbook=_PAGE,
    )
