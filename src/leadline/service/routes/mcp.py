"""`POST /mcp`: the Model Context Protocol over streamable HTTP, with the same keys as everything else."""

from __future__ import annotations

import asyncio

from fastapi import Request
from fastapi.responses import Response

from leadline.errors import ToolMissing
from leadline.ports.access import Action
from leadline.service.asgi import Asgi, Receive, Scope, Send
from leadline.service.deps import CallerDep, ServicesDep
from leadline.service.mcp.service_desk import ServiceDesk
from leadline.service.routing import Routes


def routes() -> Routes:
    """Return the routes. What is sent is JSON-RPC, which an OpenAPI document cannot describe."""
    made = Routes("/mcp", tag="mcp")
    made.add("POST", "", speak, action=Action.RUNS_READ, errors=(501,), shown=False, audits=False)
    return made


async def speak(request: Request, services: ServicesDep, caller: CallerDep) -> Response:
    """Answer a message of a host."""
    desk = ServiceDesk(services, caller, request=request)
    # The library takes a second to import, the first time.
    return _Spoken(await asyncio.to_thread(_answerer, desk))


class _Spoken(Response):
    """The library's own answer to a request."""

    def __init__(self, answer: Asgi) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await self._answer(scope, receive, send)


def _answerer(desk: ServiceDesk) -> Asgi:
    try:
        from leadline.service.mcp.server import answerer, server_of  # noqa: PLC0415 an extra
    except ImportError as error:
        raise ToolMissing("this service does not speak MCP: it lacks the extra `mcp`") from error
    return answerer(server_of(desk, desk))
