"""What the engine's benchmarks share: a scripted model server in its own process, and two loops over it.

The bare loop is what one would write by hand: the same requests, the same tools, no journal, no
ledger, no verification. The engine's loop is the whole of a run.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson

from leadline import codec
from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import ProcessCpu
from leadline.domain import Budget, Fetched, Options, Question, StrategyName, ToolCall
from leadline.events import ModelAnswered
from leadline.model.openai_api import OpenAIModel
from leadline.ports import Found, NewRun, Query, Run
from leadline.research.study import Means
from leadline.resilience import SystemClock
from leadline.tasks.sqlite.store import SqliteStore
from leadline.telemetry.follow import Broadcast
from leadline.testing.script import Reply, Rule
from leadline.testing.search import fetched, hit
from leadline.tools.registry import ToolSet
from leadline.tools.search import SearchTool
from leadline.tools.visit import VisitTool
from leadline.worker import Worker

CORPUS = Path(__file__).parents[1] / "examples" / "corpus"


def pages() -> list[str]:
    """Return the example corpus's English text files: a few thousand characters each, no two alike."""
    files = sorted(file for kind in ("*.md", "*.txt", "*.html") for file in CORPUS.rglob(kind))
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [text[:4_000] for text in texts if len(text.encode()) < len(text) * 1.1]


def script(rounds: int, *, delay: float, site: str = "https://page.test") -> list[Rule]:
    """Return a conversation of `rounds` turns: searches and visits in turn, then the answer; and the report."""
    report = (
        "ANSWER: The Trieste reached the bottom on 23 January 1960 [1].\n\n## More\n"
        "The sounding weight was armed with tallow [2]. The line was marked with leather and cloth [1][2]. "
        "The echo sounder replaced it in the 1920s [3]. It weighed 14 pounds [1]."
    )
    rules = [Rule(system="numbered excerpts", reply=Reply(text=report, first_delay=delay, chunk=64))]
    for turn in range(rounds - 1):
        name, arguments = (
            ("visit", {"url": f"{site}/{turn}", "goal": "when the dive of the Trieste took place"})
            if turn % 2
            else ("search", {"query": f"dive of the Trieste {turn}"})
        )
        call = ToolCall(name=name, arguments=arguments, id=f"call-{turn}")
        thought = f"In turn {turn} the next thing to look at is page {turn} about the dive. " * 3
        rules.append(Rule(turn=turn, reply=Reply(text=thought, tool_calls=(call,), first_delay=delay, chunk=64)))
    rules.append(Rule(turn=rounds - 1, reply=Reply(text="<answer>In 1960.</answer>", first_delay=delay)))
    return rules


@contextmanager
def served(rules: list[Rule], folder: Path) -> Iterator[str]:
    """Serve a script from another process; yield its base URL."""
    file = folder / "script.json"
    file.write_bytes(codec.encode({"rules": rules}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "leadline.testing.server", str(file), "--port", str(port)])
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the scripted server did not start")


class Pages:
    """A search and a reader over made pages; each answer takes `delay` seconds."""

    name = "made"

    def __init__(self, delay: float) -> None:
        self._delay = delay
        texts = pages()
        self._pages = {
            f"https://page.test/{n}": fetched(f"https://page.test/{n}", f"Page {n}\n\n{texts[n % len(texts)]}")
            for n in range(100)
        }

    async def search(self, query: Query, *, deadline: float) -> Found:
        """Find five pages."""
        del query, deadline
        await asyncio.sleep(self._delay)
        return Found(hits=tuple(hit(uri, title=uri, rank=i) for i, uri in enumerate(list(self._pages)[:5], 1)))

    def reads(self, uri: str) -> bool:
        """Return whether the page is there."""
        return uri in self._pages

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        """Return a page."""
        del deadline
        await asyncio.sleep(self._delay)
        return self._pages[uri]


# --- the bare loop ---------------------------------------------------------------------------


async def bare_run(session: aiohttp.ClientSession, url: str, pages: Pages) -> str:
    """Hold the conversation by hand and return the report's text."""
    tool_names = [{"type": "function", "function": {"name": n, "parameters": {}}} for n in ("search", "visit")]
    messages: list[dict[str, Any]] = [{"role": "system", "content": "research"}, {"role": "user", "content": "when?"}]
    seen: list[str] = []
    while True:
        text, calls = await _bare_ask(session, url, messages=messages, tools=tool_names)
        if not calls:
            break
        messages.append({"role": "assistant", "content": text, "tool_calls": calls})
        for call in calls:
            arguments = json.loads(call["function"]["arguments"])
            if call["function"]["name"] == "search":
                found = await pages.search(Query(text=arguments["query"]), deadline=9)
                result = "\n".join(f"{h.rank} {h.title} {h.uri}" for h in found.hits)
            else:
                result = (await pages.read(arguments["url"], deadline=9)).text
                seen.append(result)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    prompt = "numbered excerpts\n" + "\n".join(seen)[:40_000]
    text, _ = await _bare_ask(session, url, messages=[{"role": "system", "content": prompt}], tools=[])
    return text


class Heard(NamedTuple):
    """A streamed answer as it was put together."""

    text: str
    calls: list[dict[str, Any]]


async def _bare_ask(
    session: aiohttp.ClientSession, url: str, *, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> Heard:
    body = {"model": "m", "messages": messages, "stream": True, "tools": tools}
    pieces: list[str] = []
    calls: list[dict[str, Any]] = []
    async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                _hear(orjson.loads(line[6:])["choices"], pieces, calls)
    return Heard("".join(pieces), calls)


def _hear(choices: list[dict[str, Any]], pieces: list[str], calls: list[dict[str, Any]]) -> None:
    for choice in choices:
        pieces.append(choice["delta"].get("content") or "")
        for piece in choice["delta"].get("tool_calls") or []:
            if piece["index"] == len(calls):
                calls.append(piece)
            else:
                calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]


# --- the engine ------------------------------------------------------------------------------


class Engine(NamedTuple):
    """A worker with all that it stands on."""

    store: SqliteStore
    worker: Worker


@asynccontextmanager
async def engine(url: str, pages: Pages, folder: Path, *, told: Broadcast | None = None) -> AsyncIterator[Engine]:
    """Run a worker over SQLite, directory blobs and processes for CPU work; `told` hears what happens."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore.open(folder / "runs.db"))
        blobs = await stack.enter_async_context(DirectoryBlobs(folder / "blobs"))
        cpu = await stack.enter_async_context(ProcessCpu(2))
        model = await stack.enter_async_context(OpenAIModel(url))
        tools = ToolSet([SearchTool([pages]), VisitTool([pages], cpu=cpu)])

        @asynccontextmanager
        async def provides(run: Run) -> AsyncIterator[Means]:
            del run
            yield Means(tools=tools, cpu=cpu, model=model)

        worker = Worker(
            store=store,
            blobs=blobs,
            clock=SystemClock(),
            provides=provides,
            owner="bench",
            lease=60.0,
            observers=() if told is None else (told,),
            signals=told,
            traced=1.0,
        )
        await stack.enter_async_context(worker.working())
        yield Engine(store=store, worker=worker)


async def engine_run(made: Engine, name: str) -> None:
    """Carry one run through."""
    options = Options(
        strategy=StrategyName.REACT,
        model="m",
        web=True,
        window=200_000,
        max_tokens=2_000,
        budget=Budget(steps=400, tokens=100_000_000),
    )
    question = Question(text="When did the bathyscaphe Trieste reach the bottom?", language="en")
    new = NewRun(id=name, tenant="local", question=question, options=options, seed=1)
    made.worker.take(await made.store.create(new, owner="bench", lease=60.0))
    await made.worker.wait(name)


async def answers(made: Engine, name: str) -> int:
    """Return how many answers of the model a run got: a run that its budget stopped early measures nothing."""
    return sum(isinstance(record.event, ModelAnswered) for record in await made.store.records(name))
