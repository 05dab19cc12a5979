"""The pool by itself, on a clock that tests move: who is chosen, who is trusted, who waits."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from leadline.errors import (
    AlreadyThere,
    InputError,
    ModelRateLimited,
    ModelUnavailable,
    SettingsError,
    WrongState,
)
from leadline.model.pool.gauges import Gauges
from leadline.model.pool.leases import Lease, Pool, Wanted, excluding
from leadline.model.pool.types import HealthChange, Outcome, PoolPolicy, ServerSpec, ServerView
from leadline.resilience import BreakerState, Deadline
from leadline.testing import FakeClock


def url(name: str) -> str:
    return f"http://{name}:8000/v1"


def specs(*names: str) -> list[ServerSpec]:
    return [ServerSpec(url=url(name)) for name in names]


def pool_of(*names: str, policy: PoolPolicy | None = None) -> tuple[Pool, FakeClock]:
    clock = FakeClock()
    return Pool(specs(*names), policy=policy, monotonic=clock.monotonic), clock


def take(pool: Pool, session: str = "s", *, exclude: frozenset[str] = frozenset()) -> Lease:
    lease = pool.try_acquire(Wanted(session=session, exclude=exclude))
    assert lease is not None
    return lease


def seen(pool: Pool, name: str) -> ServerView:
    found = pool.look(url(name))
    assert found is not None
    return found


def fail(pool: Pool, name: str, times: int = 3) -> None:
    """Let calls at a server fail, which others are kept out of."""
    others = frozenset(spec.url for spec in pool.specs if spec.url != url(name))
    for _ in range(times):
        take(pool, "", exclude=others).report(Outcome.FAILED, reason="it broke")


# --- homes ---------------------------------------------------------------------------------------


def homes(pool: Pool, count: int = 400) -> dict[str, str]:
    found = {}
    for number in range(count):
        lease = take(pool, f"run-{number}")
        found[f"run-{number}"] = lease.spec.url
        lease.report(Outcome.ANSWERED)
    return found


def test_every_process_finds_the_same_homes_in_whatever_order_servers_are_named() -> None:
    loose = PoolPolicy(bound=100.0)
    first, second = pool_of("a", "b", "c", policy=loose)[0], pool_of("c", "a", "b", policy=loose)[0]
    assert homes(first) == homes(second)


def test_a_server_that_comes_takes_only_its_own_sessions() -> None:
    loose = PoolPolicy(bound=100.0, slow_start=0.001)
    before = homes(pool_of("a", "b", "c", policy=loose)[0])
    after = homes(pool_of("a", "b", "c", "d", policy=loose)[0])
    moved = {session for session in before if before[session] != after[session]}
    assert {after[session] for session in moved} == {url("d")}
    assert 60 <= len(moved) <= 140


def test_weights_set_the_share() -> None:
    pool = Pool(
        [ServerSpec(url=url("a"), weight=3.0), ServerSpec(url=url("b"), weight=1.0)],
        policy=PoolPolicy(bound=1.05),
    )
    counts = Counter(homes(pool).values())
    assert 280 <= counts[url("a")] <= 320


def test_new_sessions_leave_a_full_home_and_stay_where_they_went() -> None:
    pool, _ = pool_of("a", "b", "c", "d")
    leases = {f"run-{number}": take(pool, f"run-{number}") for number in range(48)}
    where = {session: lease.spec.url for session, lease in leases.items()}
    assert max(Counter(where.values()).values()) <= 15
    for lease in leases.values():
        lease.report(Outcome.ANSWERED)
    assert {session: take(pool, session).spec.url for session in leases} == where
    assert pool.view().moved == 0
    assert pool.view().kept == 48


def test_a_session_leaves_a_server_that_holds_far_more_than_its_share() -> None:
    pool, _ = pool_of("a", "b", policy=PoolPolicy(stay_floor=4))
    first = take(pool, "s")
    first.report(Outcome.ANSWERED)
    pool.measured(first.spec.url, Gauges(running=40, waiting=0))
    assert take(pool, "s").spec.url != first.spec.url


def test_other_processes_requests_count_by_the_servers_gauges_and_ours_not_twice() -> None:
    pool, clock = pool_of("a", "b", policy=PoolPolicy(gauges_age=15.0))
    mine = [take(pool, "", exclude=frozenset({url("b")})) for _ in range(3)]
    pool.measured(url("a"), Gauges(running=5, waiting=2))
    assert seen(pool, "a").load == 7
    for lease in mine:
        lease.report(Outcome.ANSWERED)
    assert seen(pool, "a").load == 4
    asyncio.run(clock.advance(16.0))
    assert seen(pool, "a").load == 0, "an old word counts no more"
    assert seen(pool, "a").in_flight == 0


def test_equal_servers_do_not_all_get_the_first_call_of_every_process() -> None:
    policy = PoolPolicy(balance="least_connections")
    first = {take(pool_of("a", "b", "c", "d", policy=policy)[0], f"run-{n}").spec.url for n in range(32)}
    assert len(first) == 4


def test_sessions_that_are_over_are_forgotten() -> None:
    pool, clock = pool_of("a", "b", policy=PoolPolicy(session_seconds=10.0))
    homes(pool, 40)
    assert sum(server.sessions for server in pool.view().servers) == 40
    asyncio.run(clock.advance(11.0))
    assert sum(server.sessions for server in pool.view().servers) == 0


# --- health --------------------------------------------------------------------------------------


def test_a_server_that_fails_is_left_out_then_tried_by_one_call() -> None:
    changes: list[HealthChange] = []
    clock = FakeClock()
    policy = PoolPolicy(failures=3, cooldown=10.0)
    pool = Pool(specs("a", "b"), policy=policy, monotonic=clock.monotonic, on_health=changes.append)
    fail(pool, "a", 2)
    assert seen(pool, "a").healthy
    fail(pool, "a", 1)
    assert not seen(pool, "a").healthy
    assert {take(pool, f"run-{number}").spec.url for number in range(20)} == {url("b")}
    asyncio.run(clock.advance(10.0))
    only_a = frozenset({url("b")})
    trial = take(pool, "s", exclude=only_a)
    with pytest.raises(ModelUnavailable) as caught:
        take(pool, "t", exclude=only_a)
    assert caught.value.retry_after == pytest.approx(10.0)
    trial.report(Outcome.FAILED, reason="still broken")
    assert seen(pool, "a").breaker is BreakerState.OPEN
    asyncio.run(clock.advance(10.0))
    take(pool, "s", exclude=only_a).report(Outcome.ANSWERED)
    assert seen(pool, "a").healthy
    assert [(change.url, change.healthy) for change in changes] == [(url("a"), False), (url("a"), True)]
    assert changes[1].down_for == pytest.approx(20.0)


def test_a_trial_that_is_given_up_lets_the_next_one_in() -> None:
    pool, clock = pool_of("a", policy=PoolPolicy(failures=1, cooldown=10.0))
    fail(pool, "a", 1)
    asyncio.run(clock.advance(10.0))
    with take(pool):
        pass
    with take(pool):
        pass


def test_one_success_between_failures_keeps_a_server_in() -> None:
    pool, _ = pool_of("a", policy=PoolPolicy(failures=3))
    for _ in range(4):
        fail(pool, "a", 2)
        take(pool).report(Outcome.ANSWERED)
    assert seen(pool, "a").healthy


def test_a_probe_that_succeeds_does_not_excuse_calls_that_fail() -> None:
    pool, _ = pool_of("a", policy=PoolPolicy(failures=3))
    for _ in range(3):
        fail(pool, "a", 1)
        pool.probed(url("a"), Outcome.ANSWERED)
    assert not seen(pool, "a").healthy


def test_a_server_that_comes_back_gets_its_share_little_by_little() -> None:
    policy = PoolPolicy(failures=1, cooldown=1.0, slow_start=30.0)
    pool, clock = pool_of("a", "b", policy=policy)
    fail(pool, "a", 1)
    asyncio.run(clock.advance(1.0))
    assert pool.trial(url("a"))
    pool.probed(url("a"), Outcome.ANSWERED)

    def share_of_a() -> float:
        leases = [take(pool, f"{clock.now()}-{number}") for number in range(100)]
        got = sum(lease.spec.url == url("a") for lease in leases)
        for lease in leases:
            lease.report(Outcome.ANSWERED)
        return got / 100

    early = share_of_a()
    asyncio.run(clock.advance(700.0))  # sessions are over, too
    assert early <= 0.15
    assert share_of_a() >= 0.35


def test_a_server_that_asks_to_wait_is_left_alone_and_counts_as_healthy() -> None:
    pool, clock = pool_of("a", "b")
    only_a = frozenset({url("b")})
    take(pool, exclude=only_a).report(Outcome.BUSY, wait=5.0)
    assert seen(pool, "a").healthy
    with pytest.raises(ModelRateLimited) as caught:
        take(pool, exclude=only_a)
    assert caught.value.retry_after == pytest.approx(5.0)
    asyncio.run(clock.advance(5.0))
    take(pool, exclude=only_a)


def test_a_lease_that_nobody_renews_is_taken_back() -> None:
    pool, clock = pool_of("a", policy=PoolPolicy(lease_seconds=60.0))
    lost, kept = take(pool, "s"), take(pool, "t")
    asyncio.run(clock.advance(40.0))
    kept.renew()
    asyncio.run(clock.advance(40.0))
    assert pool.reap() == 1
    assert seen(pool, "a").in_flight == 1
    lost.report(Outcome.FAILED)
    assert seen(pool, "a").in_flight == 1, "a late word changes nothing"
    kept.report(Outcome.ANSWERED)
    assert seen(pool, "a").in_flight == 0


# --- waiting -------------------------------------------------------------------------------------


async def test_room_that_comes_free_goes_to_tenants_in_turn() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)])
    order: list[str] = []

    async def call(name: str) -> None:
        with await pool.acquire(Wanted(session=name, tenant=name[0]), deadline=Deadline(5.0)):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name in ("x1", "x2", "x3", "x4", "y1", "y2"):
            group.create_task(call(name))
    assert order == ["x1", "x2", "y1", "x3", "y2", "x4"]


async def test_who_waits_is_told_at_once_when_the_last_server_goes_out() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)], policy=PoolPolicy(failures=1))
    lease = take(pool)
    waiting = asyncio.get_running_loop().create_task(pool.acquire(Wanted(session="t"), deadline=Deadline(5.0)))
    await asyncio.sleep(0)
    lease.report(Outcome.FAILED, reason="engine died")
    with pytest.raises(ModelUnavailable, match="engine died"):
        await waiting


async def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)])
    with take(pool):
        with pytest.raises(ModelRateLimited) as caught:
            await pool.acquire(Wanted(session="t"), deadline=Deadline(0.01))
        assert caught.value.retry_after
        assert pool.view().waiting == 0


async def test_a_lease_handed_to_who_just_left_goes_on() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)])
    lease = take(pool)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(pool.acquire(Wanted(session=name), deadline=Deadline(5.0))) for name in ("t", "u")]
    await asyncio.sleep(0)
    lease.report(Outcome.ANSWERED)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    (await asyncio.wait_for(tasks[1], 20)).report(Outcome.ANSWERED)
    assert pool.view().servers[0].in_flight == 0


async def test_a_server_that_is_added_serves_who_waits() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)])
    take(pool)
    waiting = asyncio.get_running_loop().create_task(pool.acquire(Wanted(session="t"), deadline=Deadline(5.0)))
    await asyncio.sleep(0)
    pool.add(ServerSpec(url=url("b")))
    assert (await waiting).spec.url == url("b")


# --- servers -------------------------------------------------------------------------------------


def test_a_pool_without_servers_says_so() -> None:
    with pytest.raises(ModelUnavailable, match="none is left"):
        take(Pool([]))


def test_names_are_checked() -> None:
    pool, _ = pool_of("a")
    with pytest.raises(InputError, match="already"):
        pool.add(ServerSpec(url="http://a:8000/v1/"))
    with pytest.raises(InputError, match="no such"):
        pool.drain(url("b"))
    with pytest.raises(SettingsError):
        pool.add(ServerSpec(url="a:8000"))


def test_a_drained_server_gets_nothing_and_what_it_has_may_end() -> None:
    pool, _ = pool_of("a", "b")
    lease = take(pool, exclude=frozenset({url("b")}))
    pool.drain(url("a"))
    assert {take(pool, f"run-{number}").spec.url for number in range(9)} == {url("b")}
    pool.remove(url("a"))
    lease.report(Outcome.ANSWERED)
    assert [spec.url for spec in pool.specs] == [url("b")]


def test_a_server_that_is_retired_leaves_with_its_last_answer() -> None:
    pool, _ = pool_of("a", "b")
    held = [take(pool, f"run-{number}", exclude=frozenset({url("b")})) for number in range(2)]
    assert not pool.retire(url("a"))
    assert {take(pool, f"run-{number}").spec.url for number in range(9)} == {url("b")}
    held[0].report(Outcome.ANSWERED)
    assert (seen(pool, "a").leaving, seen(pool, "a").in_flight) == (True, 1)
    held[1].report(Outcome.ANSWERED)
    assert pool.look(url("a")) is None


def test_who_is_added_again_before_it_has_left_stays() -> None:
    pool, _ = pool_of("a", "b")
    held = take(pool, exclude=frozenset({url("b")}))
    pool.retire(url("a"))
    pool.add(ServerSpec(url=url("a"), weight=2.0))
    held.report(Outcome.ANSWERED)
    back = seen(pool, "a")
    assert (back.draining, back.leaving, back.weight) == (False, False, 2.0)


def test_the_last_server_in_service_is_not_drained_unasked() -> None:
    pool, _ = pool_of("a", "b")
    fail(pool, "b")
    for leave in (pool.drain, pool.retire):
        with pytest.raises(WrongState, match="no other model server"):
            leave(url("a"))
    assert take(pool).spec.url == url("a")
    pool.drain(url("a"), force=True)
    with pytest.raises(ModelUnavailable, match="drained"):
        take(pool, exclude=frozenset({url("b")}))


async def test_who_waits_is_told_when_the_last_server_is_drained() -> None:
    pool = Pool([ServerSpec(url=url("a"), concurrency=1)])
    take(pool)
    waiting = asyncio.get_running_loop().create_task(pool.acquire(Wanted(session="t"), deadline=Deadline(5.0)))
    await asyncio.sleep(0)
    pool.drain(url("a"), force=True)
    with pytest.raises(ModelUnavailable):
        await waiting


def test_a_pool_follows_a_list_and_cuts_nothing() -> None:
    pool, _ = pool_of("a", "b", "c")
    pool.drain(url("b"))
    held = take(pool, exclude=frozenset({url("c")}))
    pool.follow([ServerSpec(url=url("b")), ServerSpec(url=url("c"), concurrency=4), ServerSpec(url=url("d"))])
    assert seen(pool, "a").leaving
    assert seen(pool, "b").draining, "what an operator drains stays drained"
    assert seen(pool, "c").concurrency == 4
    assert {take(pool, f"run-{number}").spec.url for number in range(3)} <= {url("c"), url("d")}
    pool.follow([ServerSpec(url=url("a")), *specs("c", "d")])
    held.report(Outcome.ANSWERED)
    assert [spec.url for spec in pool.specs] == [url("a"), url("c"), url("d")]
    with pytest.raises(AlreadyThere):
        pool.follow([*specs("a"), ServerSpec(url="http://a:8000/v1/")])


def test_a_password_in_an_address_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool([ServerSpec(url="http://me:secret@a:8000/v1", api_key="hush")], policy=PoolPolicy(failures=1))
    take(pool).report(Outcome.FAILED, reason="down")
    with pytest.raises(ModelUnavailable) as caught:
        take(pool)
    assert "secret" not in str(caught.value) + caplog.text
    assert "hush" not in repr(pool.specs)


def test_a_wish_grows_by_what_was_tried() -> None:
    wanted = excluding(Wanted(session="s", exclude=frozenset({"x"})), ["y"])
    assert wanted.exclude == {"x", "y"}
