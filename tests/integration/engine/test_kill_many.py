"""A worker that holds 200 runs is killed: all go on within a lease and three seconds, nothing is paid twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.engine.test_crash import SCRIPT
from tests.support.crash_child import LEASE, RUN

from leadline.domain import RunState
from leadline.events import ModelAnswered, ModelAsked, RunFinished, ToolAnswered, ToolAsked
from leadline.tasks.sqlite.store import SqliteStore
from leadline.testing import ScriptedServer
from leadline.worker import journal

ROOT = Path(__file__).parents[3]
RUNS = 200
SLOW = [replace(rule, reply=replace(rule.reply, first_delay=1.5)) for rule in SCRIPT]


async def _started(folder: Path, model: str, *, fresh: bool) -> asyncio.subprocess.Process:
    wish = {"folder": str(folder), "model": model, "strategy": "react", "many": RUNS, "fresh": fresh}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.crash_child",
        json.dumps(wish),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_two_hundred_held_runs_survive_a_kill(tmp_path: Path) -> None:
    async with ScriptedServer(SLOW) as server:
        first = await _started(tmp_path, server.url, fresh=True)
        assert first.stdout is not None
        await asyncio.wait_for(first.stdout.readline(), 60)
        first.send_signal(signal.SIGKILL)
        killed = time.time()
        await first.wait()

        async with SqliteStore.open(tmp_path / "runs.db") as store:
            before = {n: await journal(store, f"{RUN}-{n}") for n in range(RUNS)}
        lost = sum(
            len(
                {r.event.call for r in records if isinstance(r.event, ModelAsked)}
                - {r.event.call for r in records if isinstance(r.event, ModelAnswered)}
            )
            for records in before.values()
        )
        second = await _started(tmp_path, server.url, fresh=False)
        assert second.stdout is not None
        held = float(await asyncio.wait_for(second.stdout.readline(), 60))
        assert held - killed < LEASE + 3.0
        assert await asyncio.wait_for(second.wait(), 120) == 0

        async with SqliteStore.open(tmp_path / "runs.db") as store:
            asked = 0
            for number in range(RUNS):
                run = await store.get(f"{RUN}-{number}", tenant="local")
                records = await journal(store, run.id)
                kinds = Counter(type(r.event) for r in records)
                assert run.state is RunState.DONE
                assert kinds[RunFinished] == 1
                assert kinds[ToolAsked] == kinds[ToolAnswered]
                asked += kinds[ModelAsked]
            assert len(server.requests) <= asked + lost
