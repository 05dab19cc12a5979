"""Tickets over a Redis with TLS, a password and a user of narrow rights, and over three sentinels; by real workers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.certificates import Certificates
from tests.support.cluster import cluster, until
from tests.support.redis import Guard, Redis
from tests.support.secured import RIGHTS, RULES, USER, USERS_WORD, WORD, Secured
from tests.support.sentinels import Sentinels, running_sentinels

from leadline.errors import StoreError
from leadline.wiring.probe_places import look_at_broker

pytestmark = [
    pytest.mark.server("redis"),
    pytest.mark.xdist_group("redis-secured"),
    pytest.mark.timeout(120),
    # The driver does not wait for the end of a connection over TLS that failed; the loop may end before.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SENTINELS_WORD = "watch-word"


@asynccontextmanager
async def carried(folder: Path, engine: str, *, runs: int) -> AsyncIterator[Path]:
    """Let a worker process carry runs that tickets bring it; yield its log while it works on."""
    told = folder / "worker.log"
    more = {"LEADLINE_LOG__SINK": f"file://{told}"}
    async with (
        cluster(folder, f"sqlite://{folder / 'runs.db'}", delay=0.05, engine=engine, more=more) as there,
        there.worker(2),
    ):
        await there.all_end(await there.ask(runs), within=60)
        yield told


def brought(server: Redis) -> tuple[int, int]:
    """Return how many tickets were put in, and how often somebody waited for one."""
    said = server.command("INFO", "commandstats").decode()
    counts = [re.search(rf"cmdstat_{name}:calls=(\d+)", said) for name in ("lpush", "brpop")]
    return (int(counts[0][1]) if counts[0] else 0, int(counts[1][1]) if counts[1] else 0)


async def both(server: Redis, begin: tuple[int, int]) -> bool:
    """Return whether tickets were put in and waited for since `begin`."""
    now = await asyncio.to_thread(brought, server)
    return now[0] > begin[0] and now[1] > begin[1]


def spoken(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


async def test_tickets_wake_a_worker(tmp_path: Path, secured_url: str, secured: Secured) -> None:
    begin = await asyncio.to_thread(brought, secured.server)
    async with carried(tmp_path, f"celery+{secured_url}", runs=3) as told:
        await until(lambda: both(secured.server, begin), within=30)
    assert "broker_away" not in spoken(told)
    assert not any(word in spoken(told) for word in (WORD, USERS_WORD))


async def test_a_worker_goes_on_by_tickets_once_it_is_let_in(tmp_path: Path, secured: Secured) -> None:
    server = secured.server
    begin = await asyncio.to_thread(brought, server)
    engine = f"celery+{server.guard.address(server.port, user='late', password='hidden-word')}"
    async with carried(tmp_path, engine, runs=1) as told:  # carried all the same: its slots look for themselves

        async def said() -> bool:
            return "broker_away" in spoken(told)

        await until(said, within=30)
        assert await asyncio.to_thread(brought, server) == begin
        assert server.command("ACL", "SETUSER", "late", "on", ">hidden-word", *RIGHTS.split()) == b"+OK\r\n"
        try:

            async def waited() -> bool:
                return (await asyncio.to_thread(brought, server))[1] > begin[1]

            await until(waited, within=60)
        finally:
            server.command("ACL", "DELUSER", "late")
    assert "the broker's Redis refuses the user or password" in spoken(told)
    assert "hidden-word" not in spoken(told)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, tls: Certificates) -> Iterator[Sentinels]:
    guard = Guard(password=WORD.replace(" ", "_"), tls=tls, users=[RULES])
    folder, sentinels = tmp_path_factory.mktemp("watched"), Guard(password=SENTINELS_WORD, tls=tls)
    with running_sentinels(folder, count=3, guard=guard, sentinels=sentinels) as servers:
        yield servers


async def test_three_sentinels_tell_a_worker_where_tickets_are(tmp_path: Path, watched: Sentinels) -> None:
    begin = await asyncio.to_thread(brought, watched.primary)
    engine = watched.address(user=USER, password=USERS_WORD)
    seen, _ = await look_at_broker(engine)
    assert (seen.role, seen.replicas) == ("master", 1)
    async with carried(tmp_path, engine, runs=3) as told:
        await until(lambda: both(watched.primary, begin), within=30)
    assert "broker_away" not in spoken(told)
    assert not any(word in spoken(told) for word in (USERS_WORD, SENTINELS_WORD))


async def test_sentinels_that_refuse_are_told_from_their_redis(
    tmp_path: Path, tls: Certificates, watched: Sentinels
) -> None:
    with pytest.raises(StoreError, match="a sentinel, refuses the user or password"):
        await look_at_broker(watched.address(asked="hidden-word"))
    with pytest.raises(StoreError, match=r"\d refuses the user or password"):
        await look_at_broker(watched.address(password="hidden-word"))
    other = Certificates.create(tmp_path)
    strange = watched.engine.replace(str(tls.file), str(other.file))
    with pytest.raises(StoreError, match="authority not believed"):
        await look_at_broker(strange)
