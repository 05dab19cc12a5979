"""`GET /metrics` on a port of its own, for a process that serves nothing else; whoever may read it gets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from leadline.errors import SettingsError
from leadline.telemetry.exposition import CONTENT_TYPE
from leadline.telemetry.gate import Gate


@asynccontextmanager
async def serving(text: Callable[[], Awaitable[bytes]], *, gate: Gate, host: str, port: int) -> AsyncIterator[int]:
    """Serve `text` (and `/healthz`) while the context is open; yield the port. Raises `SettingsError`."""

    async def metrics(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not gate.lets_in(_peer(request), headers):
            challenge = {"WWW-Authenticate": "Bearer"}
            return web.json_response({"detail": gate.refusal}, status=401, headers=challenge)
        return web.Response(body=await text(), headers={"Content-Type": CONTENT_TYPE})

    async def healthz(request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"metrics: cannot listen on {host}, port {port}: {error.strerror or error}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _peer(request: web.Request) -> str:
    """Return the address of the connection itself, whatever headers say."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(peer[0]) if peer else ""
