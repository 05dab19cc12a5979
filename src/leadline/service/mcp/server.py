"""The protocol's server over a desk; needs the extra `mcp`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from leadline.errors import LeadlineError, SettingsError, StoreError, WorkDied
from leadline.service.asgi import Asgi, Receive, Scope, Send
from leadline.service.mcp.desk import Desk
from leadline.service.mcp.tools import OFFERS, Offer, Told, called, offer_of
from leadline.version import __version__

log = logging.getLogger("leadline.service")

BROKE = "mcp_tool_broke"
"""Name of the log line of a failure that should not be."""

_INNER = (SettingsError, StoreError, WorkDied)
_HIDDEN = "the service could not do it; its log tells more"


class Watch(Protocol):
    """Who looks on while a host calls tools: permits, and writes down."""

    def permits(self, offer: Offer) -> None:
        """Raise `NotPermitted` where the caller may not call a tool."""
        ...

    async def did(self, offer: Offer, about: str, *, error: LeadlineError | None) -> None:
        """Take note of a call, of the run that it was about (`""`: of none), and of how it failed, if it did."""
        ...


def server_of(desk: Desk, watch: Watch | None = None) -> Server[Any]:
    """Return a server of the six tools; `watch` says who may call which, and hears of each call."""

    async def listed(_context: Any, _asked: Any) -> types.ListToolsResult:  # noqa: ANN401 the library's own
        return types.ListToolsResult(tools=[_tool(offer) for offer in OFFERS.values()])

    async def call(_context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:  # noqa: ANN401 as above
        try:
            told = await _watched(desk, offer_of(asked.name), asked.arguments or {}, watch=watch)
        except LeadlineError as error:
            return _failed(error)
        text = types.TextContent(type="text", text=told.text)
        value = None if told.value is None else dict(told.value)
        return types.CallToolResult(content=[text], structured_content=value)

    return Server(
        "leadline",
        version=__version__,
        instructions="Research with checked citations: start a run, ask for its result, cite what it cites.",
        on_list_tools=listed,
        on_call_tool=call,
    )


async def _watched(desk: Desk, offer: Offer, arguments: Mapping[str, Any], *, watch: Watch | None) -> Told:
    if watch is None:
        return await called(desk, offer, arguments)
    about = str(arguments.get("run_id") or "")
    try:
        watch.permits(offer)
        told = await called(desk, offer, arguments)
    except LeadlineError as error:
        await watch.did(offer, about, error=error)
        raise
    await watch.did(offer, about or str((told.value or {}).get("run_id") or ""), error=None)
    return told


async def serve_stdio(desk: Desk) -> None:
    """Serve the host that started this process, until it closes standard input."""
    server = server_of(desk)
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


def answerer(server: Server[Any]) -> Asgi:
    """Return what answers one request of the streamable HTTP transport.

    Nothing is kept between two requests, so that any process may answer the next one.
    """
    manager = StreamableHTTPSessionManager(app=server, stateless=True, json_response=True)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    return answer


def _tool(offer: Offer) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=offer.reads, destructive_hint=False, open_world_hint=True)
    spec = offer.spec
    return types.Tool(
        name=spec.name, description=spec.description, input_schema=dict(spec.parameters), annotations=hints
    )


def _failed(error: LeadlineError) -> types.CallToolResult:
    inner = isinstance(error, _INNER)
    if inner:
        log.warning(BROKE, extra={"code": error.code, "reason": str(error)})
    message = f"Error ({error.code}): {_HIDDEN if inner else error}"
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], is_error=True)
