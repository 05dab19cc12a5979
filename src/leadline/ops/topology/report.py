"""How all parts do, for people and programs: what the supervisor wrote, held against what is really there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from leadline.domain import Json
from leadline.ops.topology.home import Home, Plan
from leadline.ops.topology.state import PartState, PartStatus, Phase, State, is_held, leftovers
from leadline.resilience import SystemClock

WELL: Final = frozenset({PartState.READY, PartState.DONE})


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReport:
    """One part. `uptime` is seconds since its process began."""

    name: str
    state: PartState
    pid: int | None
    uptime: float | None
    restarts: int
    address: str
    log: str
    detail: str

    def json(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "name": self.name,
            "state": self.state.value,
            "pid": self.pid,
            "uptime_seconds": None if self.uptime is None else round(self.uptime, 1),
            "restarts": self.restarts,
            "address": self.address,
            "log": self.log,
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All of it. `supervisor` is its process, where there is one."""

    phase: Phase
    detail: str
    supervisor: int | None
    url: str
    parts: tuple[PartReport, ...]
    left_out: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether all is up and each part answers."""
        return self.phase is Phase.UP and all(part.state in WELL for part in self.parts)

    def json(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "phase": self.phase.value,
            "detail": self.detail,
            "well": self.well,
            "supervisor": self.supervisor,
            "url": self.url,
            "parts": [part.json() for part in self.parts],
            "left_out": dict(self.left_out),
        }


def report_of(home: Home, plan: Plan) -> Report:
    """Return how all parts do now."""
    state = State.read(home.state)
    url = f"https://localhost:{plan.port}"
    if state is None:
        return Report(phase=Phase.DOWN, detail="", supervisor=None, url=url, parts=(), left_out={})
    supervised = is_held(home.lock)
    phase, detail, parts = state.phase, state.detail, state.parts
    if not supervised and phase not in {Phase.DOWN, Phase.FAILED}:
        left = {part.name for part in leftovers(state)}
        phase = Phase.FAILED
        detail = (
            f"the supervisor is gone, {len(left)} parts still run: leadline up starts anew, leadline down ends them"
        )
        parts = tuple(_without(part, runs=part.name in left) for part in parts)
    now = SystemClock().now()
    return Report(
        phase=phase,
        detail=detail,
        supervisor=state.pid if supervised else None,
        url=url,
        parts=tuple(_reported(part, now) for part in parts),
        left_out=plan.left_out,
    )


def _without(part: PartStatus, *, runs: bool) -> PartStatus:
    return part if runs or part.state is PartState.DONE else replace(part, state=PartState.STOPPED, pid=None)


def _reported(part: PartStatus, now: float) -> PartReport:
    runs = part.pid is not None and part.since is not None
    return PartReport(
        name=part.name,
        state=part.state,
        pid=part.pid,
        uptime=max(0.0, now - part.since) if runs and part.since is not None else None,
        restarts=part.restarts,
        address=part.address,
        log=part.log,
        detail=part.detail,
    )
