"""Strategies over a real model server: what their prompts repeat, and what many rounds cost."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.engine import WITH_MODEL, Told, rig

from leadline.domain import Budget, Options, StopReason, StrategyName, ToolCall
from leadline.events import ContextFolded, SourceStored
from leadline.model.openai_api import OpenAIModel
from leadline.research.strategies.react import called
from leadline.testing import Asked, Reply, ScriptedServer, prefix_reuse

WORDS = "The keeper trimmed the lamp, wrote the log of the night and waited for the boat with oil and bread. "
PAGES = {f"https://p{n}.test/": f"Lamp {n} was lit in {1700 + n}. " + WORDS * 12 for n in range(200)}
LONG = replace(WITH_MODEL, window=128_000, max_tokens=1_000, budget=Budget(steps=400, tokens=None, seconds=None))
REPORT = Reply(text="ANSWER: Lamp 0 was lit in 1700 [1].\n")


class Researcher:
    """A model that looks at page after page for `rounds` rounds, then answers; in iterresearch it keeps a report."""

    def __init__(self, rounds: int, *, reports: bool = False) -> None:
        self._rounds = rounds
        self._reports = reports
        self.made = 0
        self.cpu: list[float] = []

    def __call__(self, asked: Asked) -> Reply:
        if "numbered excerpts" in asked.system:
            return REPORT
        if "You keep the memory" in asked.system:
            return Reply(text="<summary>Many lamps were lit between 1700 and 1800.</summary>")
        self.cpu.append(time.process_time())
        number, self.made = self.made, self.made + 1
        known = re.findall(r"^\[(\d+)\] ", asked.last, re.MULTILINE)
        facts = "".join(f"Lamp {n} was lit early [{n}].\n" for n in known[-20:])
        text = (
            f"<report>Round {number}.\n{facts}</report>" if self._reports else f"Round {number}: on to the next lamp."
        )
        if number == self._rounds:
            return Reply(text=f"{text}\n<answer>Lamp 0 was lit in 1700.</answer>", chunk=4096)
        if number % 2:
            call = ToolCall(name="visit", arguments={"url": f"https://p{number // 2}.test/"}, id=f"c{number}")
        else:
            call = ToolCall(name="search", arguments={"query": f"lamp {number}", "num_results": 3}, id=f"c{number}")
        return Reply(text=text, tool_calls=(call,), chunk=4096)


async def told(folder: Path, script: Callable[[Asked], Reply], options: Options) -> tuple[Told, list[Asked]]:
    async with (
        ScriptedServer(script) as server,
        OpenAIModel(server.url) as model,
        rig(folder, model=model, pages=PAGES) as engine,
    ):
        return await engine.ask(options), server.requests


async def test_react_repeats_nearly_all_of_each_prompt(tmp_path: Path) -> None:
    """Over a run of the default number of steps."""
    ended, requests = await told(tmp_path, Researcher(49), LONG)
    assert ended.sure.stop_reason == StopReason.ANSWERED
    reuse = prefix_reuse(requests)
    assert reuse.requests == 49
    assert reuse.kept >= 0.999  # only the bracket that closes a list of messages may differ
    assert reuse.repeated >= 0.95
    assert reuse.repeated == pytest.approx(reuse.bound, abs=0.001)  # all that a conversation can repeat


async def test_resum_repeats_all_between_two_folds(tmp_path: Path) -> None:
    options = replace(LONG, strategy=StrategyName.RESUM, window=6_000)
    ended, requests = await told(tmp_path, Researcher(49), options)
    folds = len(ended.of(ContextFolded))
    assert folds >= 2
    gathering = [r for r in requests if "You are a research assistant" in r.system]
    reuse = prefix_reuse(gathering)
    assert reuse.repeated >= 0.8
    assert reuse.kept >= 0.75
    plain = [r for earlier, r in pairwise(gathering) if len(r.messages) > len(earlier.messages)]
    assert len(gathering) - 1 - len(plain) == folds


async def test_two_hundred_rounds_of_iterresearch_cost_the_same_each(tmp_path: Path) -> None:
    model = Researcher(200, reports=True)
    ended, requests = await told(tmp_path, model, replace(LONG, strategy=StrategyName.ITERRESEARCH))
    assert ended.sure.stop_reason == StopReason.ANSWERED
    assert len(ended.of(SourceStored)) == 100
    rounds = requests[:-1]
    assert len(rounds) == 201
    sizes = [sum(len(str(m["content"])) for m in r.messages) for r in rounds]
    for kind in (0, 1):  # after a search, after a visit
        early, late = sizes[10 + kind : 60 : 2], sizes[150 + kind : 200 : 2]
        assert statistics.mean(late) <= 1.05 * statistics.mean(early)
    assert {len(r.messages) for r in rounds} == {2}
    heads = {str(r.messages[1]["content"]).partition("Your working report:")[0] for r in rounds}
    assert len(heads) == 1
    spent = [later - earlier for earlier, later in pairwise(model.cpu)]
    assert statistics.median(spent[150:]) <= 2 * statistics.median(spent[10:60])


@pytest.mark.parametrize("strategy", [StrategyName.RESUM, StrategyName.ITERRESEARCH])
async def test_calls_in_text_are_understood_over_the_wire(tmp_path: Path, strategy: StrategyName) -> None:
    """A server without native calls gives them as text."""
    visit = called(ToolCall(name="visit", arguments={"url": "https://p0.test/"}))
    texts = [f"<report>None.</report>{visit}", "<report>1700 [1].</report><answer>In 1700 [1].</answer>"]

    def script(asked: Asked) -> Reply:
        return REPORT if "numbered excerpts" in asked.system else Reply(text=texts.pop(0))

    ended, _ = await told(tmp_path, script, replace(LONG, strategy=strategy))
    assert ended.sure.stop_reason == StopReason.ANSWERED
    assert ended.sure.answer == "Lamp 0 was lit in 1700."
