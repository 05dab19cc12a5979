"""`POST /v1/tools/{tool}`: the tools of a run, one call at a time, in the shape of the tools' own services."""

from __future__ import annotations

import asyncio

from fastapi import Request
from fastapi.responses import Response

from leadline import codec
from leadline.errors import SettingsError, ToolMissing
from leadline.ports.access import Action
from leadline.service.answers import Problem
from leadline.service.leaving import ClientGone, while_there
from leadline.service.problems import plain_problem
from leadline.service.routing import Answers, Routes, caller_of, name_object, services_of
from leadline.service.tools.asked import Asked, PythonAsked, SearchAsked, VisitAsked
from leadline.service.tools.work import OFFERS, Call


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/tools", tag="tools")
    content = {"application/json": {"schema": {"type": "object"}}}
    told: Answers = {
        200: {"description": "What the tool gave.", "content": content},
        499: {"description": "The client has gone."},
    }
    for name, endpoint in (("search", search), ("visit", visit), ("scholar", scholar), ("python", python)):
        made.add("POST", f"/{name}", endpoint, action=Action.TOOLS_CALL, answers=told, errors=(404, 501, 502, 504))
    return made


async def search(taken: SearchAsked, request: Request) -> Response:
    """Search the web."""
    return await _called("search", taken, request)


async def visit(taken: VisitAsked, request: Request) -> Response:
    """Read a page: what serves the goal, and its stored text."""
    return await _called("visit", taken, request)


async def scholar(taken: SearchAsked, request: Request) -> Response:
    """Search scholarly works."""
    return await _called("scholar", taken, request)


async def python(taken: PythonAsked, request: Request) -> Response:
    """Run a program in the sandbox; it has no network."""
    if not services_of(request).platform.can_compute:
        raise ToolMissing("this service runs no programs: it has no sandbox")
    return await _called("python", taken, request)


async def _called(tool: str, taken: Asked, request: Request) -> Response:
    """Do a tool's work, which ends when its client goes away."""
    name_object(request, tool)
    services, offer = services_of(request), OFFERS[tool]
    call = Call(asked=taken, tenant=caller_of(request).tenant, seconds=offer.seconds)
    try:
        result = await while_there(request.receive, offer.work(services.platform.tools, call), seconds=call.seconds)
    except ClientGone:
        return Response(status_code=499)
    except TimeoutError:
        return Problem(plain_problem(504, "deadline", f"the tool took longer than {offer.seconds:g} seconds"))
    except SettingsError as error:
        raise ToolMissing("this service is not set up for this tool") from error
    return Response(await asyncio.to_thread(codec.encode, result), media_type="application/json")
