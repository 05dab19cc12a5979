"""`leadline doctor` against real parts: whole ones, and each broken on purpose."""

from __future__ import annotations

import asyncio
import shlex
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from tests.support.postgres import Postgres
from tests.support.redis import Redis
from tests.support.service import PAGES, settings_for

from leadline.domain import Options, Question, StrategyName, ToolCall
from leadline.ops.doctor import (
    CHECKS,
    Diagnosis,
    Finding,
    Look,
    Status,
    asks_for_web,
    examine,
    machine,
    models,
    read_diagnosis,
    shown_text,
)
from leadline.ports import NewRun
from leadline.ports.access import LOCAL, Role
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.testing import Fault, Reply, ScriptedServer, SmallWeb
from leadline.testing.script import Asked
from leadline.wiring import migrate_down, migrate_up
from leadline.wiring.accounts import open_accounts
from leadline.wiring.loaded import loaded
from leadline.wiring.probe_places import store_of

ADD = Reply(tool_calls=(ToolCall(name="add", arguments={"a": 17, "b": 25}, id="1"),))
JSON = Reply(text='{"name": "Skerryvore", "year": 1844}')


def good(request: Asked) -> Reply:
    """Answer as a model that can do all that runs ask of one."""
    if request.body.get("tools"):
        return ADD
    return JSON if "Skerryvore" in request.last else Reply(text="ready")


def dead() -> str:
    """Return an address of this machine where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def looked(folder: Path, *only: str, paid: bool = False, page: str = "", **flags: Any) -> Diagnosis:
    settings = await settings_for(folder, **flags)
    look = Look(settings=settings, paid=paid, page=page or "http://127.0.0.1:9/")
    return await examine(look, only=only)


async def one(folder: Path, name: str, **flags: Any) -> Finding:
    return (await looked(folder, name, **flags)).findings[name]


def model(*urls: str, **more: str) -> dict[str, Any]:
    return {"model__urls": ",".join(urls), "model__name": "scripted", **more}


# ------------------------------------------------------------------------------------------ whole


async def test_everything_that_is_set_works(tmp_path: Path) -> None:
    async with SmallWeb(PAGES) as small, ScriptedServer(good) as server:
        found: dict[str, Any] = {
            name.removeprefix("LEADLINE_").lower(): value for name, value in small.environment.items()
        }
        page = f"http://127.0.0.1:{small.port}/skerryvore"
        flags: dict[str, Any] = {**found, **model(server.url), "scholar__providers": "", "event_log": "jsonl://"}
        diagnosis = await looked(tmp_path, page=page, **flags)
    assert {name: one.cause for name, one in diagnosis.findings.items() if one.cause} == {}
    assert {name for name, one in diagnosis.findings.items() if one.status is Status.HEALTHY} >= {
        *("settings", "versions", "model_service", "tool_services.search", "tool_services.visit", "store", "queue"),
        *("blobs", "accounts", "cache", "limits", "event_log", "resources", "file_handles", "clock"),
    }
    assert list(diagnosis.findings) == [check.name for check in CHECKS]


async def test_the_json_has_the_references_keys(tmp_path: Path) -> None:
    async with ScriptedServer(good) as server:
        body = (
            await looked(tmp_path, "model_service", "tool_services", "cache", "resources", **model(server.url))
        ).body()
    assert datetime.fromisoformat(str(body["timestamp"])).tzinfo is not None
    checks: Any = body["checks"]
    assert {"status", "latency_ms", "response_valid"} <= set(checks["model_service"])
    assert {"search", "visit", "scholar", "python"} == set(checks["tool_services"])
    assert all("status" in tool for tool in checks["tool_services"].values())
    assert checks["cache"]["status"] == "healthy"
    assert {"cpu_percent", "memory_percent", "disk_percent", "gpu_memory"} <= set(checks["resources"])


async def test_a_diagnosis_can_be_read_again(tmp_path: Path) -> None:
    before = await looked(tmp_path, "model_service", "tool_services", "store", **model(f"http://{dead()}/v1"))
    after = read_diagnosis(before.body())
    assert shown_text(after) == shown_text(before)
    assert after.failed == ("model_service",)
    with pytest.raises(ValueError, match="no diagnosis"):
        read_diagnosis({"checks": 3, "timestamp": ""})


async def test_nothing_is_left_where_was_looked(tmp_path: Path) -> None:
    _ = await looked(tmp_path, "store", "queue", "blobs", "cache")
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    with sqlite3.connect(tmp_path / "runs.db") as runs, sqlite3.connect(tmp_path / "cache.db") as cache:
        assert runs.execute("SELECT count(*) FROM run").fetchone() == (0,)
        tables = [name for (name,) in cache.execute("SELECT name FROM sqlite_master WHERE name = 'entry'")]
        assert all(cache.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,) for name in tables)  # noqa: S608 a name of ours


# ------------------------------------------------------------------------------------------ models


async def test_a_model_answers_calls_a_tool_and_writes_json(tmp_path: Path) -> None:
    async with ScriptedServer(good, models={"scripted": 32_768}) as server:
        found = await one(tmp_path, "model_service", **model(server.url))
    (part,) = found.parts.values()
    assert part.facts["response_valid"] is part.facts["tool_call_valid"] is part.facts["json_valid"] is True
    assert (found.status, part.facts["window"]) == (Status.HEALTHY, 32_768)


async def test_a_dead_server_is_named_with_what_to_do(tmp_path: Path) -> None:
    place = dead()
    found = await one(tmp_path, "model_service", **model(f"http://{place}/v1"))
    assert (found.status, found.facts["response_valid"]) == (Status.UNHEALTHY, False)
    assert place in found.cause
    assert found.command == f"curl -sS -m 5 http://{place}/v1/models"
    assert found.runbook == "docs/runbooks/model-timeouts.md"


async def test_one_dead_server_of_two_is_a_warning(tmp_path: Path) -> None:
    async with ScriptedServer(good) as server:
        found = await one(tmp_path, "model_service", **model(server.url, f"http://{dead()}/v1"))
    assert (found.status, found.facts["response_valid"]) == (Status.DEGRADED, True)


async def test_a_wrong_key_is_told_apart_from_a_dead_server(tmp_path: Path) -> None:
    async with ScriptedServer(good, key="right-key-1") as server:
        found = await one(tmp_path, "model_service", **model(server.url, model__api_key="wrong-key-1"))
    assert (found.status, found.command) == (Status.UNHEALTHY, "leadline init")
    assert "wrong-key-1" not in found.cause


async def test_a_model_that_is_not_served_is_named(tmp_path: Path) -> None:
    async with ScriptedServer(good, models={"other": 4096}) as server:
        found = await one(tmp_path, "model_service", **model(server.url))
    assert "does not list the model scripted; it has other" in found.cause


async def test_malformed_output_is_a_warning_with_its_runbook(tmp_path: Path) -> None:
    async with ScriptedServer(lambda _: Reply(text="Well, I think it is 42.")) as server:
        found = await one(tmp_path, "model_service", **model(server.url))
    assert (found.status, found.runbook) == (Status.DEGRADED, "docs/runbooks/malformed-output.md")
    assert "tool call" in found.cause
    assert "JSON" in found.cause


async def test_a_server_that_hangs_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "SECONDS", 4.0)
    async with ScriptedServer(lambda _: Reply(fault=Fault.HANG_BEFORE_HEADERS)) as server:
        found = await one(tmp_path, "model_service", **model(server.url))
    assert (found.status, found.runbook) == (Status.UNHEALTHY, "docs/runbooks/model-timeouts.md")


async def test_a_priced_model_is_not_asked_for_an_answer_unless_paid_for(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('["scripted"]\nprompt = 1.0\ncompletion = 2.0\n', encoding="utf-8")
    async with ScriptedServer(good) as server:
        flags = model(server.url, prices=str(prices))
        cheap = await one(tmp_path, "model_service", **flags)
        assert (cheap.status, len(server.requests)) == (Status.HEALTHY, 0)
        assert cheap.facts["response_valid"] is None
        paid = await one(tmp_path, "model_service", paid=True, **flags)
    assert paid.facts["response_valid"] is True


# ------------------------------------------------------------------------------------------- tools


async def test_a_tool_service_that_is_away_is_named(tmp_path: Path) -> None:
    place = dead()
    found = await one(tmp_path, "tool_services.search", tools__search=f"http://{place}")
    assert (found.status, found.command) == (Status.UNHEALTHY, f"curl -sS -m 5 http://{place}/readyz")


@asynccontextmanager
async def answering(path: str, answer: Callable[[web.Request], web.Response]) -> AsyncIterator[str]:
    """Yield the address of a server with one path."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_is_left_of_a_key_is_told_without_a_search(tmp_path: Path) -> None:
    def account(request: web.Request) -> web.Response:
        return web.json_response({"balance": 1_234} if request.headers["X-API-KEY"] == "serper-key" else {})

    async with answering("/account", account) as url:
        flags: dict[str, Any] = {"search__providers": "serper", "search__serper__api_keys": "serper-key"}
        found = await one(tmp_path, "tool_services.search", search__serper__base_url=url, **flags)
    assert found.parts["serper"].facts["quota_left"] == 1_234
    assert found.status is Status.HEALTHY


async def test_a_quota_that_is_nearly_used_is_a_warning(tmp_path: Path) -> None:
    async with answering("/usage", lambda _: web.json_response({"key": {"usage": 995, "limit": 1000}})) as url:
        flags: dict[str, Any] = {"search__providers": "tavily", "search__tavily__api_keys": "tvly-key-000"}
        found = await one(tmp_path, "tool_services.search", search__tavily__base_url=url, **flags)
    assert (found.status, found.cause) == (Status.DEGRADED, "tavily: 5 requests are left of its keys")


async def test_an_expired_key_of_a_provider_is_a_failure(tmp_path: Path) -> None:
    async with answering("/account.json", lambda _: web.json_response({"error": "Invalid key"}, status=401)) as url:
        flags: dict[str, Any] = {"search__providers": "serpapi", "search__serpapi__api_keys": "old-key-0000"}
        found = await one(tmp_path, "tool_services.search", search__serpapi__base_url=url, **flags)
    assert (found.status, found.command) == (Status.UNHEALTHY, "leadline settings")
    assert "key is wrong" in found.cause
    assert found.runbook == "docs/runbooks/tools-failing.md"


async def test_a_service_for_tenants_own_keys_is_not_asked_and_no_failure(tmp_path: Path) -> None:
    flags: dict[str, Any] = {"search__own_keys": "true", "scholar__own_keys": "true", "scholar__providers": "serper"}
    alone = await one(tmp_path, "tool_services.search", search__providers="serper", paid=True, **flags)
    works = await one(tmp_path, "tool_services.scholar", search__providers="serper", paid=True, **flags)
    assert (alone.status, works.status) == (Status.OFF, Status.OFF)
    assert "tenants with a key of their own" in alone.told
    flags["search__searxng__base_url"] = f"http://{dead()}"
    beside = await one(tmp_path, "tool_services.search", search__providers="serper,searxng", **flags)
    assert (beside.status, beside.parts["serper"].status) == (Status.UNHEALTHY, Status.OFF)


async def test_default_providers_out_of_reach_are_a_warning_chosen_ones_a_failure(tmp_path: Path) -> None:
    place = dead()
    quiet = await one(tmp_path, "tool_services.search", search__wikipedia__base_url=f"http://{place}")
    chosen: dict[str, Any] = {"search__providers": "searxng", "search__searxng__base_url": f"http://{place}"}
    loud = await one(tmp_path, "tool_services.search", **chosen)
    assert (quiet.status, loud.status) == (Status.DEGRADED, Status.UNHEALTHY)


async def test_a_page_is_read_as_runs_read_it(tmp_path: Path) -> None:
    async with SmallWeb(PAGES) as small:
        page = f"http://127.0.0.1:{small.port}/skerryvore"
        found = await one(tmp_path, "tool_services.visit", page=page, fetch__allow_private="127.0.0.1/32")
        refused = await one(tmp_path, "tool_services.visit", page=page)
    assert found.status is Status.HEALTHY
    assert refused.status is Status.DEGRADED  # the guard holds for the doctor as well


async def test_a_sandbox_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadline.sandbox.choose._SBIN", str(tmp_path))
    found = await one(tmp_path, "tool_services.python", sandbox="bwrap")
    assert (found.status, found.command) == (Status.UNHEALTHY, "leadline sandbox check")
    assert "bubblewrap is not installed" in found.cause


@pytest.mark.server("bwrap")
async def test_the_sandbox_is_proven(tmp_path: Path) -> None:
    found = await one(tmp_path, "tool_services.python", sandbox="bwrap")
    assert (found.status, found.facts["sandbox"]) == (Status.HEALTHY, "bwrap")


# ------------------------------------------------------------------------------------------ places


async def test_a_redis_that_is_down_is_named_for_each_that_uses_it(tmp_path: Path) -> None:
    await loaded("leadline.tasks.tickets.broker", "redis.asyncio")  # a busy machine takes long for these
    url = f"redis://:geheim-99@{dead()}/0"
    flags: dict[str, Any] = {"cache": url, "limits": url, "engine": f"celery+{url}"}
    diagnosis = await looked(tmp_path, "cache", "limits", "broker", "settings", **flags)
    assert set(diagnosis.failed) == {"cache", "limits", "broker"}
    assert "geheim-99" not in shown_text(diagnosis)
    commands = {name: diagnosis.findings[name].command for name in diagnosis.failed}
    assert all(command.startswith("redis-cli") for command in commands.values()), shown_text(diagnosis)
    # One Redis for the queue and for what may be thrown away is doubtful by itself.
    assert "harms the other" in diagnosis.findings["settings"].cause


@pytest.mark.server("redis")
@pytest.mark.xdist_group("redis")
async def test_a_redis_is_looked_at(tmp_path: Path) -> None:
    await loaded("leadline.tasks.tickets.broker", "redis.asyncio")
    redis = Redis(tmp_path)
    await asyncio.to_thread(redis.start)
    try:
        flags: dict[str, Any] = {"cache": redis.url, "limits": redis.url, "engine": f"celery+{redis.url}"}
        diagnosis = await looked(tmp_path, "cache", "limits", "broker", "clock", **flags)
        assert diagnosis.failed == (), shown_text(diagnosis)
        assert "no bound" in diagnosis.findings["cache"].cause
        assert diagnosis.findings["broker"].facts["tickets"] == 0
        assert diagnosis.findings["clock"].status is Status.HEALTHY
        await asyncio.to_thread(redis.command, "CONFIG", "SET", "maxmemory", "64mb")
        await asyncio.to_thread(redis.command, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        again = await looked(tmp_path, "cache", "limits", "broker", **flags)
        assert again.findings["cache"].status is Status.HEALTHY
        assert "may forget" in again.findings["limits"].cause
        assert "may forget" in again.findings["broker"].cause
    finally:
        await asyncio.to_thread(redis.stop)


@pytest.mark.blocking("migrations read their files on a loop of their own, in a thread of their own")
async def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    place = dead()
    flags: dict[str, Any] = {"store": f"postgresql://me:geheim-99@{place}/x"}
    diagnosis = await looked(tmp_path, "store", "queue", **flags)
    assert diagnosis.failed == ("store", "queue")
    assert diagnosis.findings["store"].command.startswith("pg_isready "), shown_text(diagnosis)
    assert "geheim-99" not in shown_text(diagnosis)


@pytest.mark.server("postgres")
@pytest.mark.xdist_group("postgres")
@pytest.mark.blocking("migrations read their files on a loop of their own, in a thread of their own")
async def test_tables_of_an_older_version_are_told_and_clocks_compared(tmp_path: Path, postgres: Postgres) -> None:
    url = await asyncio.to_thread(postgres.store)  # the tables of runs, none of accounts yet
    behind = await looked(tmp_path, "store", "queue", "clock", store=url)
    assert behind.failed == ("store",), shown_text(behind)
    assert behind.findings["store"].command == "leadline migrate up", shown_text(behind)
    ahead: Any = behind.findings["clock"].facts["ahead_seconds"]
    assert set(ahead) == {"the database"}
    settings = await settings_for(tmp_path, store=url)
    await asyncio.to_thread(lambda: asyncio.run(migrate_up(settings)))
    assert (await one(tmp_path, "store", store=url)).status is Status.HEALTHY
    for broken, told, command in (
        ("DROP INDEX run_live", "index `run_live`", "CREATE INDEX run_live ON run "),
        ("ALTER TABLE run DROP CONSTRAINT run_id_key", "unique", "ALTER TABLE run ADD UNIQUE (id)"),
    ):
        await asyncio.to_thread(_psql, url, broken)
        found = await one(tmp_path, "store", store=url)
        assert (found.status, told in found.cause, command in found.command) == (Status.UNHEALTHY, True, True), found
        _, _, _, statement = shlex.split(found.command)
        await asyncio.to_thread(_psql, url, statement)
    assert (await one(tmp_path, "store", store=url)).status is Status.HEALTHY
    await asyncio.to_thread(lambda: asyncio.run(migrate_down(settings, "runs", "0002")))
    assert (await one(tmp_path, "store", store=url)).command == "leadline migrate up"
    await asyncio.to_thread(lambda: asyncio.run(migrate_up(settings)))
    await asyncio.to_thread(_psql, url, "DROP TABLE account_audit")
    gone = await one(tmp_path, "store", store=url)
    assert (gone.status, gone.command) == (Status.UNHEALTHY, "leadline restore SRC")
    assert "table `account_audit`" in gone.cause


def _psql(url: str, statement: str) -> None:
    async def told() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(told())


async def test_an_event_log_that_is_away_is_named(tmp_path: Path) -> None:
    found = await one(tmp_path, "event_log", event_log=f"kafka://{dead()}/events")
    assert (found.status, found.command) == (Status.UNHEALTHY, "leadline ship --status")


def _new(run_id: str) -> NewRun:
    options = Options(strategy=StrategyName.EXTRACTIVE)
    return NewRun(id=run_id, tenant=LOCAL, question=Question(text="q", language="en"), options=options, seed=1)


async def test_runs_that_wait_long_and_leases_that_ran_out_are_told(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path)
    async with store_of(settings, tmp_path) as store:
        await store.create(_new("r1"))
        await store.create(_new("r2"))
        claimed = await store.claim("worker:1:a", lease=60.0, engines=("1",))
        assert claimed is not None
    await asyncio.to_thread(_change, tmp_path, "UPDATE run SET lease_until = lease_until - 600 WHERE state = 'running'")
    stuck = await one(tmp_path, "queue")
    assert (stuck.status, stuck.facts["stuck_leases"]) == (Status.DEGRADED, 1)
    await asyncio.to_thread(_change, tmp_path, "UPDATE run SET updated_at = updated_at - 900 WHERE state = 'queued'")
    waiting = await one(tmp_path, "queue")
    assert (waiting.status, waiting.command) == (Status.DEGRADED, "leadline worker")
    assert "15 minutes" in waiting.cause


def _change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "runs.db") as connection:
        connection.execute(statement)


async def test_keys_that_ended_or_will_soon_are_told(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path)
    now = SystemClock().now()
    async with open_accounts(settings) as accounts:
        await accounts.keys.create(LOCAL, name="old", role=Role.ADMIN, made_by="t", expires_at=now - 5)
    ended = await one(tmp_path, "accounts")
    assert (ended.status, ended.command) == (Status.UNHEALTHY, "leadline keys create --name NAME")
    async with open_accounts(settings) as accounts:
        made = await accounts.keys.create(LOCAL, name="new", role=Role.ADMIN, made_by="t", expires_at=now + 86_400)
    ending = await one(tmp_path, "accounts")
    assert (ending.status, ending.command) == (Status.DEGRADED, f"leadline keys rotate {made.key.id}")


# ----------------------------------------------------------------------------------------- machine


async def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOST_DISK", 0.0)
    assert (await one(tmp_path, "resources")).status is Status.DEGRADED
    monkeypatch.setattr(machine, "FULL_DISK", 0.0)
    full = await one(tmp_path, "resources")
    assert (full.status, full.command) == (Status.UNHEALTHY, "leadline gc --older-than 30")


async def test_little_memory_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOST_MEMORY", 0.0)
    found = await one(tmp_path, "resources")
    assert (found.status, found.runbook) == (Status.DEGRADED, "docs/runbooks/memory.md")


class Ahead:
    """A clock that goes wrong by ten seconds."""

    def now(self) -> float:
        return SystemClock().now() + 10.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_a_clock_that_goes_wrong_is_told(tmp_path: Path) -> None:
    async with ScriptedServer(good) as server:
        settings = await settings_for(tmp_path, **model(server.url))
        found = (await examine(Look(settings=settings, clock=Ahead()), only=("clock",))).findings["clock"]
    assert (found.status, found.command) == (Status.DEGRADED, "timedatectl")


async def test_a_data_folder_that_others_may_read_is_told(tmp_path: Path) -> None:
    await asyncio.to_thread(tmp_path.chmod, 0o755)
    found = await one(tmp_path, "settings")
    assert (found.status, found.command) == (Status.DEGRADED, f"chmod 700 {tmp_path}")


async def test_a_check_that_breaks_or_hangs_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_look: Look) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    async def breaks(_look: Look) -> Finding:
        raise RuntimeError("no such thing")

    table = [check for check in CHECKS if check.name == "versions"]
    table += [type(table[0])(name="hangs", run=hangs, seconds=0.05), type(table[0])(name="breaks", run=breaks)]
    monkeypatch.setattr("leadline.ops.doctor.diagnosis.CHECKS", table)
    diagnosis = await examine(Look(settings=Settings(data_dir=tmp_path)))
    assert diagnosis.failed == ("hangs", "breaks")
    assert diagnosis.findings["versions"].status is Status.HEALTHY
    assert "0.05 s" in diagnosis.findings["hangs"].cause
    assert "RuntimeError: no such thing" in diagnosis.findings["breaks"].cause


async def test_a_web_that_nothing_asks_for_is_no_warning(tmp_path: Path) -> None:
    settings = await settings_for(tmp_path)
    look = Look(settings=settings, page=f"http://{dead()}/")
    [warned] = (await examine(look, only=("tool_services.visit",))).findings.values()
    [off] = (await examine(replace(look, web=False), only=("tool_services.visit",))).findings.values()
    assert (warned.status, off.status) == (Status.DEGRADED, Status.OFF)
    assert "nothing is set that asks for it" in off.told
    chosen = await settings_for(tmp_path, search__providers="ddgs")
    assert (asks_for_web(settings), asks_for_web(chosen)) == (False, True)
