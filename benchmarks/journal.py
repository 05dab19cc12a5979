"""Measure the journal: durable appends a second, CPU an append, bytes stored a byte of transcript.

    python benchmarks/journal.py [--runs 64] [--rounds 10] [--json]

Each run appends as the engine does, four appends a round: the intent of a model call, its answer
(about 1.5 KB), the intent of a tool call, its outcome (about 8 KB). Bodies are English-like words,
Chinese-like characters, or random characters that hardly compress. The transcript counts the
answers and observations once each, as UTF-8.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import string
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from leadline.domain import ModelAnswer, Options, Question, RunState, StopReason, Usage
from leadline.events import (
    Entry,
    Event,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    ToolAnswered,
    ToolAsked,
)
from leadline.ports import NewRun, RunStore
from leadline.tasks.sqlite import SqliteStore

ANSWER_CHARS = 1_500
OBSERVATION_CHARS = 8_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement; `stored_ratio` is bytes of the database file a byte of transcript."""

    text: str
    runs: int
    appends: int
    seconds: float
    appends_per_second: float
    cpu_us_per_append: float
    p50_ms: float
    p99_ms: float
    stored_ratio: float
    fsync_p50_ms: float


def english(rng: random.Random, chars: int) -> str:
    """Return words with the frequencies of a natural text (Zipf) over 20,000 words."""
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 11))) for _ in range(20_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return " ".join(rng.choices(words, weights, k=chars // 5))[:chars]


def chinese(rng: random.Random, chars: int) -> str:
    """Return characters with the frequencies of a natural text over 3,000 of them."""
    signs = [chr(0x4E00 + n) for n in range(3_000)]
    weights = [1 / rank for rank in range(1, len(signs) + 1)]
    return "".join(rng.choices(signs, weights, k=chars))


def noise(rng: random.Random, chars: int) -> str:
    """Return random characters: nearly the worst case."""
    return "".join(rng.choices(string.ascii_letters + string.digits + " .", k=chars))


TEXTS: dict[str, Callable[[random.Random, int], str]] = {
    "english": english,
    "chinese": chinese,
    "random": noise,
}


def round_of(number: int, answer: str, observation: str) -> list[Event]:
    """Return the events of one round, an append each."""
    usage = Usage(model_calls=1, prompt_tokens=4_000, completion_tokens=400)
    return [
        ModelAsked(call=f"main/{number}/model/0", model="m", request="a" * 64, purpose="think", reserved=usage),
        ModelAnswered(
            call=f"main/{number}/model/0",
            answer=ModelAnswer(text=answer, finish="stop", usage=usage, model="m"),
            usage=usage,
        ),
        ToolAsked(
            call=f"main/{number}/search/0",
            tool="search",
            arguments={"queries": ["one query", "another query"]},
            request="b" * 64,
        ),
        ToolAnswered(call=f"main/{number}/search/0", tool="search", value={"text": observation}),
    ]


async def one_run(store: RunStore, run_id: str, rounds: list[list[Event]], *, waits: list[float]) -> None:
    """Append the rounds of a run and end it."""
    new = NewRun(
        id=run_id,
        tenant="bench",
        question=Question(text="How deep?", language="en"),
        options=Options(),
        seed=1,
    )
    run = await store.create(new, owner="bench", lease=60)
    for event in (event for events in rounds for event in events):
        start = time.perf_counter()
        await store.append(run.id, run.fence, [Entry(at=time.time(), branch="main", event=event)])
        waits.append(time.perf_counter() - start)
    end = RunFinished(state=RunState.DONE, stop_reason=StopReason.ANSWERED)
    await store.append(run.id, run.fence, [Entry(at=time.time(), branch="", event=end)])


async def measure(folder: Path, text: str, *, runs: int, rounds: int) -> Result:
    """Run `runs` runs at once on a fresh file."""
    rng = random.Random(7)  # noqa: S311 seeded text
    pool = TEXTS[text](rng, 400_000)
    transcript = 0
    work: list[list[list[Event]]] = []
    for _ in range(runs):
        work.append([])
        for number in range(rounds):
            at = rng.randrange(len(pool) - ANSWER_CHARS - OBSERVATION_CHARS)
            answer = pool[at : at + ANSWER_CHARS]
            observation = pool[at + ANSWER_CHARS : at + ANSWER_CHARS + OBSERVATION_CHARS]
            transcript += len(answer.encode()) + len(observation.encode())
            work[-1].append(round_of(number, answer, observation))
    path = folder / f"{text}.db"
    waits: list[float] = []
    async with SqliteStore.open(path) as store:
        await store.runs(tenant="bench")
        start, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for index, rounds_of_run in enumerate(work):
                group.create_task(one_run(store, f"{text}-{index}", rounds_of_run, waits=waits))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    waits.sort()
    return Result(
        text=text,
        runs=runs,
        appends=len(waits),
        seconds=seconds,
        appends_per_second=len(waits) / seconds,
        cpu_us_per_append=cpu / len(waits) * 1e6,
        p50_ms=waits[len(waits) // 2] * 1e3,
        p99_ms=waits[len(waits) * 99 // 100] * 1e3,
        stored_ratio=path.stat().st_size / transcript,
        fsync_p50_ms=fsync_p50(folder),
    )


def fsync_p50(folder: Path) -> float:
    """Return the milliseconds of writing and syncing 4 KiB here: what a lone commit costs at least."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(25):
            start = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3


def main() -> None:
    """Measure all kinds of text and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=64, help="runs at once")
    parser.add_argument("--rounds", type=int, default=10, help="rounds a run")
    parser.add_argument("--dir", type=Path, default=None, help="where the files lie for the while")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        results = [asyncio.run(measure(Path(folder), text, runs=options.runs, rounds=options.rounds)) for text in TEXTS]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    print("text      runs appends  per s  CPU us  p50 ms  p99 ms  stored/transcript  fsync ms")
    for r in results:
        print(
            f"{r.text:<9}{r.runs:>5}{r.appends:>8}{r.appends_per_second:>7.0f}"
            f"{r.cpu_us_per_append:>8.0f}{r.p50_ms:>8.1f}{r.p99_ms:>8.1f}{r.stored_ratio:>19.2f}"
            f"{r.fsync_p50_ms:>10.2f}"
        )


if __name__ == "__main__":
    main()
