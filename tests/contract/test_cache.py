"""What the cache promises over every store; each fault of a naive two-level cache is a test here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.caches import Loader, Shifted, cache_over, store_at
from tests.support.quick import within
from tests.support.redis import Cluster, Redis, running_cluster, running_redis

from leadline.cache.keys import Key, key
from leadline.cache.sqlite import RECHECK, SqliteCache
from leadline.cache.tiered import LEASE_SECONDS, TieredCache
from leadline.cache.types import POLICIES, Category, Entry, Loaded, Origin, Store
from leadline.errors import StoreError, ToolFailed

ROOT = Path(__file__).resolve().parents[2]
SEARCH = POLICIES[Category.SEARCH]
SHARED = ["sqlite", pytest.param("redis", marks=pytest.mark.server("redis"))]
STORES = ["memory", *SHARED, pytest.param("cluster", marks=pytest.mark.server("redis"))]


class Caches(NamedTuple):
    """Two processes' caches over one store, and the time they live in."""

    one: TieredCache
    two: TieredCache
    store: Store
    other: Store
    now: Shifted


def asked(query: object = "depth", *, tenant: str | None = None, category: Category = Category.SEARCH) -> Key:
    return key(category, {"q": query}, tenant=tenant)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


def place(name: str, request: pytest.FixtureRequest) -> str | Path:
    if name == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return folder / "cache.db"
    if name == "redis":
        server: Redis = request.getfixturevalue("redis")
        server.command("FLUSHALL")
        return server.url
    if name == "cluster":
        servers: Cluster = request.getfixturevalue("cluster")
        servers.flush()
        return servers.url
    return "memory"


@pytest.fixture(params=STORES)
async def caches(request: pytest.FixtureRequest) -> AsyncIterator[Caches]:
    now = Shifted()
    where = place(request.param, request)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_at(where, now=now))
        other = store if where == "memory" else await stack.enter_async_context(store_at(where, now=now))
        one = await stack.enter_async_context(cache_over(store, now=now))
        two = await stack.enter_async_context(cache_over(other, now=now, seed=2))
        yield Caches(one, two, store, other, now)


async def until_told(caches: Caches) -> None:
    """Let the second process hear all that the first one told."""
    if isinstance(caches.other, SqliteCache):
        caches.now.ahead += RECHECK + 0.01  # then it looks into the file
        return
    heard = asyncio.Event()
    caches.other.listen(lambda news: heard.set() if "the:last:news" in news.keys else None)
    await caches.store.drop(["the:last:news"])  # news arrive in order
    await asyncio.wait_for(heard.wait(), 10)


async def until(true: Callable[[], bool]) -> None:
    """Return once something in the background has happened."""
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


# ------------------------------------------------------------------------------- the same everywhere


async def test_an_answer_is_loaded_once_and_the_same_from_every_level(caches: Caches) -> None:
    load = Loader()
    first = await caches.one.through(asked(), load)
    second = await caches.one.through(asked(), load)
    third = await caches.two.through(asked(), load)
    assert [first.origin, second.origin, third.origin] == [Origin.LOAD, Origin.MEMORY, Origin.STORE]
    assert {answer.body for answer in (first, second, third)} == {b"1"}
    assert {answer.etag for answer in (first, second, third)} == {'"1"'}
    assert load.loads == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"0", b"\x00\xff\x80", b"x" * 5_000, bytes(range(256)) * 4_000])
async def test_presence_decides_and_not_truth(caches: Caches, body: bytes) -> None:
    loads = 0

    async def load() -> Loaded:
        nonlocal loads
        loads += 1
        return Loaded(body)

    assert (await caches.one.through(asked(), load)).body == body
    assert (await caches.two.through(asked(), load)).body == body
    assert loads == 1


async def test_two_hundred_misses_at_once_are_one_load(caches: Caches) -> None:
    load = Loader(seconds=0.1)
    async with asyncio.TaskGroup() as asking:
        tasks = [
            asking.create_task(cache.through(asked(), load)) for _ in range(100) for cache in (caches.one, caches.two)
        ]
    assert load.loads == 1
    assert {task.result().body for task in tasks} == {b"1"}


async def test_a_cancelled_leader_harms_nobody(caches: Caches) -> None:
    load = Loader(seconds=0.2)
    tasks = [asyncio.create_task(caches.one.through(asked(), load)) for _ in range(20)]
    await load.begun.wait()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert tasks[0].cancelled()
    assert [task.result().body for task in tasks[1:]] == [b"1"] * 19
    assert load.loads == 1


async def test_when_all_have_gone_the_next_loads_anew(caches: Caches) -> None:
    load = Loader(seconds=60)
    task = asyncio.create_task(caches.one.through(asked(), load))
    await load.begun.wait()
    task.cancel()
    await asyncio.wait({task})
    load.seconds = 0.0
    with within(4):  # the lease was given back, and did not have to run out
        assert (await caches.two.through(asked(), load)).body == b"2"


# ------------------------------------------------------------------------------------------- errors


async def test_errors_are_never_kept(caches: Caches) -> None:
    load = Loader()
    load.fails = True
    for _ in range(3):
        with pytest.raises(ToolFailed):
            await caches.one.through(asked(), load)
    load.fails = False
    assert (await caches.two.through(asked(), load)).body == b"4"


async def test_an_error_reaches_all_who_wait(caches: Caches) -> None:
    load = Loader(seconds=0.05)
    load.fails = True
    tasks = [asyncio.create_task(caches.one.through(asked(), load)) for _ in range(5)]
    await asyncio.wait(tasks)
    assert all(isinstance(task.exception(), ToolFailed) for task in tasks)
    assert load.loads == 1


# --------------------------------------------------------------------------------------------- times


async def test_memory_never_outlives_the_store(caches: Caches) -> None:
    end = caches.now() + 0.3
    entry = Entry(b"short", caches.now(), end, end, end)
    await caches.store.put(asked().text(await caches.store.version(asked().namespace)), entry, label="")
    assert (await caches.one.through(asked(), Loader())).body == b"short"
    caches.now.ahead += 0.4
    assert (await caches.one.through(asked(), Loader())).body == b"1"


async def test_memory_is_asked_for_thirty_seconds_at_most(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    caches.now.ahead += 29
    assert (await caches.one.through(asked(), load)).origin is Origin.MEMORY
    caches.now.ahead += 2
    assert (await caches.one.through(asked(), load)).origin is Origin.STORE


async def test_a_stale_answer_is_served_while_one_loads_it_anew(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    caches.now.ahead += SEARCH.soft * 1.2
    load.seconds = 0.3  # nobody of the twenty waits for it
    async with asyncio.TaskGroup() as asking:
        tasks = [asking.create_task(caches.one.through(asked(), load)) for _ in range(20)]
    assert {(task.result().body, task.result().stale) for task in tasks} == {(b"1", True)}
    await until(lambda: caches.one.stats().refreshes == 1)
    assert load.loads == 2
    fresh = await caches.one.through(asked(), load)
    assert (fresh.body, fresh.stale) == (b"2", False)


async def test_a_stale_answer_stands_in_for_a_failed_load(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    load.fails = True
    caches.now.ahead += SEARCH.revalidate * 1.2
    for _ in range(3):
        answer = await caches.one.through(asked(), load)
        assert (answer.body, answer.stale) == (b"1", True)
    assert load.loads == 2  # the provider is left alone for some seconds
    caches.now.ahead += SEARCH.hard * 1.2
    with pytest.raises(ToolFailed):
        await caches.one.through(asked(), load)


async def test_a_failed_refresh_leaves_the_old_answer(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    caches.now.ahead += SEARCH.soft * 1.2
    load.fails = True
    for _ in range(3):
        assert (await caches.one.through(asked(), load)).body == b"1"
        await until(lambda: caches.one.stats().stale_on_error == 1)
    assert load.loads == 2


async def test_an_answer_is_loaded_anew_before_its_end_where_that_is_wished(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    caches.now.ahead += 0.6 * SEARCH.soft
    for before, origin in ((0.0, Origin.STORE), (0.1 * SEARCH.soft, Origin.STORE), (0.6 * SEARCH.soft, Origin.LOAD)):
        answer = await caches.one.through(asked(), load, before=before)
        assert (answer.origin, answer.stale) == (origin, False)
    assert load.loads == 2
    # A second pass at once finds it young, however far ahead it looks; so does the other process.
    for cache in (caches.one, caches.two):
        assert (await cache.through(asked(), load, before=2 * SEARCH.soft)).body == b"2"
    caches.now.ahead += 0.8 * SEARCH.soft  # beyond the end of the first one
    assert (await caches.one.through(asked(), load)).stale is False
    assert load.loads == 2


async def test_before_its_end_an_answer_is_renewed_by_what_is_known_of_it(caches: Caches) -> None:
    load, olds = Loader(), list[Entry]()

    async def renew(older: Entry) -> Loaded:
        olds.append(older)
        return Loaded(older.body, etag=older.etag)

    await caches.one.through(asked(), load, renew=renew)
    caches.now.ahead += 0.6 * SEARCH.soft
    answer = await caches.one.through(asked(), load, renew=renew, before=SEARCH.soft)
    assert (answer.body, answer.origin, load.loads, len(olds)) == (b"1", Origin.LOAD, 1, 1)


async def test_what_cannot_be_loaded_anew_before_its_end_stays_and_the_error_is_told(caches: Caches) -> None:
    load = Loader()
    await caches.one.through(asked(), load)
    caches.now.ahead += 0.6 * SEARCH.soft
    load.fails = True
    with pytest.raises(ToolFailed):
        await caches.one.through(asked(), load, before=SEARCH.soft)
    answer = await caches.two.through(asked(), load)
    assert (answer.body, answer.stale, load.loads) == (b"1", False, 2)


async def test_nothing_is_an_answer_for_a_short_while(caches: Caches) -> None:
    load = Loader(negative=True)
    assert (await caches.one.through(asked(), load)).negative
    caches.now.ahead += 29
    assert (await caches.two.through(asked(), load)).negative
    assert load.loads == 1
    caches.now.ahead += 31
    assert (await caches.two.through(asked(), load)).origin is Origin.LOAD


async def test_what_was_loaded_together_ends_apart(caches: Caches) -> None:
    load = Loader()
    version = await caches.store.version(asked().namespace)
    ends = set()
    for number in range(20):
        await caches.one.through(asked(number), load)
        entry = await caches.store.get(asked(number).text(version))
        assert entry is not None
        assert 0.9 * SEARCH.soft <= entry.soft - entry.stored_at <= 1.1 * SEARCH.soft
        ends.add(round(entry.soft - entry.stored_at))
    assert len(ends) > 10


# -------------------------------------------------------------------------------------- invalidation


async def test_invalidation_reaches_the_memory_of_other_processes(caches: Caches) -> None:
    load = Loader()
    for cache in (caches.one, caches.two):
        await cache.through(asked(), load)
    await caches.one.invalidate(Category.SEARCH, tenant=None)
    assert (await caches.one.through(asked(), load)).body == b"2"
    await until_told(caches)
    assert (await caches.two.through(asked(), load)).body == b"2"


async def test_a_new_value_reaches_the_memory_of_other_processes(caches: Caches) -> None:
    load = Loader()
    for cache in (caches.one, caches.two):
        await cache.through(asked(), load)
    await caches.one.put(asked(), Loaded(b"new"))
    assert (await caches.one.through(asked(), load)).body == b"new"
    await until_told(caches)
    assert (await caches.two.through(asked(), load)).body == b"new"


async def test_what_is_forgotten_is_forgotten_everywhere(caches: Caches) -> None:
    load = Loader()
    for cache in (caches.one, caches.two):
        await cache.through(asked(), load)
    await caches.one.forget(asked())
    await until_told(caches)
    assert (await caches.two.through(asked(), load)).body == b"2"


async def test_a_load_that_began_before_an_invalidation_does_not_survive_it(caches: Caches) -> None:
    load = Loader(seconds=0.3)
    early = asyncio.create_task(caches.one.through(asked(), load))
    await load.begun.wait()
    await caches.one.invalidate(Category.SEARCH, tenant=None)
    assert (await early).body == b"1"
    assert (await caches.one.through(asked(), load)).body == b"2"
    assert (await caches.one.through(asked(), load)).body == b"2"


async def test_only_the_namespace_is_invalidated(caches: Caches) -> None:
    load = Loader()
    keys = [asked(), asked(tenant="a"), asked(tenant="b"), asked(category=Category.PAGE)]
    for at in keys:
        await caches.one.through(at, load)
    await caches.one.invalidate(Category.SEARCH, tenant="a")
    origins = [(await caches.one.through(at, load)).origin for at in keys]
    assert origins == [Origin.MEMORY, Origin.LOAD, Origin.MEMORY, Origin.MEMORY]


async def test_invalidation_does_not_depend_on_how_much_there_is(caches: Caches) -> None:
    now = caches.now()
    entry = Entry(b"x", now, now + 60, now + 60, now + 60)
    for at in range(0, 2_000, 20):
        async with asyncio.TaskGroup() as putting:
            for number in range(at, at + 20):
                putting.create_task(caches.store.put(f"a:1:public:other:1:{number}", entry, label="x"))
    await caches.one.through(asked(), Loader())
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        await caches.one.invalidate(Category.SEARCH, tenant=None)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.01


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("*harbour*", {0, 3}),
        ("depth [1]?", {1}),
        ("depth*", {1, 2}),
        ("%", set()),
        ("HARBOUR", set()),
        ("*", {0, 1, 2, 3}),
    ],
)
async def test_a_pattern_means_one_thing_everywhere(caches: Caches, pattern: str, gone: set[int]) -> None:
    labels = ["harbour", "depth [1]?", "depth 1x", "the harbour\nlights"]
    load = Loader()
    for cache in (caches.one, caches.two):
        for number, label in enumerate(labels):
            await cache.through(asked(number), load, label=label)
    assert await caches.one.sweep(pattern) == len(gone)
    await until_told(caches)
    version = await caches.store.version(asked().namespace)
    left = [await caches.store.get(asked(number).text(version)) for number in range(4)]
    assert {number for number, entry in enumerate(left) if entry is None} == gone
    for cache in (caches.one, caches.two):
        origins = [(await cache.through(asked(number), Loader())).origin for number in range(4)]
        assert {number for number, origin in enumerate(origins) if origin is not Origin.MEMORY} == gone


# ---------------------------------------------------------------------------------- between processes


@pytest.mark.parametrize("name", SHARED)
def test_many_processes_load_once(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    log = tmp_path / "loads"
    command = [sys.executable, "-m", "tests.support.cache_child", str(place(name, request)), str(log), "50", "0.3"]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        answers = []
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        answers = [child.communicate(timeout=20)[0] for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert answers == ["[b'answer']"] * 4
    assert log.read_text(encoding="utf-8") == "load\n"


@pytest.mark.parametrize("name", SHARED)
async def test_the_lease_of_a_dead_process_runs_out(request: pytest.FixtureRequest, name: str) -> None:
    now = Shifted()
    async with store_at(place(name, request), now=now) as store, cache_over(store, now=now) as cache:
        text = asked().text(await store.version(asked().namespace))
        begun = time.monotonic()
        assert await store.lease(text, "dead", seconds=0.3)
        with within(5):
            assert (await cache.through(asked(), Loader())).body == b"1"
        assert time.monotonic() - begun > 0.2


@pytest.mark.parametrize("name", SHARED)
async def test_a_load_that_takes_longer_than_its_lease_keeps_it(request: pytest.FixtureRequest, name: str) -> None:
    now, load = Shifted(), Loader(seconds=5.0)
    async with (
        store_at(place(name, request), now=now) as store,
        cache_over(store, now=now, lease_seconds=4.0) as one,
        cache_over(store, now=now, seed=2, lease_seconds=4.0) as two,
    ):
        answers = await asyncio.gather(one.through(asked(), load), two.through(asked(), load))
        assert {answer.body for answer in answers} == {b"1"}
        assert load.loads == 1


async def test_a_process_that_dies_holds_nobody_up_for_long() -> None:
    assert LEASE_SECONDS <= 5


async def test_who_holds_a_lease_renews_it(caches: Caches) -> None:
    assert await caches.store.lease("k", "a", seconds=0.2)
    assert await caches.store.lease("k", "a", seconds=30)
    await asyncio.sleep(0.3)
    assert not await caches.other.lease("k", "b", seconds=30)


async def test_only_who_holds_a_lease_gives_it_back(caches: Caches) -> None:
    assert await caches.store.lease("k", "a", seconds=30)
    assert not await caches.other.lease("k", "b", seconds=30)
    await caches.other.release("k", "b")
    assert not await caches.other.lease("k", "b", seconds=30)
    await caches.store.release("k", "a")
    assert await caches.other.lease("k", "b", seconds=30)


# ------------------------------------------------------------------------------------- a store away


async def is_stored_again(cache: TieredCache, store: Store) -> bool:
    for number in range(100):
        wanted = asked(f"after {number}")
        await cache.through(wanted, Loader())
        with suppress(StoreError):
            if await store.get(wanted.text(await store.version(wanted.namespace))) is not None:
                return True
        await asyncio.sleep(0.1)
    return False


@pytest.mark.server("redis")
async def test_without_redis_everything_is_a_miss_and_nothing_an_error(tmp_path: Path) -> None:
    now, load = Shifted(), Loader()
    with running_redis(tmp_path) as server:
        async with store_at(server.url, now=now) as store, cache_over(store, now=now) as cache:
            await cache.through(asked("before"), load)
            await asyncio.to_thread(server.stop)
            answers = [(await cache.through(asked(n), load)).origin for n in range(5)]
            assert answers == [Origin.LOAD] * 5
            assert (await cache.through(asked(1), load)).origin is Origin.MEMORY
            with within(0.3):
                await cache.through(asked("while the breaker is open"), load)
            assert cache.stats().away > 0
            await asyncio.to_thread(server.start)
            assert await is_stored_again(cache, store)


@pytest.mark.server("redis")
async def test_a_version_that_redis_lost_does_not_bring_old_answers_back(redis: Redis) -> None:
    redis.command("FLUSHALL")
    now, load = Shifted(), Loader()
    async with store_at(redis.url, now=now) as store:
        async with cache_over(store, now=now) as cache:
            await cache.through(asked(), load)
            await cache.invalidate(Category.SEARCH, tenant=None)
        redis.command("DEL", f"{asked().namespace}:version")
        await asyncio.sleep(0.005)
        async with cache_over(store, now=now) as cache:
            assert (await cache.through(asked(), load)).body == b"2"


@pytest.mark.parametrize("name", SHARED)
async def test_rubbish_in_the_store_is_a_miss(request: pytest.FixtureRequest, name: str) -> None:
    now = Shifted()
    where = place(name, request)
    async with store_at(where, now=now) as store:
        text = asked().text(await store.version(asked().namespace))
        async with cache_over(store, now=now) as cache:
            await cache.through(asked(), Loader())
        if isinstance(where, Path):
            await store.put(text, Entry(b"x", 0, 0, 0, now() + 60), label="")
            _spoil(where)
        else:
            server: Redis = request.getfixturevalue("redis")
            server.command("SET", text, "\x80\x04rubbish, perhaps a pickle")
        async with cache_over(store, now=now) as cache:
            answer = await cache.through(asked(), Loader())
            assert (answer.body, answer.origin) == (b"1", Origin.LOAD)


def _spoil(path: Path) -> None:
    import sqlite3  # noqa: PLC0415 only to spoil a file

    with sqlite3.connect(path) as db:
        db.execute("UPDATE entry SET envelope = x'8004'")
    db.close()


async def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    now = Shifted()
    async with store_at(path, now=now) as store, cache_over(store, now=now) as cache:
        assert (await cache.through(asked(), Loader())).body == b"1"
    assert path.stat().st_mode & 0o077 == 0
