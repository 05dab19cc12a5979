from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from leadline.errors import StoreError, StoreFull, StoreUnavailable, ToolFailed
from leadline.search.corpus_schema import ReadPool, connect, ensure, locked, translated


async def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    inside = asyncio.Event()

    async def first() -> None:
        async with locked(tmp_path / "x.db"):
            inside.set()
            await asyncio.sleep(0)
            order.append("first")

    async def second() -> None:
        await inside.wait()
        async with locked(tmp_path / "x.db"):
            order.append("second")

    async with asyncio.TaskGroup() as both:
        both.create_task(second())
        both.create_task(first())
    assert order == ["first", "second"]


async def test_who_waits_can_give_up(tmp_path: Path) -> None:
    async with locked(tmp_path / "x.db"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), locked(tmp_path / "x.db"):
                raise AssertionError("two hold the lock")
    async with locked(tmp_path / "x.db"):
        pass


async def test_a_reading_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    await ensure(tmp_path / "x.db")
    pool = ReadPool(tmp_path / "x.db")

    def endless(connection: sqlite3.Connection) -> None:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
        ).fetchone()

    with pytest.raises(ToolFailed):
        await pool.run(endless, deadline=0.05)
    (one,) = await pool.run(lambda db: db.execute("SELECT 1").fetchone(), deadline=5)
    assert one == 1
    await pool.close()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    await ensure(tmp_path / "x.db")
    pool = ReadPool(tmp_path / "x.db")
    with pytest.raises(ToolFailed):
        await pool.run(lambda db: db.execute("DELETE FROM meta"), deadline=5)
    await pool.close()


def error_of(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("told by its code alone")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [
        (error_of(sqlite3.SQLITE_FULL), StoreFull),
        (error_of(sqlite3.SQLITE_BUSY), StoreUnavailable),
        (error_of(sqlite3.SQLITE_BUSY_SNAPSHOT), StoreUnavailable),
        (error_of(sqlite3.SQLITE_CANTOPEN), StoreUnavailable),
        (error_of(sqlite3.SQLITE_CORRUPT), StoreError),
        (PermissionError(13, "denied"), StoreUnavailable),
    ],
)
def test_foreign_errors_become_our_own(raised: Exception, wanted: type[StoreError]) -> None:
    with pytest.raises(StoreError) as caught, translated(Path("x.db")):
        raise raised
    assert type(caught.value) is wanted
    assert caught.value.__cause__ is raised


def test_an_index_is_its_owners_alone(tmp_path: Path) -> None:
    asyncio.run(ensure(tmp_path / "deep" / "x.db"))
    assert (tmp_path / "deep" / "x.db").stat().st_mode & 0o077 == 0
    connect(tmp_path / "deep" / "x.db").close()
