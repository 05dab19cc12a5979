"""Every adapter of a Redis over TLS, with a password, as a user of narrow rights; and what is told where that is refused.

Each address is the product's own, `rediss://USER:PASSWORD@HOST/0?ssl_ca_certs=FILE`. What adapters promise beyond
that they work at all is shown in the files named after them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from tests.support.caches import Loader, Shifted, cache_over, store_at
from tests.support.certificates import Certificates
from tests.support.cluster import until
from tests.support.redis import HOST, Guard, running_cluster, running_redis
from tests.support.secured import WORD, Secured
from tests.support.waiting import PATIENT

from leadline.cache.keys import key
from leadline.cache.redis import RedisCache
from leadline.cache.types import Category, Entry, Origin, Store
from leadline.errors import ModelRateLimited, SettingsError, StoreError, StoreUnavailable
from leadline.eventlog.redis_stream import RedisStream
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Limit
from leadline.model.budgets import Allowance
from leadline.model.budgets_redis import RedisBudgets
from leadline.ports import Message
from leadline.wire.redis import open_redis
from leadline.wiring.probe_places import look_at_broker, look_at_redis

pytestmark = [
    pytest.mark.server("redis"),
    pytest.mark.xdist_group("redis-secured"),
    pytest.mark.timeout(120),
    # The driver does not wait for the end of a connection over TLS that failed; the loop may end before.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXPIRED = datetime(2021, 1, 1, tzinfo=UTC)


def entry(now: float) -> Entry:
    return Entry(b"kept", now, now + 60, now + 60, now + 60)


# --- every adapter works


async def test_the_cache_stores_finds_tells_and_forgets(secured_url: str) -> None:
    now = Shifted()
    async with store_at(secured_url, now=now) as one, store_at(secured_url, now=now) as two:
        async with cache_over(one, now=now) as first, cache_over(two, now=now, seed=2) as second:
            load, asked = Loader(), key(Category.SEARCH, {"q": "depth"}, tenant=None)
            assert (await first.through(asked, load)).origin is Origin.LOAD
            assert (await second.through(asked, load)).origin is Origin.STORE
        heard = asyncio.Event()
        two.listen(lambda news: heard.set() if "leadline:told" in news.keys else None)
        await one.put("leadline:told", entry(now()), label="depth of the sea", tell=True)
        await asyncio.wait_for(heard.wait(), 10)
        assert await two.find("depth*") == ["leadline:told"]
        assert await two.lease("leadline:told", "a", seconds=5)
        assert not await one.lease("leadline:told", "b", seconds=5)
        await two.release("leadline:told", "a")
        assert await one.bump("leadline:space") < await two.bump("leadline:space")
        assert (await one.usage()).bytes > 0
        assert await one.drop(["leadline:told"]) == 1
        assert await two.get("leadline:told") is None


async def test_limits_are_counted_for_all(secured_url: str) -> None:
    async with open_redis(secured_url, seconds=PATIENT) as one, open_redis(secured_url, seconds=PATIENT) as two:
        failed: list[Exception] = []
        first, second = (RedisLedger(client, failed=failed.append) for client in (one, two))
        limit = Limit(key="a-service", rate=0.01)
        taken = await first.reserve([limit], taken={}, weight=1, within=0)
        assert not taken.refused
        assert (await second.reserve([limit], taken={}, weight=1, within=0)).refused
        await first.refund(taken.taken)
        await second.limited(limit.key, seconds=60)
        assert (await first.reserve([limit], taken={}, weight=1, within=0)).refused
        assert not failed  # else each has counted for itself


async def test_budgets_are_one_for_all(secured_url: str, secured: Secured) -> None:
    allowed = [Allowance(tokens=1_000, seconds=3_600)]
    async with open_redis(secured_url, seconds=PATIENT) as one, open_redis(secured_url, seconds=PATIENT) as two:
        first, second = RedisBudgets(one, allowed), RedisBudgets(two, allowed)
        async with await first.reserve("t", tokens=900) as call:
            with pytest.raises(ModelRateLimited):
                await second.reserve("t", tokens=900)
            call.settle(50)
        await second.reserve("t", tokens=900)
    assert secured.server.command("EXISTS", "leadline:budget:t") == b":1\r\n"


async def test_events_are_added_to_a_stream(secured_url: str) -> None:
    async with RedisStream.open(secured_url, stream="leadline.events") as sink, open_redis(secured_url) as client:
        await sink.deliver([Message(b"run", b"one"), Message(b"run", b"two")])
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", await client.xrange("leadline.events"))
    assert [fields[b"event"] for _, fields in entries] == [b"one", b"two"]


async def test_a_cluster_serves_the_cache_over_tls(tmp_path: Path, tls: Certificates) -> None:
    with running_cluster(tmp_path, guard=Guard(password=WORD, tls=tls)) as servers:
        now = Shifted()
        async with store_at(servers.url, now=now) as one, store_at(servers.url, now=now) as two:
            for number in range(8):  # of both nodes
                await one.put(f"leadline:{number}", entry(now()), label="x")
            assert all([await two.get(f"leadline:{number}") for number in range(8)])


async def test_a_server_that_asks_for_our_certificate_gets_it(tmp_path: Path, tls: Certificates) -> None:
    with running_redis(tmp_path, guard=Guard(tls=tls, mutual=True)) as server:
        with pytest.raises(StoreError, match=r"asks for a certificate of ours.*ssl_certfile"):
            await look_at_redis(server.url)
        seen = await look_at_redis(f"{server.url}&ssl_certfile={tls.pair('a-client')}")
        assert seen.role == "master"


# --- what is told where we are refused


@dataclass(frozen=True)
class Wrong:
    """An address that does not do, and what is told of it."""

    url: str
    told: str
    passing: bool = False
    seconds: float = PATIENT


@pytest.fixture(
    params=["password", "user", "none", "authority", "no-authority", "expired", "name", "plain", "tls"],
)
def wrong(request: pytest.FixtureRequest, secured: Secured, tmp_path: Path) -> Iterator[Wrong]:
    server, guard = secured.server, secured.server.guard
    at = server.port
    unknown = "shows a certificate of an authority not believed here.*ssl_ca_certs=FILE"
    made = {
        "password": Wrong(guard.address(at, password="hidden-word"), "refuses the user or password"),
        "user": Wrong(guard.address(at, user="nobody", password="hidden-word"), "refuses the user or password"),
        "none": Wrong(replace(guard, password=None).address(at), "asks for a password, and its address has none"),
        "no-authority": Wrong(server.url.partition("?")[0], unknown),
        "plain": Wrong(replace(guard, tls=None).address(at), "closed the connection; .*`rediss://`", passing=True),
    }
    if request.param in made:
        yield made[request.param]
    elif request.param == "authority":
        yield Wrong(replace(guard, tls=Certificates.create(tmp_path)).address(at), unknown)
    elif request.param == "tls":
        own = replace(guard, tls=None, password="hidden-word")
        with running_redis(tmp_path, guard=own) as bare:
            yield Wrong(
                replace(own, tls=guard.tls).address(bare.port),
                "over TLS, one that does not speak",
                passing=True,
                seconds=0.5,
            )
    else:
        expired = request.param == "expired"
        pair = secured.tls.pair(HOST, name="old", end=EXPIRED) if expired else secured.tls.pair("redis.example")
        told = "has expired: renew it" if expired else "for another name"
        with running_redis(tmp_path, guard=Guard(tls=secured.tls, password="hidden-word", certificate=pair)) as bare:
            yield Wrong(bare.url, f"shows a certificate (that )?{told}")


def check(error: BaseException, wrong: Wrong) -> None:
    assert re.search(wrong.told, str(error)), error
    assert isinstance(error, StoreUnavailable) is wrong.passing
    chain: BaseException | None = error
    while chain is not None:
        assert not re.search(r"hidden-word|a word|a%20word", f"{chain!r} {chain}")
        chain = chain.__cause__ or chain.__context__


async def test_the_cache_and_the_log_tell_what_to_mend(wrong: Wrong, caplog: pytest.LogCaptureFixture) -> None:
    now = Shifted()
    async with open_redis(wrong.url, seconds=wrong.seconds) as client, RedisCache.open(client, now=now) as store:
        with pytest.raises(StoreError) as caught:
            await store.put("leadline:x", entry(now()), label="x")
    check(caught.value, wrong)
    async with RedisStream.open(wrong.url, stream="leadline.events", seconds=wrong.seconds) as sink:
        with pytest.raises(StoreError) as caught:
            await sink.deliver([Message(b"run", b"one")])
    check(caught.value, wrong)
    (line,) = (each for each in caplog.records if each.message == "redis_failed")
    assert re.search(wrong.told, line.__dict__["reason"])
    assert line.__dict__["reason"].startswith("the cache's Redis ")


async def test_limits_and_budgets_go_on_alone_and_say_why(wrong: Wrong, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_redis(wrong.url, seconds=wrong.seconds) as client:
        ledger, budgets = RedisLedger(client), RedisBudgets(client, [Allowance(tokens=1_000, seconds=3_600)], alone=0.5)
        for _ in range(3):
            await ledger.reserve([Limit(key="k", rate=100.0)], taken={}, weight=1, within=60)
            await budgets.reserve("t", tokens=100)
    told = [each.__dict__["reason"] for each in caplog.records if each.message == "redis_failed"]
    assert [reason[: reason.index("Redis")] for reason in told] == ["the limits' ", "the budgets' "]  # each once
    assert all(re.search(wrong.told, reason) for reason in told)
    assert "hidden-word" not in caplog.text


async def test_the_doctors_look_tells_what_to_mend(wrong: Wrong) -> None:
    with pytest.raises(StoreError) as caught:
        await look_at_redis(wrong.url)
    check(caught.value, wrong)
    with pytest.raises(StoreError) as caught:
        await look_at_broker(f"celery+{wrong.url}")
    check(caught.value, wrong)


async def test_a_user_whose_rules_are_too_narrow_is_told_so(secured: Secured) -> None:
    secured.server.command("ACL", "SETUSER", "reader", "on", ">hidden-word", "~*", "&*", "+@read")
    url = secured.server.guard.address(secured.server.port, user="reader", password="hidden-word")
    async with RedisStream.open(url, stream="leadline.events") as sink:
        with pytest.raises(
            StoreError, match=r"does not let its user do that: .*no permissions.*widen the user's rules"
        ) as caught:
            await sink.deliver([Message(b"run", b"one")])
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("ssl_ca_certs=/nowhere/ca.pem", "`ssl_ca_certs`.*/nowhere/ca.pem: No such file"),
        ("ssl_certfile={none}", "`ssl_certfile`.*holds none in PEM"),
        ("ssl_ca_certs={none}", "`ssl_ca_certs`.*holds none in PEM"),
        ("ssl_cert_reqs=none", "not ssl_cert_reqs"),  # a driver's option that lets anybody answer
        ("ssl_check_hostname=false", "not ssl_check_hostname"),
        ("ssl_keyfile={none}", "ssl_keyfile without ssl_certfile"),
    ],
)
async def test_options_that_do_not_do_are_refused_before_anybody_connects(
    tmp_path: Path, query: str, told: str
) -> None:
    none = tmp_path / "none.pem"
    none.write_text("nothing\n")
    with pytest.raises(SettingsError, match=told) as caught:
        async with open_redis(f"rediss://:hidden-word@{HOST}:1/0?{query.format(none=none)}"):
            pass
    assert "hidden-word" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"begins with rediss://|not ssl_"):
        async with open_redis(f"redis://:hidden-word@{HOST}:1/0?{query.format(none=none)}"):
            pass


async def answers(store: Store) -> bool:
    try:
        return await store.get("leadline:x") is None
    except StoreUnavailable:
        return False


async def test_an_outage_that_ends_is_told(tmp_path: Path, tls: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = Shifted()
    with running_redis(tmp_path, guard=Guard(password=WORD, tls=tls)) as server:
        async with store_at(server.url, now=now) as store:
            await store.put("leadline:x", entry(now()), label="x")
            server.stop()
            assert [await answers(store) for _ in range(3)] == [False] * 3
            await asyncio.to_thread(server.start)
            await until(lambda: answers(store), within=20)
    told = [each.message for each in caplog.records if each.message.startswith("redis_")]
    assert told == ["redis_failed", "redis_answers"]
