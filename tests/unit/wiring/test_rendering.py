"""What must be there before pages are rendered, and what cannot go together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from leadline.errors import MissingExtra, SettingsError
from leadline.fetch.guard import Guard
from leadline.fetch.urls import Target
from leadline.resilience import SystemClock
from leadline.settings import Settings, VisitSettings
from leadline.wiring import rendering
from leadline.wiring.outgoing import Outgoing

WANTED = Settings(visit=VisitSettings(render="fallback"))


@pytest.fixture
async def outgoing(tmp_path: Path) -> AsyncIterator[Outgoing]:
    async with Outgoing(WANTED, clock=SystemClock(), folder=tmp_path) as opened:
        yield opened


async def admit(url: str) -> Target:
    return Guard().target(url)


async def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, outgoing: Outgoing) -> None:
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"leadline\[browser\]"):
        await rendering.open_browser(WANTED, guard=Guard(), admit=admit, outgoing=outgoing)


async def test_an_outgoing_proxy_is_refused(outgoing: Outgoing) -> None:
    settings = replace(WANTED, proxy="http://proxy.example:3128")
    with pytest.raises(SettingsError, match="`proxy`"):
        await rendering.open_browser(settings, guard=Guard(), admit=admit, outgoing=outgoing)


async def test_a_program_that_is_none_is_refused(tmp_path: Path, outgoing: Outgoing) -> None:
    settings = Settings(visit=VisitSettings(render="fallback", browser=tmp_path / "none"))
    with pytest.raises(SettingsError):
        await rendering.open_browser(settings, guard=Guard(), admit=admit, outgoing=outgoing)
