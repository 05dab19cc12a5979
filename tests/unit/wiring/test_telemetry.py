"""What is read from elsewhere whenever somebody asks for metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.support.telemetry import Counted

from leadline.errors import SettingsError, StoreUnavailable
from leadline.ports import Depth, Run
from leadline.settings import load
from leadline.telemetry import exposition
from leadline.wiring.telemetry import Telemetry
from leadline.wiring.watched import watched_parts


class Figures:
    """`RunFigures` of a store that answers, refuses or hangs."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def depth(self, *, tenant: str | None = None) -> Depth:
        if self.how == "refuses":
            raise StoreUnavailable("the store is away")
        if self.how == "hangs":
            await asyncio.Event().wait()
        return Depth(claimable=3)

    async def depths(self) -> Mapping[str, Depth]:
        return {}

    async def ended(self, *, before: float, tenant: str | None = None, limit: int = 500) -> Sequence[Run]:
        return []


@pytest.mark.parametrize(("how", "reached"), [("answers", 1), ("refuses", 0), ("hangs", 0)])
async def test_whether_the_store_is_reached_is_told(
    how: str, reached: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "REFRESH_SECONDS", 0.05)
    counted = Counted()
    told = Telemetry(signals=counted.told, metrics=counted.exposition)
    told.watch(Figures(how), None, tmp_path)
    samples = await counted.samples()
    assert samples["leadline_reachable{'part': 'store'}"] == reached
    assert samples.get("leadline_queue_runs{'state': 'claimable'}", 0) == 3 * reached
    assert 0 < samples["leadline_disk_free_ratio{'folder': 'data'}"] <= 1


@pytest.mark.parametrize(("how", "reached"), [("answers", 1), ("refuses", 0), ("hangs", 0)])
async def test_whether_each_server_beside_it_is_reached_is_told(
    how: str, reached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "REFRESH_SECONDS", 0.05)
    counted = Counted()
    told = Telemetry(signals=counted.told, metrics=counted.exposition)
    told.watch_parts({"broker": Figures(how).depth, "cache": Figures("answers").depth})
    samples = await counted.samples()
    assert samples["leadline_reachable{'part': 'broker'}"] == reached
    assert samples["leadline_reachable{'part': 'cache'}"] == 1


def test_the_servers_of_the_settings_are_watched() -> None:
    alone = load(environ={})
    assert not watched_parts(alone)
    apart = load(
        environ={
            "LEADLINE_ENGINE": "celery+redis://127.0.0.1:1/0",
            "LEADLINE_STORE": "postgresql://127.0.0.1:1/x",
            "LEADLINE_CACHE": "redis://127.0.0.1:2/0",
            "LEADLINE_LIMITS": "redis://127.0.0.1:1/1",
        }
    )
    assert set(watched_parts(apart)) == {"broker", "cache", "limits"}


async def test_a_process_without_a_store_tells_nothing_of_one() -> None:
    assert "leadline_reachable{'part': 'store'}" not in await Counted().samples()


async def test_who_counts_nothing_shows_nothing() -> None:
    with pytest.raises(SettingsError, match="counts nothing"):
        await Telemetry().text()
    with pytest.raises(SettingsError, match="counts nothing"):
        async with Telemetry().served("127.0.0.1", 0):
            raise AssertionError("there is nothing to show")
