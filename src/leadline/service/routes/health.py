"""Whether the process is there, whether it takes requests, what it can be asked."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from leadline.errors import LeadlineError
from leadline.service.routing import Routes, services_of

_PATIENCE: Final = 2.0
_STATUS: Final = {"schema": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}}


def routes() -> Routes:
    """Return the routes."""
    made = Routes("", tag="service")
    there = {"description": "It is there.", "content": {"application/json": _STATUS}}
    not_now = {"description": "Not now.", "content": {"application/json": _STATUS}}
    made.add("GET", "/healthz", healthz, action=None, answers={200: there})
    made.add("GET", "/readyz", readyz, action=None, answers={200: there, 503: not_now})
    made.add("GET", "/openapi.json", openapi, action=None, shown=False)
    return made


async def healthz() -> Response:
    """Tell that the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Tell whether the process takes requests: it does not leave, and reaches its store."""
    services = services_of(request)
    if services.leaving.now:
        return JSONResponse({"status": "leaving"}, status_code=503)
    try:
        async with asyncio.timeout(_PATIENCE):
            await services.platform.store.depth()
    except (LeadlineError, TimeoutError):
        return JSONResponse({"status": "store_away"}, status_code=503)
    return JSONResponse({"status": "ready"})


async def openapi(request: Request) -> Response:
    """Describe the service."""
    return JSONResponse(request.app.openapi())
