"""The feed of PostgreSQL where transactions overlap: rows appear in another order than they were numbered in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.contract.test_event_feed import everything, given, names
from tests.contract.test_run_store import new, seen
from tests.support.postgres import Postgres

from leadline.tasks.postgres import PostgresStore
from leadline.tasks.postgres.address import Address

pytestmark = [pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]

_STEP = (
    "INSERT INTO step (run, seq, at, branch, type, compressed, body) VALUES ($1, $2, 1, '', 'plan_made', false, '{}')"
)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(**(await Address.read(url)).arguments())
    try:
        yield connection
    finally:
        await connection.close()


async def test_nothing_behind_an_open_transaction_is_given(postgres: Postgres) -> None:
    """Else its rows, which come later and lie before, would never be shipped."""
    url = postgres.store()
    async with PostgresStore.open(url) as store, connected(url) as late:
        run = await store.create(new("r1"), owner="w")
        other = await store.create(new("r2"), owner="w")
        place = (await everything(store, least=2))[-1].place
        transaction = late.transaction()
        await transaction.start()
        key = await late.fetchval("SELECT key FROM run WHERE id = 'r1'")
        await late.execute(_STEP, key, 2)
        await store.append(other.id, other.fence, [seen(1)])
        assert list(await store.feed(place, limit=10)) == []
        assert (await store.lag("x")).rows == 3
        await transaction.commit()
        rows = await given(store, place)
        assert sorted(names(rows)) == [("r1", 2), ("r2", 2)]
        await store.append(run.id, run.fence, [seen(2)])
        assert names(await given(store, rows[-1].place)) == [("r1", 3)]


async def test_a_transaction_that_was_given_up_hides_nothing(postgres: Postgres) -> None:
    url = postgres.store()
    async with PostgresStore.open(url) as store, connected(url) as late:
        run = await store.create(new("r1"), owner="w")
        transaction = late.transaction()
        await transaction.start()
        await late.execute(_STEP, 999, 1)
        await store.append(run.id, run.fence, [seen(1)])
        await transaction.rollback()
        assert names(await everything(store, least=2)) == [("r1", 1), ("r1", 2)]


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize(
    "numbers",
    [(1, 2, 3, 4, 5, 6), (1, 2, 3, 5, 4, 6), (1, 5, 5, 5, 2, 3), (1, 4, 5, 2, 3, 2), (6, 5, 4, 3, 2, 1)],
    ids=str,
)
async def test_a_run_stays_in_order_when_its_transactions_are_not(
    postgres: Postgres, numbers: Sequence[int], limit: int
) -> None:
    """A claim that began before an append, and took its run over after it, has the smaller number."""
    async with PostgresStore.open(url := postgres.store()) as store:
        for name in ("r1", "r2"):
            run = await store.create(new(name), owner="w")
            await store.append(run.id, run.fence, [seen(n) for n in range(5)])
        async with connected(url) as connection:
            for seq, number in enumerate(numbers, 1):
                await connection.execute(
                    "UPDATE step SET tx = $2 WHERE seq = $1 AND run = (SELECT key FROM run WHERE id = 'r1')",
                    seq,
                    number,
                )
        rows = await everything(store, least=12, limit=limit)
    for name in ("r1", "r2"):
        assert list(dict.fromkeys(row.seq for row in rows if row.run_id == name)) == [1, 2, 3, 4, 5, 6]


async def test_a_page_of_a_long_journal_is_found_by_an_index(postgres: Postgres) -> None:
    url = postgres.store()
    async with PostgresStore.open(url) as store:
        await store.create(new("r1"), owner="w")
    name = urlsplit(url).path.lstrip("/")
    postgres.sql(
        "INSERT INTO step (run, seq, at, branch, type, compressed, body, tx)"
        " SELECT 1, n + 1, 1, '', 'plan_made', false, '{}', n / 20 FROM generate_series(1, 60000) AS n; ANALYZE step",
        name,
    )
    plan = postgres.sql(
        "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM step WHERE tx >= 2000 AND tx < 100000"
        " AND (tx, run, seq) > (2000, 1, 7) ORDER BY tx, run, seq LIMIT 500",
        name,
    )
    assert "step_tx" in plan
    assert "Seq Scan" not in plan
