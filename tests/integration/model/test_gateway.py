"""The gateway behind a real ASGI server, before scripted servers with every fault."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
import uvicorn
from tests.support.clocks import PATIENT, QUICK

from leadline.domain import Message, ModelRequest
from leadline.errors import ModelBroken, ModelRateLimited
from leadline.model.attempt import Clocks
from leadline.model.budgets import Allowance, MemoryBudgets
from leadline.model.gateway.app import Gateway
from leadline.model.gateway.keys import KnownKeys, key_hash
from leadline.model.gateway.metrics import FAMILIES
from leadline.model.openai_api import OpenAIModel
from leadline.model.pool.gauges import Gauges
from leadline.model.pool.health import Probing
from leadline.model.pool.types import Outcome, PoolPolicy, ServerSpec
from leadline.resilience import Backoff
from leadline.telemetry.gate import Gate
from leadline.testing import OVERFLOWS, Fault, Reply, ScriptedServer, refusal
from leadline.testing.script import Asked, Script

QUIET = Probing(every=0.0, gauges=0.0)
GOOD = Reply(text="The capital is Paris.", chunk=4)
BODY = b'{ "model":"scripted",  "messages":[{"role":"user","content":"\\u4f60 hi"}], "x_unknown": [1, 2]}'
STREAM = BODY.replace(b'"model"', b'"stream": true, "model"')


def always(reply: Reply) -> Script:
    def answer(_asked: Asked) -> Reply:
        return reply

    return answer


@dataclass
class Site:
    """A running gateway, its servers, and a client."""

    url: str
    gateway: Gateway
    servers: list[ScriptedServer]
    http: aiohttp.ClientSession
    server: uvicorn.Server

    async def post(
        self, body: bytes = BODY, *, path: str = "chat/completions", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        async with self.http.post(f"{self.url}/{path}", data=body, headers=dict(headers or {})) as response:
            return response.status, await response.read(), response.headers

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self.http.get(self.url.removesuffix("/v1") + path) as response:
            return response.status, await response.read()


class _Told(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def site(replies: Sequence[Reply | Script], **options: Any) -> AsyncIterator[Site]:
    options.setdefault("clocks", PATIENT)
    options.setdefault("probing", QUIET)
    options.setdefault("whole", 50.0)
    async with AsyncExitStack() as stack:
        servers = []
        for reply in replies:
            script = always(reply) if isinstance(reply, Reply) else reply
            servers.append(await stack.enter_async_context(ScriptedServer(script)))
        gateway = Gateway([ServerSpec(url=server.url) for server in servers], **options)
        config = uvicorn.Config(gateway, port=0, lifespan="on", log_config=None, access_log=False)
        server = _Told(config)
        running = asyncio.get_running_loop().create_task(server.serve())
        await asyncio.wait_for(server.listening.wait(), 50.0)
        port = server.servers[0].sockets[0].getsockname()[1]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            yield Site(f"http://127.0.0.1:{port}/v1", gateway, servers, http, server)
        finally:
            await http.close()
            server.should_exit = True
            await running


# --- bytes through -------------------------------------------------------------------------------


async def test_a_body_arrives_as_the_bytes_that_were_sent() -> None:
    seen: list[Asked] = []

    def play(asked: Asked) -> Reply:
        seen.append(asked)
        return GOOD

    async with site([play]) as here:
        status, data, headers = await here.post(headers={"x-session-id": "run-1", "Authorization": "Bearer secret"})
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert orjson.loads(data)["choices"][0]["message"]["content"] == "The capital is Paris."
    assert int(seen[0].headers["Content-Length"]) == len(BODY), "not encoded anew"
    assert seen[0].headers["x-session-id"] == "run-1"
    assert "Authorization" not in seen[0].headers, "a client's key stays here"


async def test_a_stream_comes_through_as_it_arrives() -> None:
    slow = Reply(text="The capital is Paris.", chunk=4, delay=0.05)
    async with site([slow]) as here, here.http.post(f"{here.url}/chat/completions", data=STREAM) as response:
        loop = asyncio.get_running_loop()
        times = []
        data = b""
        async for chunk in response.content.iter_any():
            times.append(loop.time())
            data += chunk
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert data.rstrip().endswith(b"data: [DONE]")
    assert len(times) >= 4
    assert times[-1] - times[0] >= 0.15


async def test_our_own_client_works_through_it() -> None:
    async with site([GOOD, GOOD]) as here, OpenAIModel(here.url) as model:
        request = ModelRequest(messages=(Message(role="user", content="hi"),), model="scripted")
        answer = await model.complete(request, deadline=50.0, session="s")
        assert answer.text == "The capital is Paris."
        assert [served.name for served in await model.models(deadline=50.0)] == ["scripted"]


@pytest.mark.parametrize("reply", [refusal(400, "no such field: x_unknown"), OVERFLOWS["vllm"]], ids=["400", "long"])
async def test_what_is_the_requests_fault_comes_back_unchanged(reply: Reply) -> None:
    async with site([reply, reply]) as here:
        status, data, _ = await here.post()
        assert status == reply.status
        assert data == reply.body.encode()
        assert sum(len(server.requests) for server in here.servers) == 1


# --- faults --------------------------------------------------------------------------------------

FAULTS = {
    "dead": Reply(fault=Fault.DEAD),
    "503": refusal(503, "overloaded"),
    "429": refusal(429, "too many", retry_after="3"),
    "401": refusal(401, "whose key"),
    "hangs": Reply(fault=Fault.HANG_BEFORE_HEADERS),
    "hangs after headers": Reply(fault=Fault.HANG_AFTER_HEADERS),
    "keepalive only": Reply(fault=Fault.KEEPALIVE),
    "garbage": Reply(fault=Fault.GARBAGE),
    "html": Reply(fault=Fault.HTML),
}
HANGING = {"hangs", "hangs after headers", "keepalive only"}


@pytest.mark.parametrize(
    ("fault", "stream"),
    [
        (fault, stream)
        for fault in FAULTS
        for stream in (False, True)
        if stream or fault not in {"hangs after headers", "keepalive only"}
    ],
)
async def test_one_bad_server_of_four_is_never_seen(fault: str, stream: bool) -> None:
    hasty: dict[str, Any] = {"clocks": QUICK, "whole": 1.2} if fault in HANGING else {}
    async with site([FAULTS[fault], GOOD, GOOD, GOOD], **hasty) as here:
        results: Counter[int] = Counter()
        body = STREAM if stream else BODY

        async def one(number: int) -> None:
            status, data, _ = await here.post(body, headers={"x-session-id": f"run-{number}"})
            results[status] += 1
            assert b"Paris" in data if not stream else data.rstrip().endswith(b"[DONE]")

        async with asyncio.TaskGroup() as group:
            for number in range(24):
                group.create_task(one(number))
        assert results == {200: 24}
        assert here.servers[0].requests, "the bad one was tried"


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CLEAN_CUT, Fault.HANG_MIDWAY, Fault.ERROR_EVENT], ids=str)
async def test_a_death_midway_is_a_visible_error_and_no_end(fault: Fault) -> None:
    reply = Reply(text="The capital is Paris. " * 4, chunk=4, delay=0.002, fault=fault)
    async with site([reply], clocks=QUICK if fault is Fault.HANG_MIDWAY else PATIENT) as here:
        status, data, _ = await here.post(STREAM)
        assert status == 200
        assert b"[DONE]" not in data
        last = data.rstrip().rpartition(b"data: ")[2]
        assert "error" in orjson.loads(last)
        async with OpenAIModel(here.url, backoff=Backoff(attempts=1)) as model:
            request = ModelRequest(messages=(Message(role="user", content="hi"),), model="scripted")
            with pytest.raises(ModelBroken):
                await model.complete(request, deadline=50.0, session="s")
        assert here.gateway.pool.view().servers[0].outcomes[Outcome.FAILED] == 2
        assert here.gateway.counts.ended["broken"] == 2


async def test_an_answer_that_is_whole_ends_though_its_server_keeps_the_line() -> None:
    reply = Reply(text="ok", fault=Fault.NO_END)
    async with site([reply], clocks=QUICK) as here:
        status, data, _ = await here.post(STREAM)
    assert status == 200
    assert b'"finish_reason":"stop"' in data
    assert b"error" not in data


async def test_without_a_server_the_answer_says_when_to_come_again() -> None:
    async with site([refusal(503, "down")] * 2, policy=PoolPolicy(failures=1, cooldown=7.0)) as here:
        assert (await here.get("/readyz"))[0] == 200
        await here.post()
        status, data, headers = await here.post()
        assert status == 503
        assert 1 <= int(headers["Retry-After"]) <= 7
        error = orjson.loads(data)["error"]
        assert error["code"] == "model_unavailable"
        assert "127.0.0.1" not in error["message"]
        assert (await here.get("/readyz"))[0] == 503
        assert (await here.get("/healthz"))[0] == 200


# --- leaving, draining ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE_HEADERS, Fault.HANG_MIDWAY], ids=str)
async def test_a_client_that_leaves_stops_the_server_at_once(fault: Fault, body: bytes) -> None:
    clocks = Clocks(first_token=90.0, gap=90.0)
    reply = Reply(text="The capital is Paris.", chunk=4, fault=fault) if body is STREAM else Reply(first_delay=90.0)
    async with site([reply], clocks=clocks, whole=90.0) as here:
        loop = asyncio.get_running_loop()
        call = loop.create_task(here.post(body))
        asked = await here.servers[0].asked()
        await asyncio.sleep(0.05)
        call.cancel()
        async with asyncio.timeout(50.0):
            await asked.over.wait()
            while here.gateway.counts.in_flight:  # noqa: ASYNC110 the gateway tells nobody
                await asyncio.sleep(0.005)
        assert asked.left is not None, "left to itself, the server goes on for longer"
        assert here.gateway.counts.ended == {"client_left": 1}
        assert here.gateway.pool.view().servers[0].in_flight == 0


async def test_draining_ends_what_runs_and_takes_nothing_new() -> None:
    gate = asyncio.Event()
    async with site([Reply(text="ok", gate=gate)]) as here:
        loop = asyncio.get_running_loop()
        running = loop.create_task(here.post(STREAM))
        await here.servers[0].asked()
        draining = loop.create_task(here.gateway.drain(50.0))
        await asyncio.sleep(0)
        status, data, headers = await here.post()
        assert status == 503
        assert orjson.loads(data)["error"]["code"] == "draining"
        assert headers["Retry-After"]
        assert not draining.done()
        gate.set()
        assert (await running)[0] == 200
        assert await draining


# --- sessions ------------------------------------------------------------------------------------


async def test_conversations_without_a_name_stay_together_and_spread() -> None:
    homes: dict[str, list[int]] = {}

    def play(at: int) -> Script:
        def answer(asked: Asked) -> Reply:
            homes.setdefault(asked.messages[1]["content"], []).append(at)
            return Reply(text="ok", first_delay=0.01)

        return answer

    async with site([play(at) for at in range(4)]) as here:

        async def talk(number: int) -> None:
            messages = [{"role": "system", "content": "Be careful. " * 300}, {"role": "user", "content": f"Q{number}"}]
            for turn in range(4):
                body = orjson.dumps({"model": "scripted", "messages": messages})
                assert (await here.post(body))[0] == 200
                messages += [{"role": "assistant", "content": "ok"}, {"role": "user", "content": f"more {turn}"}]

        async with asyncio.TaskGroup() as group:
            for number in range(48):
                group.create_task(talk(number))
        first = Counter(turns[0] for turns in homes.values())
        assert len(homes) == 48
        assert max(first.values()) <= 15
        later = [turn == turns[0] for turns in homes.values() for turn in turns[1:]]
        assert sum(later) / len(later) >= 0.95


# --- keys, budgets, metrics ----------------------------------------------------------------------


async def test_keys_are_asked_for_and_budgets_kept_by_tenant() -> None:
    keys = KnownKeys({key_hash("alpha-key"): "alpha", key_hash("beta-key"): "beta"})
    budgets = MemoryBudgets([Allowance(requests=2, seconds=3600)], tenants={"beta": [Allowance(tokens=3000)]})
    async with site([GOOD], keys=keys, budgets=nullcontext(budgets)) as here:
        alpha, beta = {"Authorization": "Bearer alpha-key"}, {"Authorization": "bearer beta-key"}
        for wrong in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "alpha-key"}):
            assert (await here.post(headers=wrong))[0] == 401
        assert (await here.get("/metrics"))[0] == 401
        assert [(await here.post(headers=alpha))[0] for _ in range(3)] == [200, 200, 429]
        status, _, headers = await here.post(headers=alpha)
        assert status == 429
        assert int(headers["Retry-After"]) > 1
        # Reserved at 1,024 and more, settled at some ten each: many calls pass.
        assert [(await here.post(headers=beta))[0] for _ in range(6)] == [200] * 6
        assert (await here.post(BODY.replace(b'"x_', b'"max_tokens":9000,"x_'), headers=beta))[0] == 400
        assert budgets.left("beta")[0][1] > 2700


async def test_a_cut_stream_is_settled_at_what_came() -> None:
    budgets = MemoryBudgets([Allowance(tokens=5000, seconds=3600)])
    reply = Reply(text="word " * 50, chunk=5, fault=Fault.CUT)
    async with site([reply], budgets=nullcontext(budgets)) as here:
        await here.post(STREAM)
        used = 5000 - budgets.left("")[0][1]
    assert 25 <= used <= 80


async def test_who_leaves_before_an_answer_that_is_not_streamed_pays_for_the_prompt() -> None:
    budgets = MemoryBudgets([Allowance(tokens=5000, seconds=360_000)])
    body = BODY.replace(b"hi", b"hi " * 2000)
    async with site([Reply(first_delay=30.0)], budgets=nullcontext(budgets), whole=60.0) as here:
        call = asyncio.get_running_loop().create_task(here.post(body))
        await here.servers[0].asked()
        call.cancel()
        async with asyncio.timeout(50):
            while not here.gateway.counts.ended:  # noqa: ASYNC110 the gateway tells nobody
                await asyncio.sleep(0.01)
        used = 5000 - budgets.left("")[0][1]
    assert here.gateway.counts.ended == {"client_left": 1}
    assert used >= len(body) / 4


async def test_what_no_server_took_costs_nothing() -> None:
    budgets = MemoryBudgets([Allowance(tokens=5000, seconds=360_000)])
    async with site([refusal(503, "down")], budgets=nullcontext(budgets)) as here:
        assert (await here.post())[0] == 503
        assert budgets.left("")[0][1] == 5000


async def test_metrics_are_not_for_every_tenant() -> None:
    keys = KnownKeys({key_hash("alpha-key"): "alpha"})
    gate = Gate(["metrics-key"])
    async with site([GOOD], keys=keys, readers=gate.lets_in) as here:
        for wrong in ({}, {"Authorization": "Bearer alpha-key"}):
            async with here.http.get(here.url.removesuffix("/v1") + "/metrics", headers=wrong) as reply:
                assert reply.status == 401, "they name servers, and what all tenants use"
        bearer = {"Authorization": "Bearer metrics-key"}
        async with here.http.get(here.url.removesuffix("/v1") + "/metrics", headers=bearer) as reply:
            assert reply.status == 200
        assert (await here.post(headers=bearer))[0] == 401, "and who reads them may not call models"


async def test_metrics_show_servers_and_requests() -> None:
    async with site([GOOD, refusal(503, "down")], policy=PoolPolicy(failures=1)) as here:
        for number in range(8):
            await here.post(headers={"x-session-id": str(number)})
        text = (await here.get("/metrics"))[1].decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    up, down = (server.url for server in here.servers)
    assert lines['leadline_gateway_requests_total{outcome="answered"}'] == "8"
    assert lines[f'leadline_model_server_healthy{{server="{up}"}}'] == "1"
    assert lines[f'leadline_model_server_healthy{{server="{down}"}}'] == "0"
    assert lines['leadline_gateway_request_seconds_bucket{le="+Inf"}'] == "8"
    assert lines["leadline_gateway_failovers_total"] == "1"


async def test_every_documented_series_is_shown_and_moves() -> None:
    gate = asyncio.Event()
    now = {"reply": Reply(text="The capital is Paris.", chunk=4, gate=gate)}
    seen: dict[str, set[str]] = {}

    async def look(here: Site) -> None:
        text = (await here.get("/metrics"))[1].decode()
        heads = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
        assert heads == {name: family.meaning for name, family in FAMILIES.items()}
        for series, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE):
            seen.setdefault(re.sub(r"(_bucket|_sum|_count)?([{].*)?$", "", series), {"0"}).add(value)

    async with site([lambda asked: now["reply"], GOOD], policy=PoolPolicy(failures=1)) as here:
        first, second = (server.url for server in here.servers)
        pool = here.gateway.pool
        pool.follow([ServerSpec(url=first, concurrency=1), ServerSpec(url=second)])
        pool.drain(second)
        mine = {"x-session-id": "s"}
        asking = [asyncio.ensure_future(here.post(STREAM, headers=mine)) for _ in range(2)]
        await here.servers[0].asked()
        while not pool.view().waiting:  # noqa: ASYNC110 nobody is told of who waits
            await asyncio.sleep(0.005)
        pool.measured(first, Gauges(running=1, waiting=0, cache_usage=0.5))
        await look(here)
        now["reply"] = GOOD
        gate.set()
        await asyncio.gather(*asking)
        assert {(await here.post(STREAM, headers=mine))[0] for _ in range(20)} == {200}
        await look(here)
        now["reply"] = refusal(503, "down")
        pool.add(ServerSpec(url=second))
        assert (await here.post(STREAM, headers=mine))[0] == 200
        await look(here)
    assert {name for name in FAMILIES if not seen.get(name, set()) - {"0"}} == set()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{", 400, "invalid_json"), (b"[1]", 400, "invalid_json"), (b"{" + b" " * 2000 + b"}", 413, "too_large")],
    ids=["half", "list", "large"],
)
async def test_what_is_no_request_is_refused(body: bytes, status: int, code: str) -> None:
    async with site([GOOD], max_body=1000) as here:
        got, data, _ = await here.post(body)
        assert got == status
        assert orjson.loads(data)["error"]["code"] == code
        assert not here.servers[0].requests


async def test_unknown_paths_and_methods_are_told() -> None:
    async with site([GOOD]) as here:
        assert (await here.get("/v1/nothing"))[0] == 404
        assert (await here.get("/v1/chat/completions"))[0] == 405


async def test_a_full_pool_answers_429_with_a_time() -> None:
    policy, gate = PoolPolicy(queue=0), asyncio.Event()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer(always(Reply(text="ok", gate=gate))))
        here = await stack.enter_async_context(site([], policy=policy))
        here.gateway.pool.add(ServerSpec(url=server.url, concurrency=1))
        three = {asyncio.ensure_future(here.post(STREAM)) for _ in range(3)}
        while len([one for one in three if one.done()]) < 2:
            await asyncio.wait(three, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(*three)
        assert sorted(status for status, _, _ in results) == [200, 429, 429]
        gate.clear()
        async with OpenAIModel(here.url, backoff=Backoff(attempts=1)) as model:
            first = asyncio.get_running_loop().create_task(here.post(STREAM))
            await server.asked(2)
            request = ModelRequest(messages=(Message(role="user", content="hi"),), model="scripted")
            with pytest.raises(ModelRateLimited) as caught:
                await model.complete(request, deadline=50.0, session="s")
            assert caught.value.retry_after
            gate.set()
            await first
