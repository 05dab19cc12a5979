"""Run stores over every database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from leadline.ports import RunStore
from leadline.tasks.postgres import PostgresStore
from leadline.tasks.sqlite import SqliteStore

Opener: TypeAlias = Callable[..., AbstractAsyncContextManager[RunStore]]

POSTGRES = pytest.param("postgres", marks=[pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")])


@pytest.fixture(params=["sqlite", POSTGRES])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return what opens a further connection to the one database of this test."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").store()

        def postgres(*, attempts: int = 5, **more: Any) -> AbstractAsyncContextManager[RunStore]:
            return cast("AbstractAsyncContextManager[RunStore]", PostgresStore.open(url, attempts=attempts, **more))

        return postgres

    def sqlite(*, attempts: int = 5, **more: Any) -> AbstractAsyncContextManager[RunStore]:
        opened = SqliteStore.open(tmp_path / "data" / "runs.db", attempts=attempts, **more)
        return cast("AbstractAsyncContextManager[RunStore]", opened)

    return sqlite


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[RunStore]:
    """Return one open store."""
    async with opener() as opened:
        yield opened
