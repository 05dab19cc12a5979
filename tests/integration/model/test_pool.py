"""The pool against several real HTTP servers, of which one does every wrong thing there is."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import pytest
from tests.support.clocks import PATIENT, QUICK

from leadline.domain import Message, ModelAnswer, ModelRequest
from leadline.errors import ContextOverflow, ModelDenied, ModelError, ModelRateLimited, ModelUnavailable
from leadline.model.attempt import Clocks
from leadline.model.clients import Kind, clients
from leadline.model.hedge import Hedging
from leadline.model.pool.health import Probing
from leadline.model.pool.types import HealthChange, Outcome, PoolPolicy, ServerSpec
from leadline.model.pooled import PooledModel
from leadline.resilience import Backoff
from leadline.testing import OVERFLOWS, Fault, Reply, ScriptedServer, refusal
from leadline.testing.script import Asked, Script

QUIET = Probing(every=0.0, gauges=0.0)


def asking(text: str = "What is the capital of France?") -> ModelRequest:
    return ModelRequest(messages=(Message(role="user", content=text),), model="scripted")


def always(reply: Reply) -> Script:
    def answer(_asked: Asked) -> Reply:
        return reply

    return answer


GOOD = Reply(text="The capital is Paris.", chunk=4)


@asynccontextmanager
async def pooled(
    replies: Sequence[Reply | Script],
    *,
    specs: dict[str, Any] | None = None,
    probing: Probing = QUIET,
    kind: Kind = "openai",
    clocks: Clocks = PATIENT,
    **options: Any,
) -> AsyncIterator[tuple[list[ScriptedServer], PooledModel]]:
    options.setdefault("backoff", Backoff(attempts=1))
    async with AsyncExitStack() as stack:
        servers = []
        for reply in replies:
            script = always(reply) if isinstance(reply, Reply) else reply
            servers.append(await stack.enter_async_context(ScriptedServer(script)))
        listed = [ServerSpec(url=server.url, **(specs or {})) for server in servers]
        model = PooledModel(listed, client=clients(kind, clocks=clocks), probing=probing, random=Random(1), **options)
        yield servers, await stack.enter_async_context(model)


async def ask(model: PooledModel, session: str = "run", deadline: float = 20.0, **options: Any) -> ModelAnswer:
    return await model.complete(asking(), deadline=deadline, session=session, **options)


async def all_at_once(model: PooledModel, count: int, **options: Any) -> list[ModelAnswer | ModelError]:
    """Return the answers or errors of `count` sessions that ask at once."""
    results: list[ModelAnswer | ModelError] = []

    async def one(number: int) -> None:
        try:
            results.append(await ask(model, f"run-{number}", **options))
        except ModelError as error:
            results.append(error)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return results


def errors(results: Sequence[ModelAnswer | ModelError]) -> list[ModelError]:
    return [result for result in results if isinstance(result, ModelError)]


FAULTS = {
    "dead": Reply(fault=Fault.DEAD),
    "hangs": Reply(fault=Fault.HANG_BEFORE_HEADERS),
    "hangs after headers": Reply(fault=Fault.HANG_AFTER_HEADERS),
    "hangs midway": Reply(text="The capital is Rome.", chunk=2, fault=Fault.HANG_MIDWAY),
    "keepalive only": Reply(fault=Fault.KEEPALIVE),
    "503": refusal(503, "overloaded"),
    "503 come later": refusal(503, "overloaded", retry_after="1"),
    "500": refusal(500, "engine died"),
    "429": refusal(429, "too many"),
    "429 come later": refusal(429, "too many", retry_after="2"),
    "401": refusal(401, "who are you"),
    "404": refusal(404, "no such model"),
    "cut": Reply(text="The capital is Rome.", chunk=2, fault=Fault.CUT),
    "clean cut": Reply(text="The capital is Rome.", chunk=2, fault=Fault.CLEAN_CUT),
    "no finish": Reply(text="The capital is Rome.", fault=Fault.NO_FINISH),
    "error event": Reply(text="The capital is Rome.", chunk=2, fault=Fault.ERROR_EVENT),
    "garbage": Reply(fault=Fault.GARBAGE),
    "html": Reply(fault=Fault.HTML),
    "wrong json": Reply(text="The capital is Rome.", chunk=2, fault=Fault.WRONG_JSON),
}
HANGING = {"hangs", "hangs after headers", "hangs midway", "keepalive only"}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_one_bad_server_of_four_costs_no_caller_an_answer(fault: str) -> None:
    clocks = QUICK if fault in HANGING else PATIENT
    async with pooled([FAULTS[fault], GOOD, GOOD, GOOD], clocks=clocks) as (servers, model):
        results = await all_at_once(model, 24)
        assert errors(results) == []
        assert {answer.text for answer in results if isinstance(answer, ModelAnswer)} == {"The capital is Paris."}
        assert servers[0].requests, "the bad one was tried"
        # Sixty more in ones: once it is known, hardly anybody is sent there.
        before = len(servers[0].requests)
        for number in range(60):
            await ask(model, f"later-{number}")
        assert len(servers[0].requests) - before <= 6


async def test_a_refusing_server_of_four_costs_nothing() -> None:
    async with pooled([GOOD, GOOD, GOOD, GOOD]) as (servers, model):
        await servers[0].stop()
        assert errors(await all_at_once(model, 24)) == []


async def test_the_other_protocol_is_pooled_alike() -> None:
    async with pooled([refusal(529, "Overloaded"), GOOD, GOOD, GOOD], kind="anthropic") as (servers, model):
        assert errors(await all_at_once(model, 24)) == []
        assert "system" not in servers[1].requests[0].body
        assert servers[1].requests[0].headers["anthropic-version"]


async def test_the_servers_models_are_listed_once_also_where_one_hangs() -> None:
    async with pooled([GOOD, GOOD, GOOD]) as (servers, model):
        await servers[0].stop()
        assert [served.name for served in await model.models(deadline=2.0)] == ["scripted"]
        for server in servers:
            await server.stop()
        with pytest.raises(ModelUnavailable):
            await model.models(deadline=2.0)


async def test_a_slow_drip_is_no_fault() -> None:
    drip = Reply(text="The capital is Paris.", chunk=1, delay=0.03)
    async with pooled([drip] * 4) as (_servers, model):
        assert errors(await all_at_once(model, 8)) == []
        assert all(server.healthy for server in model.pool.view().servers)


async def test_what_a_failed_server_said_is_declared_void() -> None:
    heard: list[tuple[str, str]] = []

    def play(asked: Asked) -> Reply:
        first = not seen
        seen.append(asked)
        return Reply(text="The capital is Rome.", chunk=2, fault=Fault.CUT) if first else GOOD

    seen: list[Asked] = []
    async with pooled([play, play]) as (_servers, model):
        answer = await ask(model, progress=lambda kind, text: heard.append((kind, text)))
    assert answer.text == "The capital is Paris."
    restart = heard.index(("status", "restart"))
    assert "".join(text for _, text in heard[restart + 1 :]) == answer.text
    assert restart > 0


# --- where sessions go ---------------------------------------------------------------------------


async def test_turns_stay_with_their_server_and_sessions_spread_evenly() -> None:
    seen: dict[str, list[str]] = {}

    def play(name: str) -> Script:
        def answer(asked: Asked) -> Reply:
            seen.setdefault(asked.headers["x-session-id"], []).append(name)
            return Reply(text="ok", first_delay=0.02 + 0.002 * (len(seen) % 5))

        return answer

    async def conversation(model: PooledModel, number: int) -> None:
        for _ in range(6):
            await ask(model, f"run-{number}")

    async with pooled([play(name) for name in "abcd"]) as (_servers, model), asyncio.TaskGroup() as group:
        for number in range(48):
            group.create_task(conversation(model, number))
    homes = Counter(turns[0] for turns in seen.values())
    assert sum(homes.values()) == 48
    assert max(homes.values()) <= 15
    later = [(turn, turns[0]) for turns in seen.values() for turn in turns[1:]]
    assert sum(turn == home for turn, home in later) / len(later) >= 0.95


async def test_sessions_spread_also_when_they_come_one_by_one() -> None:
    async with pooled([GOOD] * 4) as (servers, model):
        for number in range(48):
            await ask(model, f"run-{number}")
        assert max(len(server.requests) for server in servers) <= 15


async def test_least_connections_fills_what_is_emptiest() -> None:
    gate = asyncio.Event()
    slow = Reply(text="ok", gate=gate)
    async with pooled([slow] * 4, policy=PoolPolicy(balance="least_connections")) as (servers, model):
        asking = asyncio.get_running_loop().create_task(all_at_once(model, 48))
        for server in servers:
            await server.asked(12)
        gate.set()
        assert errors(await asking) == []
        assert [len(server.requests) for server in servers] == [12] * 4


async def test_servers_hold_no_more_than_they_may_and_the_rest_waits() -> None:
    slow = Reply(text="ok", first_delay=0.03)
    async with pooled([slow] * 2, specs={"concurrency": 3}) as (servers, model):
        work = asyncio.get_running_loop().create_task(all_at_once(model, 24))
        most = 0
        while not work.done():
            view = model.pool.view()
            most = max(most, *(server.in_flight for server in view.servers))
            await asyncio.sleep(0.005)
        assert errors(await work) == []
        assert most == 3
        assert sum(len(server.requests) for server in servers) == 24


async def test_beyond_the_queue_a_caller_is_told_when_to_come_again() -> None:
    gate = asyncio.Event()
    policy = PoolPolicy(queue=2)
    async with pooled([Reply(text="ok", gate=gate)], specs={"concurrency": 1}, policy=policy) as (
        _,
        model,
    ):
        asking = asyncio.get_running_loop().create_task(all_at_once(model, 6))
        while model.pool.view().waiting < 2:  # noqa: ASYNC110 nobody is told of who waits
            await asyncio.sleep(0)
        gate.set()
        failed = errors(await asking)
    assert len(failed) == 3
    assert all(isinstance(error, ModelRateLimited) and error.retry_after for error in failed)


# --- when nobody is left -------------------------------------------------------------------------


async def test_without_any_server_the_error_is_typed_and_tells_when_to_come_again() -> None:
    async with pooled([refusal(503, "down")] * 2, policy=PoolPolicy(failures=1, cooldown=9.0)) as (_servers, model):
        with pytest.raises(ModelUnavailable):
            await ask(model)
        with pytest.raises(ModelUnavailable, match="down") as caught:
            await ask(model)
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 9.0


async def test_a_pool_that_asks_to_wait_is_waited_for() -> None:
    def play(_asked: Asked) -> Reply:
        calls.append(1)
        return refusal(429, "slow down", retry_after="0.2") if len(calls) <= 2 else GOOD

    calls: list[int] = []
    async with pooled([play, play], backoff=Backoff(attempts=3, base=0.01)) as (_servers, model):
        began = asyncio.get_running_loop().time()
        answer = await ask(model)
        assert asyncio.get_running_loop().time() - began >= 0.2
    assert answer.text == "The capital is Paris."


@pytest.mark.parametrize(
    ("reply", "error"),
    [(OVERFLOWS["vllm"], ContextOverflow), (refusal(400, "bad field"), ModelError)],
    ids=["overflow", "400"],
)
async def test_what_is_the_requests_fault_is_asked_once_and_blames_nobody(
    reply: Reply, error: type[ModelError]
) -> None:
    async with pooled([reply] * 3) as (servers, model):
        for number in range(5):
            with pytest.raises(error):
                await ask(model, f"run-{number}")
        assert sum(len(server.requests) for server in servers) == 5
        assert all(server.healthy for server in model.pool.view().servers)


async def test_a_model_that_nobody_serves_is_denied() -> None:
    async with pooled([GOOD], specs={"models": frozenset({"other"})}) as (_servers, model):
        with pytest.raises(ModelDenied, match="scripted"):
            await ask(model)


# --- leaving -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE_HEADERS, Fault.HANG_MIDWAY], ids=str)
async def test_a_caller_that_leaves_stops_the_server_at_once(fault: Fault) -> None:
    reply = Reply(text="The capital is Paris.", chunk=2, fault=fault)
    async with pooled([reply]) as (servers, model):
        call = asyncio.get_running_loop().create_task(ask(model))
        asked = await servers[0].asked()
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(asked.over.wait(), 50.0)
        assert asked.left is not None, "left to itself, the server hangs for an hour"
        view = model.pool.view().servers[0]
        assert view.in_flight == 0
        assert view.outcomes == {Outcome.ABANDONED: 1}


async def test_a_caller_that_leaves_the_queue_takes_no_place() -> None:
    gate = asyncio.Event()
    async with pooled([Reply(text="ok", gate=gate)], specs={"concurrency": 1}) as (_servers, model):
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(ask(model, f"run-{number}")) for number in range(4)]
        while model.pool.view().waiting < 3:  # noqa: ASYNC110 nobody is told of who waits
            await asyncio.sleep(0)
        calls[1].cancel()
        calls[2].cancel()
        gate.set()
        await asyncio.wait(calls)
        assert [call.cancelled() for call in calls] == [False, True, True, False]
        view = model.pool.view()
        assert view.waiting == 0
        assert view.servers[0].in_flight == 0


# --- health --------------------------------------------------------------------------------------


async def test_probes_take_a_server_out_and_bring_it_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="leadline.model.pool")
    state = {"up": False}
    changes: list[HealthChange] = []
    turned = asyncio.Event()

    def play(asked: Asked) -> Reply:
        assert asked.body["max_tokens"] == 1
        return Reply(text="ok") if state["up"] else Reply(fault=Fault.HANG_BEFORE_HEADERS)

    def on_health(change: HealthChange) -> None:
        changes.append(change)
        turned.set()

    probing = Probing(every=0.1, again=0.02, deadline=1.0, gauges=0.0)
    policy = PoolPolicy(failures=2, cooldown=0.05)
    async with pooled([play, GOOD], probing=probing, policy=policy, probe_model="scripted", on_health=on_health) as (
        servers,
        model,
    ):
        await asyncio.wait_for(turned.wait(), 25.0)
        turned.clear()
        down = next(server for server in model.pool.view().servers if server.url == servers[0].url)
        assert not down.healthy
        assert next(server for server in model.pool.view().servers if server.url == servers[1].url).healthy
        state["up"] = True
        await asyncio.wait_for(turned.wait(), 25.0)
    assert [change.healthy for change in changes] == [False, True]
    assert "not one token" in changes[0].reason
    assert changes[1].down_for > 0
    assert [record.message for record in caplog.records] == ["model_server_unhealthy", "model_server_healthy"]


async def test_looks_at_a_server_that_costs_money_ask_it_for_no_token() -> None:
    turned: asyncio.Queue[HealthChange] = asyncio.Queue()
    probing = Probing(every=0.05, again=0.01, gauges=0.0)
    policy = PoolPolicy(failures=2, cooldown=0.05)
    spared = {"priced": True, "probed": False, "looked_at": True, "gauges": False}
    async with pooled(
        [GOOD], specs=spared, probing=probing, policy=policy, probe_model="scripted", on_health=turned.put_nowait
    ) as ([server], model):
        await server.stop()
        away = await asyncio.wait_for(turned.get(), 25.0)
        assert not away.healthy
        async with server:
            back = await asyncio.wait_for(turned.get(), 25.0)
            assert back.healthy
            assert server.requests == []
            assert (await ask(model)).text
            assert len(server.requests) == 1


# --- changing the pool ---------------------------------------------------------------------------


async def test_a_server_that_gets_another_key_is_called_with_it() -> None:
    async with ScriptedServer(always(GOOD), key="new") as server, pooled([]) as (_, model):
        model.pool.add(ServerSpec(url=server.url, api_key="old"))
        with pytest.raises(ModelDenied):
            await ask(model)
        model.pool.follow([ServerSpec(url=server.url, api_key="new")])
        assert (await ask(model)).text


async def test_servers_come_drain_and_go_while_calls_run() -> None:
    gate = asyncio.Event()
    slow = Reply(text="ok", gate=gate)
    async with pooled([slow, slow], policy=PoolPolicy(slow_start=0.01)) as (servers, model):
        calls = asyncio.get_running_loop().create_task(all_at_once(model, 8))
        await servers[0].asked()
        model.pool.drain(servers[0].url)
        held = len(servers[0].requests)
        assert not await model.pool.drained(servers[0].url, deadline=0.01)
        gate.set()
        assert await model.pool.drained(servers[0].url, deadline=30.0)
        assert errors(await calls) == []
        model.pool.remove(servers[0].url)
        async with ScriptedServer(always(GOOD)) as third:
            model.pool.add(ServerSpec(url=third.url))
            await asyncio.sleep(0.02)
            assert errors(await all_at_once(model, 12)) == []
            assert third.requests
        assert len(servers[0].requests) == held


# --- hedging -------------------------------------------------------------------------------------


async def hedged(priced: bool) -> tuple[int, ModelAnswer, list[ScriptedServer]]:
    def play(asked: Asked) -> Reply:
        hang = state["hang"] and not state["hung"]
        state["hung"] = state["hung"] or hang
        return Reply(text="late", first_delay=0.5) if hang else Reply(text="in time")

    state = {"hang": False, "hung": False}
    options: dict[str, Any] = {"hedging": Hedging(least=0.05, share=0.05)}
    async with pooled([play, play], specs={"priced": priced}, **options) as (servers, model):
        for number in range(80):  # enough at each server to know what is usual
            await ask(model, f"run-{number}")
        state["hang"] = True
        answer = await ask(model, "the slow one")
        view = model.pool.view()
        assert all(server.in_flight == 0 for server in view.servers)
        return model.hedges, answer, servers


async def test_a_call_that_does_not_begin_is_hedged_and_counted_twice() -> None:
    hedges, answer, servers = await hedged(priced=False)
    assert hedges == 1
    assert answer.text == "in time"
    assert answer.usage.model_calls == 2
    slow = [request for server in servers for request in server.requests if request.left is not None]
    assert len(slow) == 1, "the loser was cancelled"


async def test_priced_servers_are_never_hedged() -> None:
    hedges, answer, _servers = await hedged(priced=True)
    assert hedges == 0
    assert answer.text == "late"
    assert answer.usage.model_calls == 1
