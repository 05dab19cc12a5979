"""`GET /metrics` on a port of its own, for a process that serves nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from leadline.errors import SettingsError
from leadline.telemetry.exposition import CONTENT_TYPE


@asynccontextmanager
async def serving(text: Callable[[], Awaitable[bytes]], *, host: str, port: int) -> AsyncIterator[int]:
    """Serve `text` (and `/healthz`) while the context is open; yield the port. Raises `SettingsError`."""

    async def metrics(request: web.Request) -> web.Response:
        del request
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
