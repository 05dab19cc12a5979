"""Who may read the metrics of a service and of a tool's service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from tests.support.service import listening, settings_for
from tests.support.tool_services import CannedHost, tool_service

from leadline.service.app import create_app
from leadline.service.serving import Leaving
from leadline.settings import Settings
from leadline.wiring.telemetry import Telemetry, telemetry

pytestmark = pytest.mark.blocking("opens a log and a store, whose parts read small files")
KEY = "metrics-key"


async def status(url: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics", headers=named) as reply:
        text = await reply.text()
        assert ("leadline_build_info" in text) == (reply.status == 200)
        return reply.status


async def of_service(settings: Settings, told: Telemetry) -> list[int]:
    leaving = Leaving()
    api = await asyncio.to_thread(create_app, settings, leaving=leaving, telemetry=told)
    async with api.router.lifespan_context(api), listening(api, leaving) as url:
        return [
            await status(url),
            await status(url, X_Forwarded_For="192.0.2.1"),
            await status(url, Host="attacker.example"),
            await status(url, Authorization=f"Bearer {KEY}"),
        ]


async def test_without_a_key_only_this_machine_reads(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path)
    with telemetry(settings, "service", metrics=True) as told:
        assert await of_service(settings, told) == [200, 401, 401, 200]


async def test_with_a_key_it_alone_opens(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path, **{"metrics.key": KEY})
    with telemetry(settings, "service", metrics=True) as told:
        assert await of_service(settings, told) == [401, 401, 401, 200]


async def test_a_tools_service_takes_either_key(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path, **{"metrics.key": KEY, "tools.key": "tool-key"})
    with telemetry(settings, "tools", metrics=True) as told:
        async with tool_service("search", CannedHost(), key="tool-key", telemetry=told) as url:
            assert await status(url) == 401
            assert await status(url, Authorization=f"Bearer {KEY}") == 200
            assert await status(url, Authorization="Bearer tool-key") == 200
            assert await searched(url) == 401, "the key of metrics searches nothing"


async def searched(url: str) -> int:
    headers, asked = {"Authorization": f"Bearer {KEY}"}, {"query": "q"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/search", json=asked) as reply:
        return reply.status
