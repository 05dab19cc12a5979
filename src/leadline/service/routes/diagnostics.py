"""What works here and what does not: `leadline doctor` over HTTP, for admins."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response

from leadline.domain import Json
from leadline.ops.doctor import Diagnosis, Look, examine
from leadline.ports.access import Action
from leadline.service.deps import CallerDep, ServicesDep
from leadline.service.routing import Answers, Routes
from leadline.wiring.redaction import cleaned, redaction_of

FRESH_SECONDS: Final = 5.0
"""Seconds for which one examination answers all who ask: each asks models and providers anew."""

Paid: TypeAlias = Annotated[bool, Query(description="Ask also what costs money.")]

_TOLD: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["timestamp", "status", "version", "checks"],
    "properties": {
        "timestamp": {"type": "string", "format": "date-time"},
        "status": {"type": "string", "enum": ["off", "healthy", "degraded", "unhealthy"]},
        "version": {"type": "string"},
        "note": {"type": "string", "description": "Why there are no causes, where there are none."},
        "checks": {"type": "object", "additionalProperties": {"type": "object"}},
    },
}


LESS: Final = (
    "this key sees what works and what does not: causes, commands and addresses are shown to admins of the tenants "
    "that run the service (setting `service.operators`)"
)
"""Why an outline is one."""

NOT_PAID: Final = "; nothing was asked that costs money"

_OUTLINE: Final = ("timestamp", "status", "version", "latency_ms", "response_valid")


@dataclass(slots=True)
class _Latest:
    """The last examination by whether it was paid for, and the right to make the next one."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    found: dict[bool, tuple[float, Diagnosis]] = field(default_factory=dict)


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/diagnostics", tag="service")
    answers: Answers = {200: {"description": "What was found.", "content": {"application/json": {"schema": _TOLD}}}}
    made.add("GET", "", diagnostics, action=Action.DIAGNOSTICS_READ, answers=answers)
    return made


async def diagnostics(request: Request, paid: Paid = False, *, services: ServicesDep, caller: CallerDep) -> Response:  # noqa: FBT002 a query parameter
    """Examine the service: models, tools, stores, queue, cache, sandbox, machine.

    Admins of the tenants that run the service (setting `service.operators`, at first `local`) see causes,
    commands and addresses, and may have paid for what costs money; admins of other tenants see what works
    and what does not, and in `note` why they see no more.
    """
    operator = caller.tenant in services.settings.service.operators
    look = Look(settings=services.settings, paid=paid and operator, clock=services.platform.clock)
    diagnosis = await _examined(request, look)
    if not operator:
        return JSONResponse({**outlined(diagnosis.body()), "note": LESS + (NOT_PAID if paid else "")})
    return JSONResponse(cleaned(diagnosis.body(), redaction_of(services.settings)))


async def _examined(request: Request, look: Look) -> Diagnosis:
    """Return what was found a moment ago, else look: one at a time."""
    state = request.app.state
    if not hasattr(state, "diagnoses"):
        state.diagnoses = _Latest()
    latest: _Latest = state.diagnoses
    async with latest.turn:
        at, found = latest.found.get(look.paid, (0.0, None))
        if found is None or look.clock.now() - at > FRESH_SECONDS:
            found = await examine(look)
            latest.found[look.paid] = (look.clock.now(), found)
        return found


def outlined(body: Mapping[str, Any]) -> dict[str, Json]:
    """Return a diagnosis without causes, addresses and figures: what those may know who do not run the service."""
    told: dict[str, Json] = {name: body[name] for name in _OUTLINE if name in body}
    if "checks" in body:
        told["checks"] = {name: _outline(check) for name, check in body["checks"].items()}
    return told


def _outline(check: Mapping[str, Any]) -> dict[str, Json]:
    if "status" in check:
        return {name: check[name] for name in _OUTLINE if name in check}
    return {name: _outline(part) for name, part in check.items()}
