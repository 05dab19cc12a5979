"""Tenants' own keys at providers: set over HTTP, used for their calls alone, told nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.support.accounts import KEY
from tests.support.service import Answer, Client, Running, listening, settings_for, small_service
from tests.support.services import Answer as Given
from tests.support.services import FakeService
from tests.support.tool_services import tool_service

from leadline.ports.access import Role
from leadline.service.app import create_app
from leadline.service.serving import Leaving
from leadline.testing import SmallWeb
from leadline.wiring import own_keys
from leadline.wiring.telemetry import telemetry
from leadline.wiring.tool_host import tool_host

OPERATORS = "sk-operators-0Qx"
OWN = "sk-own-9Zr4vT"
OTHERS = "sk-others-3Kd"
RESULTS = {"organic": [{"title": "A page", "link": "https://a.test/page", "snippet": "five fathoms"}]}


@dataclass
class Provider(FakeService):
    """A provider that keeps which key it was asked with, and refuses or holds the keys that it is told."""

    statuses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.answers = [Given(RESULTS)]

    async def handle(self, request: web.Request) -> web.Response:
        key = key_of(request.headers)
        status = self.statuses.get(key)
        if status is None:
            return await super().handle(request)
        await super().handle(request)
        return web.json_response({"message": f"not with {key}"}, status=status, headers={"Retry-After": "600"})

    @property
    def keys(self) -> list[str]:
        return [key_of(asked.headers) for asked in self.asked]


def key_of(headers: Mapping[str, str]) -> str:
    lower = {name.lower(): value for name, value in headers.items()}
    return lower.get("x-api-key", "") or lower.get("authorization", "").removeprefix("Bearer ")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call look: how long a key is kept is told by the unit test, on its own clock."""
    monkeypatch.setattr(own_keys, "KEPT_SECONDS", 0.0)


def flags_of(provider: Provider) -> dict[str, str]:
    return {
        "secrets__key": KEY,
        "search__providers": "serper",
        "search__serper__base_url": provider.url,
        "search__serper__api_keys": OPERATORS,
        "search__serper__qps": "1000",
        "scholar__providers": "serper",
        "scholar__serper__base_url": provider.url,
        "scholar__serper__api_keys": OPERATORS,
        "scholar__serper__qps": "1000",
    }


@pytest.fixture
async def service(store: dict[str, str], provider: Provider, tmp_path: Path) -> AsyncIterator[Running]:
    async with small_service(tmp_path, {**store, **flags_of(provider)}) as running:
        yield running


async def search(client: Client, query: str = "how deep") -> Answer:
    return await client.post("/v1/tools/search", {"query": query})


async def test_a_secret_is_set_listed_and_forgotten_but_never_shown(service: Running, tenant: str, other: str) -> None:
    admin, stranger = await service.caller(tenant, Role.ADMIN), await service.caller(other, Role.ADMIN)
    assert (await admin.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})).status == 204
    listed = await admin.get("/v1/secrets")
    ((name, used),) = [(one["name"], one["used"]) for one in listed.body]
    assert (name, used) == ("search.serper", True)
    assert OWN not in listed.raw.decode()
    assert (await admin.ask("PUT", "/v1/secrets/search.brave", {"value": OWN})).status == 204
    assert [one["used"] for one in (await admin.get("/v1/secrets")).body] == [False, True]

    assert (await stranger.get("/v1/secrets")).body == []
    assert (await stranger.ask("DELETE", "/v1/secrets/search.serper")).status == 404
    assert (await stranger.ask("PUT", "/v1/secrets/search.serper", {"value": OTHERS})).status == 204
    assert await service.services.accounts.vault.get(tenant, "search.serper") == OWN

    for path, body, status in [
        ("search.wikipedia", {"value": OWN}, 400),
        ("model.main", {"value": OWN}, 400),
        ("search.serper", {"value": f"{OWN} schlüssel"}, 400),
        ("search.serper", {"value": ""}, 422),
        ("search.serper", {"value": OWN * 200}, 422),
        ("search.serper", {"key": OWN}, 422),
    ]:
        refused = await admin.ask("PUT", f"/v1/secrets/{path}", body)
        assert (refused.status, OWN in refused.raw.decode()) == (status, False), path

    assert (await admin.ask("DELETE", "/v1/secrets/search.serper")).status == 204
    assert (await admin.ask("DELETE", "/v1/secrets/search.serper")).status == 404
    entries = (await admin.get("/v1/audit?limit=200")).body["items"]
    deeds = [(e["action"], e["kind"], e["object"], e["outcome"]) for e in reversed(entries)]
    assert deeds[0] == ("secrets:manage", "secret", "search.serper", "done")
    assert deeds[-1] == ("secrets:manage", "secret", "search.serper", "denied")
    assert OWN not in str(entries)


async def test_without_a_key_to_encrypt_with_nothing_is_kept(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as running:
        admin = await running.caller("acme", Role.ADMIN)
        refused = await admin.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
        assert (refused.status, "no key to encrypt" in refused.raw.decode()) == (400, True)


async def test_a_tenants_calls_go_with_its_own_key_and_its_answers_stay_with_it(
    service: Running, provider: Provider, tenant: str, other: str
) -> None:
    mine, theirs = await service.caller(tenant, Role.ADMIN), await service.caller(other)
    await mine.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})

    assert (await search(mine)).body["results"][0]["url"] == "https://a.test/page"
    assert (await search(theirs)).status == 200
    assert provider.keys == [OWN, OPERATORS], "what it paid for is not served to others"
    for client in (mine, theirs):
        assert (await search(client)).status == 200
    assert provider.keys == [OWN, OPERATORS], "but to itself"

    third = await service.caller(f"{other}-b")
    assert (await search(third)).status == 200
    assert provider.keys == [OWN, OPERATORS], "the operator's answers are everybody's"


async def test_a_new_key_counts_and_a_removed_one_does_not(service: Running, provider: Provider, tenant: str) -> None:
    admin = await service.caller(tenant, Role.ADMIN)
    for number, value in enumerate([OWN, OTHERS]):
        await admin.ask("PUT", "/v1/secrets/search.serper", {"value": value})
        await search(admin, f"q{number}")
    await admin.ask("DELETE", "/v1/secrets/search.serper")
    await search(admin, "q2")
    assert provider.keys == [OWN, OTHERS, OPERATORS]


async def test_several_keys_are_taken_in_turn_and_one_that_is_refused_rests(
    service: Running, provider: Provider, tenant: str
) -> None:
    admin = await service.caller(tenant, Role.ADMIN)
    await admin.ask("PUT", "/v1/secrets/search.serper", {"value": f"{OWN}\n{OTHERS}"})
    provider.statuses[OWN] = 403
    for number in range(3):
        assert (await search(admin, f"q{number}")).status == 200
    assert provider.keys == [OWN, OTHERS, OTHERS, OTHERS]


@pytest.mark.parametrize("status", [401, 429])
async def test_a_key_that_is_refused_or_must_wait_holds_nobody_else(
    service: Running, provider: Provider, tenant: str, other: str, status: int
) -> None:
    mine, theirs = await service.caller(tenant, Role.ADMIN), await service.caller(other, Role.ADMIN)
    await mine.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
    provider.statuses[OWN] = status

    for number in range(8):  # more than a breaker bears
        refused = await search(mine, f"m{number}")
        assert refused.status >= 400
        assert OWN not in refused.raw.decode()
        assert (await search(theirs, f"t{number}")).status == 200
    assert provider.keys.count(OWN) == 1, "a key that rests is not asked again"
    assert provider.keys.count(OPERATORS) == 8, "and no other is taken in its stead"

    # Even the same key is another one where it is another tenant's.
    del provider.statuses[OWN]
    await theirs.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
    assert (await search(theirs, "same")).status == 200
    assert provider.keys[-1] == OWN


async def test_runs_whose_key_must_wait_shut_no_tool_for_others(
    service: Running, provider: Provider, tenant: str, other: str
) -> None:
    mine, theirs = await service.caller(tenant, Role.ADMIN), await service.caller(other)
    await mine.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
    provider.statuses[OWN] = 429
    for number in range(6):  # each of whose searches fails, so that a breaker would open
        await mine.ended(await mine.research(f"How deep is harbour {number}?", web=True, strategy="extractive"))
    assert set(provider.keys) == {OWN}
    await theirs.ended(await theirs.research("How deep is the sea?", web=True, strategy="extractive"))
    assert OPERATORS in provider.keys


async def test_works_are_asked_for_with_the_tenants_key(
    service: Running, provider: Provider, tenant: str, other: str
) -> None:
    provider.answers = [Given({"organic": [{"title": "On the depth of harbours", "link": "https://a.test/w"}]})]
    mine, theirs = await service.caller(tenant, Role.ADMIN), await service.caller(other)
    await mine.ask("PUT", "/v1/secrets/scholar.serper", {"value": OWN})
    for client in (mine, theirs, mine):
        assert (await client.post("/v1/tools/scholar", {"query": "depth"})).status == 200
    assert provider.keys == [OWN, OPERATORS]


async def test_a_service_may_be_there_for_those_alone_who_bring_a_key(
    store: dict[str, str], provider: Provider, tmp_path: Path, tenant: str, other: str
) -> None:
    flags = {**flags_of(provider), "search__own_keys": "true", "scholar__own_keys": "true"}
    del flags["search__serper__api_keys"], flags["scholar__serper__api_keys"]
    async with small_service(tmp_path, {**store, **flags}) as running:
        mine, theirs = await running.caller(tenant, Role.ADMIN), await running.caller(other)
        for name in ("search.serper", "scholar.serper"):
            await mine.ask("PUT", f"/v1/secrets/{name}", {"value": OWN})
        assert (await search(mine)).status == 200
        assert (await mine.post("/v1/tools/scholar", {"query": "depth"})).status == 200
        asked = len(provider.asked)
        for tool in ("search", "scholar"):
            refused = await theirs.post(f"/v1/tools/{tool}", {"query": "tide"})
            assert (refused.status, "it keeps none" in refused.body["detail"]) == (502, True)
        await theirs.ended(await theirs.research("How deep is the sea?", web=True, strategy="extractive"))
    assert len(provider.asked) == asked
    assert set(provider.keys) == {OWN}


async def test_a_key_that_does_not_open_is_no_leave_to_take_the_operators(
    store: dict[str, str], provider: Provider, tmp_path: Path, tenant: str
) -> None:
    async with small_service(tmp_path, {**store, **flags_of(provider)}) as running:
        admin = await running.caller(tenant, Role.ADMIN)
        await admin.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
    changed = {**store, **flags_of(provider), "secrets__key": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="}
    async with small_service(tmp_path, changed) as running:
        refused = await search(await running.caller(tenant))
        assert (refused.status, "cannot be read here" in refused.body["detail"]) == (502, True)
    assert provider.asked == []


async def test_pages_are_read_with_the_tenants_key(
    store: dict[str, str], provider: Provider, tmp_path: Path, tenant: str, other: str
) -> None:
    provider.answers = [Given({"code": 200, "data": {"title": "t", "content": "The harbour is five fathoms deep."}})]
    reader = {"visit__reader_url": provider.url, "visit__reader_order": "first", "visit__reader_key": OPERATORS}
    async with SmallWeb({}) as pages:
        found = {name.removeprefix("LEADLINE_").lower(): value for name, value in pages.environment.items()}
        flags = {**found, **store, "secrets__key": KEY, **reader}
        async with small_service(tmp_path, flags) as running:
            mine, theirs = await running.caller(tenant, Role.ADMIN), await running.caller(other)
            await mine.ask("PUT", "/v1/secrets/visit.reader", {"value": OWN})
            url = pages.url("/page", host="127.0.0.1")
            for client in (mine, theirs, mine, theirs):
                answer = await client.post("/v1/tools/visit", {"url": url, "goal": "depth"})
                assert answer.status == 200, answer.raw
            assert provider.keys == [OWN, OPERATORS]


@asynccontextmanager
async def search_service(provider: Provider, folder: Path) -> AsyncIterator[str]:
    """Yield the address of a real service of `search`, which has neither accounts nor the key of secrets."""
    flags = {name: value for name, value in flags_of(provider).items() if name != "secrets__key"}
    async with (
        tool_host(await settings_for(folder, **flags, tools__key="between-us"), "search") as host,
        tool_service("search", host, key="between-us") as url,
    ):
        yield url


async def test_the_key_travels_to_a_service_of_the_tool(
    store: dict[str, str], provider: Provider, tmp_path: Path, tenant: str, other: str
) -> None:
    async with search_service(provider, tmp_path / "tool") as url:
        flags = {**store, "secrets__key": KEY, "tools__search": url, "tools__key": "between-us"}
        async with small_service(tmp_path / "service", flags) as running:
            mine, theirs = await running.caller(tenant, Role.ADMIN), await running.caller(other)
            await mine.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
            for client in (mine, theirs, mine, theirs):
                assert (await search(client)).status == 200
            assert provider.keys == [OWN, OPERATORS]
            provider.statuses[OWN] = 429
            for number in range(8):
                assert (await search(mine, f"m{number}")).status >= 400
                assert (await search(theirs, f"t{number}")).status == 200
            assert provider.keys.count(OWN) == 2


@pytest.mark.parametrize("more", [{}, {"tools__key": "k", "tools__search": "http://search.example.org:8001"}])
async def test_it_does_not_travel_where_strangers_may_read_it(
    more: dict[str, str], provider: Provider, tmp_path: Path
) -> None:
    async with search_service(provider, tmp_path / "tool") as url:
        flags = {"secrets__key": KEY, "tools__search": url, **more}
        async with small_service(tmp_path / "service", flags) as running:
            admin = await running.caller("acme", Role.ADMIN)
            await admin.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
            refused = await search(admin)
            assert "are not sent to" in refused.body["detail"]
    assert provider.asked == []


@asynccontextmanager
async def told_of(folder: Path, flags: dict[str, str]) -> AsyncIterator[Running]:
    """Yield a service whose metrics can be read."""
    settings, leaving = await settings_for(folder, **flags), Leaving()
    with telemetry(settings, "service", metrics=True) as told:
        api = await asyncio.to_thread(create_app, settings, leaving=leaving, telemetry=told)
        async with (
            api.router.lifespan_context(api),
            aiohttp.ClientSession() as session,
            listening(api, leaving) as url,
        ):
            yield Running(url, api, leaving, session)


@pytest.mark.blocking("opens a log and a store, whose parts read small files")
@pytest.mark.parametrize("fails", [False, True])
async def test_no_own_key_comes_out(
    fails: bool, provider: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with told_of(tmp_path, flags_of(provider)) as running:
        client = await running.caller("acme", Role.ADMIN)
        await client.ask("PUT", "/v1/secrets/search.serper", {"value": OWN})
        if fails:
            provider.statuses[OWN] = 401
        run_id = await client.research(web=True)
        await client.ended(run_id)
        assert OWN in provider.keys
        paths = ["", "/events", "/report", "/journal", "/export"]
        told = [(await client.get(f"/v1/research/{run_id}{path}")).raw for path in paths]
        told += [(await client.get(path)).raw for path in ("/v1/audit", "/v1/usage", "/v1/diagnostics", "/metrics")]
        assert not any(OWN.encode() in one for one in told)
        metrics = (await running.client().get("/metrics")).raw
        assert b"leadline_provider_requests_total{" in metrics
        assert b"acme" not in metrics
        logs = caplog.text + "".join(str(vars(record)) for record in caplog.records if "leadline" in record.name)
        assert OWN not in logs
    await asyncio.to_thread(_not_stored, tmp_path)


def _not_stored(folder: Path) -> None:
    stored: list[Any] = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in stored if OWN.encode() in path.read_bytes()] == []
