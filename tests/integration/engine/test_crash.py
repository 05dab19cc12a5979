"""A worker is killed before and after every append; another goes on. Nothing is lost, nothing paid twice.

What was in flight (its intent durable, its outcome not) may be issued again, once; everything else
is made exactly once, as the scripted server and the log of tool calls count it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.crash_child import RUN, Counted
from tests.support.plans import served

from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import InlineCpu
from leadline.domain import RunState, StrategyName, ToolCall
from leadline.events import ContextFolded, ModelAnswered, ModelAsked, Record, RunFinished, ToolAnswered, ToolAsked
from leadline.research.pipeline import conduct
from leadline.research.recorder import Recorder
from leadline.research.reporting.report import from_json, to_json
from leadline.research.study import Means
from leadline.tasks.sqlite.store import SqliteStore
from leadline.testing import ScriptedModel, ScriptedServer
from leadline.testing.script import Reply, Rule, Script
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool
from leadline.worker import finished, journal

ROOT = Path(__file__).parents[3]
APPENDS = {StrategyName.REACT: range(1, 13), StrategyName.EXTRACTIVE: range(1, 10)}
"""Kill points tried; runs have fewer appends than this, which each test of the last one shows."""

SAMPLED = {
    StrategyName.RESUM: (2, 7, 8, 9, 10),
    StrategyName.ITERRESEARCH: (3, 6),
    StrategyName.PLAN: (3, 7, 11, 15, 19),
    StrategyName.HEAVY: (5, 10),
}
"""Kill points of strategies whose appends are those of `react`, but for a fold, a report or parts side by side."""

SCRIPT = [
    Rule(
        system="numbered excerpts",
        reply=Reply(text="ANSWER: The first was lit in 1698 [1].\n\n## More\nThe third was lit in 1759 [3]."),
    ),
    Rule(
        turn=0,
        reply=Reply(
            tool_calls=(
                ToolCall(name="search", arguments={"query": "Eddystone first"}, id="a"),
                ToolCall(name="search", arguments={"query": "Eddystone third"}, id="b"),
            )
        ),
    ),
    Rule(
        turn=1,
        reply=Reply(
            tool_calls=(
                ToolCall(name="visit", arguments={"url": "https://one.test/"}, id="c"),
                ToolCall(name="visit", arguments={"url": "https://two.test/"}, id="d"),
                ToolCall(name="visit", arguments={"url": "https://three.test/"}, id="e"),
            )
        ),
    ),
    Rule(turn=2, reply=Reply(text="<answer>1698 and 1759.</answer>")),
]

FOLDED = [
    Rule(system="You keep the memory", reply=Reply(text="<summary>Lit in 1698 and 1759.</summary>")),
    Rule(last="Lit in 1698 and 1759", reply=Reply(text="<answer>1698 and 1759.</answer>")),
    *SCRIPT,
]

ROUNDS = [
    SCRIPT[0],
    *(
        Rule(last=pattern, reply=replace(rule.reply, text=f"<report>{report}</report>{rule.reply.text}"))
        for pattern, report, rule in (
            (r"\(empty\)", "Nothing yet.", SCRIPT[1]),
            (r"Nothing yet\.", "Three pages.", SCRIPT[2]),
            (r"Three pages\.", "Lit in 1698 [1] and 1759 [3].", SCRIPT[3]),
        )
    ),
]

SCRIPTS: dict[StrategyName, Script] = {
    StrategyName.RESUM: FOLDED,
    StrategyName.ITERRESEARCH: ROUNDS,
    StrategyName.PLAN: served,
    StrategyName.HEAVY: served,
}


async def child(warm: Path, folder: Path, model: str, **wish: object) -> int:
    """Run a worker in a process of its own and return its exit code."""
    told = json.dumps({"folder": str(folder), "model": model, **wish})
    process = await asyncio.create_subprocess_exec(
        warm, "-m", "tests.support.crash_child", told, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode in {0, -signal.SIGKILL}, errors.decode()
    return process.returncode


def run_out(store: Path) -> None:
    """End the lease that the killed worker held, as its time would."""
    with closing(sqlite3.connect(store)) as connection, connection:
        held = connection.execute("UPDATE run SET lease_until = created_at WHERE owner IS NOT NULL").rowcount
    assert held == 1


def in_flight(records: Sequence[Record]) -> set[str]:
    """Return the ids of calls whose intent is durable and whose outcome is not."""
    asked = {r.event.call for r in records if isinstance(r.event, ModelAsked | ToolAsked)}
    return asked - {r.event.call for r in records if isinstance(r.event, ModelAnswered | ToolAnswered)}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("strategy", "kill_at"), [(s, n) for s, points in {**APPENDS, **SAMPLED}.items() for n in points]
)
async def test_a_killed_run_goes_on_and_pays_nothing_twice(
    warm: Path, tmp_path: Path, strategy: StrategyName, kill_at: int, when: str
) -> None:
    async with ScriptedServer(SCRIPTS.get(strategy, SCRIPT)) as server:
        wish = {"strategy": strategy.value}
        code = await child(warm, tmp_path, server.url, fresh=True, kill_at=kill_at, when=when, **wish)
        async with SqliteStore.open(tmp_path / "runs.db") as store:
            before = await journal(store, RUN)
            ended = (await store.get(RUN, tenant="local")).state.ended
        lost = in_flight(before)
        if not ended:
            await asyncio.to_thread(run_out, tmp_path / "runs.db")
            assert await child(warm, tmp_path, server.url, fresh=False, **wish) == 0
        else:
            assert code == 0 or when == "after"

        async with SqliteStore.open(tmp_path / "runs.db") as store, DirectoryBlobs(tmp_path / "blobs") as blobs:
            run = await store.get(RUN, tenant="local")
            records = await journal(store, RUN)
            assert run.state is RunState.DONE
            assert [r.seq for r in records] == list(range(1, len(records) + 1))
            assert sum(isinstance(r.event, RunFinished) for r in records) == 1
            assert records[: len(before)] == before
            assert in_flight(records) == set()
            log = tmp_path / "calls.log"
            lines = await asyncio.to_thread(log.read_text) if log.exists() else ""
            _nothing_paid_twice(server.counts, Counter(lines.splitlines()), records=records, lost=lost)
            assert any(isinstance(r.event, ContextFolded) for r in records) is (strategy is StrategyName.RESUM)
            await _replays(run.report or "", records, blobs)


def _nothing_paid_twice(
    asked: Counter[str], counted: Counter[str], *, records: Sequence[Record], lost: set[str]
) -> None:
    models = [r.event.call for r in records if isinstance(r.event, ModelAsked)]
    assert sum(asked.values()) <= len(models) + len(lost & set(models))
    assert all(count == 1 for count in asked.values()) or lost & set(models)
    tools = [r.event for r in records if isinstance(r.event, ToolAsked)]
    again = {tuple(sorted(map(str, e.arguments.values()))) for e in tools if e.call in lost}
    for line, count in counted.items():
        word = line.split(" ", 1)[1]
        allowed = 2 if any(word in argument for arguments in again for argument in arguments) else 1
        assert count <= allowed, f"{line} was made {count} times"


async def _replays(report: str, records: Sequence[Record], blobs: DirectoryBlobs) -> None:
    """The journal of a resumed run leads to the same bytes once more, with nothing outside."""
    cpu = InlineCpu()
    counted = Counted(Path("/nonexistent"))
    means = Means(
        tools=ToolSet([SearchTool([counted]), VisitTool([counted], cpu=cpu)]), cpu=cpu, model=ScriptedModel([])
    )
    recorder = Recorder(run_id=RUN, tenant="local", records=records, blobs=blobs, outside=None)
    conclusion = await conduct(recorder, means)
    assert conclusion.report is not None
    assert to_json(conclusion.report) == await blobs.get("local", report)
    await recorder.finish(finished(conclusion, report))
    assert from_json(await blobs.get("local", report)) == conclusion.report
