"""Measure the run store on PostgreSQL: grouped appends, and claims from a table of a million runs.

    python benchmarks/postgres.py [--rows 1000000] [--url postgresql://...] [--plan] [--json]

Without `--url` it brings up a server of its own, which waits for the disk at every commit. The
table holds nine ended runs for each queued one, a thousand tenants (one of which has half of the
queue) and 500 running ones; then all rows are queued, the worst case. `--plan` prints the claim's
plan of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from journal import TEXTS, one_run, round_of

from leadline.domain import Options, Question
from leadline.events import ENGINE, RunStarted
from leadline.ports import Cursor
from leadline.tasks.packing import Packer
from leadline.tasks.postgres import PostgresStore, claims, migrate
from leadline.tasks.postgres.connection import Connection
from leadline.tasks.postgres.database import Database

CLAIMS = 200

FILL = """
    INSERT INTO run (id, tenant, state, engine, urgency, local, owner, lease_until, fence, created_at, updated_at)
    SELECT 'r' || n, 't' || CASE WHEN n % 20 = 0 THEN 0 ELSE n % 1000 END,
        CASE WHEN n <= 500 THEN 'running' WHEN n % 10 = 0 OR $2 THEN 'queued' ELSE 'done' END,
        $3, n % 3, false, CASE WHEN n <= 500 THEN 'w' || n % 5 END, CASE WHEN n <= 500 THEN 4e9 END, 1,
        1e9 + n, 1e9 + n
    FROM generate_series(1, $1) AS n
"""
ASKED = "INSERT INTO asked (run, compressed, body, folded) SELECT key, $1, $2, 'how deep is it?' FROM run"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement; times are milliseconds."""

    what: str
    rows: int
    p50_ms: float
    p99_ms: float
    per_second: float


def summed(what: str, rows: int, waits: list[float], *, seconds: float | None = None) -> Result:
    """Return the figures of many waits, in seconds."""
    waits.sort()
    return Result(
        what=what,
        rows=rows,
        p50_ms=waits[len(waits) // 2] * 1e3,
        p99_ms=waits[len(waits) * 99 // 100] * 1e3,
        per_second=len(waits) / (seconds or sum(waits)),
    )


async def timed(work: Callable[[], Awaitable[object]], count: int) -> list[float]:
    """Return how long each of `count` calls took, one after another."""
    waits = []
    for _ in range(count):
        begun = time.perf_counter()
        await work()
        waits.append(time.perf_counter() - begun)
    return waits


async def appends(url: str, *, runs: int, rounds: int) -> Result:
    """Let `runs` runs append at once, as the engine does."""
    rng = random.Random(7)  # noqa: S311 seeded text
    pool = TEXTS["english"](rng, 400_000)
    work = []
    for _ in range(runs):
        starts = [rng.randrange(len(pool) - 10_000) for _ in range(rounds)]
        work.append([round_of(n, pool[at : at + 1_500], pool[at + 1_500 : at + 9_500]) for n, at in enumerate(starts)])
    waits: list[float] = []
    async with PostgresStore.open(url) as store:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for index, rounds_of_run in enumerate(work):
                group.create_task(one_run(store, f"{runs}-{index}", rounds_of_run, waits=waits))
        seconds = time.perf_counter() - begun
    return summed(f"durable appends, {runs} runs at once", 0, waits, seconds=seconds)


@asynccontextmanager
async def filled(url: str, *, rows: int, queued: bool) -> AsyncIterator[tuple[PostgresStore, Database]]:
    """Open a store over a table of so many runs."""
    asked = RunStarted(question=Question(text="How deep?", language="en"), options=Options(), seed=1, engine=ENGINE)
    async with PostgresStore.open(url, seconds=600) as store:
        database = store._database  # noqa: SLF001 statements that no caller of a store has

        async def fill(connection: Connection) -> None:
            await connection.execute("TRUNCATE run, asked, step")
            await connection.execute(FILL, rows, queued, ENGINE)
            await connection.execute(ASKED, *Packer().pack(asked))
            await connection.execute("VACUUM ANALYZE run, asked")

        await database.do(fill)
        yield store, database


async def table(url: str, *, rows: int, queued: bool, plan: bool) -> list[Result]:
    """Claim from a full table, and read what listings and operators read."""
    name = "all queued" if queued else "one of ten queued"
    async with filled(url, rows=rows, queued=queued) as (store, database):
        if plan:
            print("\n".join(await database.do(planned, transaction=True)), end="\n\n")

        async def claim() -> None:
            assert await store.claim("w", lease=60, engines=[ENGINE]) is not None  # noqa: S101 the queue is full

        async def together() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(claim())

        place = Cursor(1e9 + rows / 2, "r")
        return [
            summed(f"claim, {name}", rows, await timed(claim, CLAIMS)),
            summed(f"8 claims at once, {name}", rows, await timed(together, 10)),
            summed(f"depth, {name}", rows, await timed(store.depth, 5)),
            summed(
                f"a page from the middle, {name}", rows, await timed(lambda: store.runs(tenant="t7", before=place), 50)
            ),
        ]


async def planned(connection: Connection) -> list[str]:
    """Return the claim's plan, carried out and taken back."""
    query = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {claims.TAKE_ANY}"
    rows = await connection.fetch(query, "planner", "token", 60.0, [ENGINE], 0.0, 1, None)
    await connection.execute("UPDATE run SET state = 'queued', owner = NULL, fence = 0 WHERE owner = 'planner'")
    return [row["QUERY PLAN"] for row in rows]


async def measure(url: str, options: argparse.Namespace) -> list[Result]:
    """Measure everything."""
    await migrate.up(url)
    results = [await appends(url, runs=runs, rounds=10) for runs in (64, 256)]
    for queued in (False, True):
        results += await table(url, rows=options.rows, queued=queued, plan=options.plan)
    return results


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="runs in the table")
    parser.add_argument("--url", help="a database whose runs may be overwritten")
    parser.add_argument("--plan", action="store_true", help="print the claim's plan")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.url
        if url is None:
            sys.path.insert(0, str(Path(__file__).parents[1]))
            from tests.support.postgres import running_postgres  # noqa: PLC0415 found only from here on

            server = stack.enter_context(running_postgres(durable=True))
            url = server.url(server.database())
        results = asyncio.run(measure(url, options))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
        return
    print(f"{'what':45} {'rows':>9} {'p50 ms':>8} {'p99 ms':>8} {'per s':>8}")
    for r in results:
        print(f"{r.what:45} {r.rows:>9,} {r.p50_ms:>8.2f} {r.p99_ms:>8.2f} {r.per_second:>8.0f}")


if __name__ == "__main__":
    main()
