"""What each strategy's prompts repeat: the share that a server's prefix cache can serve.

    python benchmarks/prefix.py [--rounds 50] [--json]

A scripted model searches and reads example documents in turn, then answers. Bytes of tools and
messages as the server received them, over the requests of gathering. `repeated` is the share of
all bytes asked that the request before began with too, `bound` what it could be at most; `kept` the
share of the request before that stands unchanged at the start of the next. ReSum's window is made
small, so that it folds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from _agent import Pages, engine

from leadline.domain import Budget, Options, Question, StrategyName, ToolCall
from leadline.events import ContextFolded
from leadline.ports import NewRun
from leadline.testing.prefixes import prefix_reuse
from leadline.testing.script import Asked, Reply
from leadline.testing.server import ScriptedServer
from leadline.worker import journal

WINDOWS = {StrategyName.REACT: 200_000, StrategyName.RESUM: 8_000, StrategyName.ITERRESEARCH: 8_000}


class Row(NamedTuple):
    """A strategy's figures; `prompt_kb` is the size of a request on average, `last_kb` that of the last one."""

    repeated: float
    bound: float
    kept: float
    prompt_kb: float
    last_kb: float
    requests: int
    folds: int


class Researcher:
    """A model that looks at `rounds` things; it keeps a report, which only one strategy asks for."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._made = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer a request."""
        if "numbered excerpts" in asked.system:
            return Reply(text="ANSWER: The Trieste reached the bottom on 23 January 1960 [1].\n")
        if "You keep the memory" in asked.system:
            return Reply(text="<summary>The dive took place in 1960; the line was marked with leather.</summary>")
        number, self._made = self._made, self._made + 1
        text = f"In turn {number} the next thing to look at is page {number}. "
        if "working report" in asked.system:
            facts = "\n".join(f"What page {n} says of the dive [{n}]." for n in _numbers(asked)[-30:])
            text = f"<report>Round {number}.\n{facts}</report>"
        if number == self._rounds - 1:
            return Reply(text=f"{text}<answer>In 1960.</answer>", chunk=1024)
        arguments = (
            {"url": f"https://page.test/{number}", "goal": "the dive"} if number % 2 else {"query": f"q{number}"}
        )
        call = ToolCall(name="visit" if number % 2 else "search", arguments=arguments, id=f"c{number}")
        return Reply(text=text, tool_calls=(call,), chunk=1024)


def _numbers(asked: Asked) -> list[str]:
    return re.findall(r"^\[(\d+)\] ", asked.last, re.MULTILINE)


async def measure(strategy: StrategyName, rounds: int) -> Row:
    """Carry one run through and return what its gathering repeated."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            ScriptedServer(Researcher(rounds)) as server,
            engine(server.url, Pages(0.0), Path(folder)) as made,
        ):
            options = Options(
                strategy=strategy,
                model="m",
                web=True,
                window=WINDOWS[strategy],
                max_tokens=2_000,
                budget=Budget(steps=400, tokens=None),
            )
            question = Question(text="When did the bathyscaphe Trieste reach the bottom?", language="en")
            new = NewRun(id="run", tenant="local", question=question, options=options, seed=1)
            made.worker.take(await made.store.create(new, owner="bench", lease=60.0))
            await made.worker.wait("run")
            folds = sum(isinstance(r.event, ContextFolded) for r in await journal(made.store, "run"))
            asked = [r for r in server.requests if "You are a research assistant" in r.system]
    reuse = prefix_reuse(asked)
    last = sum(len(str(message.get("content"))) for message in asked[-1].messages)
    return Row(
        repeated=reuse.repeated,
        bound=reuse.bound,
        kept=reuse.kept,
        prompt_kb=reuse.prompt / 1000,
        last_kb=last / 1000,
        requests=len(asked),
        folds=folds,
    )


def main() -> None:
    """Print a row a strategy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    wish = parser.parse_args()
    rows = {strategy.value: asyncio.run(measure(strategy, wish.rounds)) for strategy in WINDOWS}
    if wish.json:
        json.dump(
            {f"{name}_{key}": value for name, row in rows.items() for key, value in row._asdict().items()}, sys.stdout
        )
        return
    print(f"{'strategy':14} repeated  bound   kept  prompt kB  last kB  requests  folds")
    for name, row in rows.items():
        print(
            f"{name:14} {row.repeated:8.3f} {row.bound:6.3f} {row.kept:6.3f} {row.prompt_kb:10.1f} {row.last_kb:8.1f}"
            f" {row.requests:9} {row.folds:6}"
        )


if __name__ == "__main__":
    main()
