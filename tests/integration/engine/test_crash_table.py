"""The crash table: what can befall workers, servers and disks, for every engine. 0 lost, 0 ended twice, 0 paid twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.crashes import Scenario, cells, staged


@pytest.mark.parametrize(("scenario", "engine", "runs", "seconds"), cells())
async def test_nothing_is_lost_or_done_twice(
    scenario: Scenario, engine: str, runs: int, seconds: float, tmp_path: Path
) -> None:
    async with staged(scenario, engine, tmp_path, runs=runs, seconds=seconds) as stage:
        await scenario.play(stage)
