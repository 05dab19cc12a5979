"""Run stores over every database; a Redis that asks for everything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from tests.support.certificates import Certificates
from tests.support.redis import Guard, running_redis
from tests.support.secured import RULES, WORD, Secured

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


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory, tls: Certificates) -> Iterator[Secured]:
    guard = Guard(password=WORD, tls=tls, users=[RULES])
    with running_redis(tmp_path_factory.mktemp("redis"), guard=guard) as server:
        yield Secured(server=server, tls=tls)


@pytest.fixture(params=["password", "user"])
def secured_url(request: pytest.FixtureRequest, secured: Secured) -> str:
    """Return the server's address for who knows its password, and for a user of narrow rights; it is empty."""
    secured.server.command("FLUSHALL")
    return secured.url(request.param)
