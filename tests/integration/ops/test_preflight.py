"""`leadline preflight` against a service, a Prometheus and an Alertmanager that answer as real ones do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.certificates import Certificates
from tests.support.service import settings_for, small_service

from leadline.errors import SettingsError
from leadline.ops.doctor import Diagnosis, Finding, Look, Status
from leadline.ops.preflight import ITEMS, Answer, Preflight, Row, State, check, load_answers, preflight, save_answers
from leadline.ops.preflight.item import Ground, Item, Standing, done
from leadline.ops.preflight.monitoring import DOWN, RULES
from leadline.ports.access import LOCAL, Role
from leadline.wiring.accounts import open_accounts

WELL = {
    name: Finding(told="well")
    for name in ("model_service", "cache", "limits", "broker", "tool_services.search", "tool_services.python")
}
TODAY = datetime.now(UTC).date()


@dataclass
class World:
    """What stands around the service; each part can be made to fail."""

    log: Path
    open_api: bool = False
    open_metrics: bool = False
    limited: bool = True
    jobs: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("leadline-service", "vllm"), "up"))
    rules: tuple[str, ...] = (*RULES, DOWN)
    notified: tuple[int, int] = (3, 0)
    delivers: bool = True
    dashboards: bool = True
    alerts: list[Any] = field(default_factory=list)
    asked: int = 0

    async def service(self, request: web.Request) -> web.Response:
        if request.path == "/readyz":
            return web.json_response({"status": "ready"})
        if request.path == "/metrics":
            return web.Response(status=200 if self.open_metrics else 404)
        if request.path == "/v1/usage":
            self.asked += 1
            if self.limited and self.asked > 20:
                return web.json_response({}, status=429, headers={"Retry-After": "1"})
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"request": request.headers.get("X-Request-Id", "")}) + "\n")
        return web.json_response({}, status=200 if self.open_api else 401)

    async def prometheus(self, request: web.Request) -> web.Response:
        targets = [{"labels": {"job": job}, "health": health} for job, health in self.jobs.items()]
        targets.append({"labels": {"job": "leadline-service"}, "health": self.jobs.get("leadline-service", "down")})
        told: Mapping[str, Any] = {
            "/api/v1/targets": {"activeTargets": targets if self.jobs else []},
            "/api/v1/query": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "2"]}]},
            "/api/v1/rules": {"groups": [{"rules": [{"name": name, "health": "ok"} for name in self.rules]}]},
            "/api/v1/alertmanagers": {"activeAlertmanagers": [{"url": "http://127.0.0.1/api/v2/alerts"}]},
        }
        return web.json_response({"status": "success", "data": told[request.path]})

    async def alertmanager(self, request: web.Request) -> web.Response:
        if request.path == "/api/v2/alerts":
            self.alerts += await request.json()
            every, failed = self.notified
            self.notified = (every + 1, failed + (not self.delivers))
            return web.json_response({})
        every, failed = self.notified
        names = ("alertmanager_notifications_total", "alertmanager_notifications_failed_total")
        lines = [f'{name}{{integration="webhook"}} {n}' for name, n in zip(names, (every, failed), strict=True)]
        lines += [f'{names[0]}{{integration="email"}} 0', "alertmanager_alerts 1", ""]
        return web.Response(text="\n".join(lines))

    async def grafana(self, _request: web.Request) -> web.Response:
        return web.json_response([{"title": "Leadline: runs"}] if self.dashboards else [])


@asynccontextmanager
async def listening(handle: Callable[[web.Request], Any], **tls: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, **tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def around(folder: Path, world: World) -> AsyncIterator[dict[str, str]]:
    """Yield the settings of everything that stands around, the service behind TLS of our own authority."""
    made = await asyncio.to_thread(Certificates.create, folder)
    tls = await asyncio.to_thread(made.server, "localhost")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(listening(world.service, ssl_context=tls))
        ports = {
            name: await stack.enter_async_context(listening(getattr(world, name)))
            for name in ("prometheus", "alertmanager", "grafana")
        }
        yield {
            "preflight__url": f"https://localhost:{service}",
            "preflight__ca": str(folder / "ca.pem"),
            "preflight__access_log": str(world.log),
            **{f"preflight__{name}": f"http://127.0.0.1:{port}" for name, port in ports.items()},
        }


def answered(yes: bool = True, day: str = TODAY.isoformat()) -> dict[str, Answer]:
    return {item.id: Answer(yes=yes, by="ada", on=day) for item in ITEMS if item.look is None}


def backed_up(folder: Path, *, hours: float = 1.0, verified: bool = True) -> None:
    (folder / "backups").mkdir(parents=True, exist_ok=True)
    at = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    for name in ("last.json", "restored.json"):
        body = {"at": at, "target": "file:///b", "bytes": 1, "verified": verified}
        (folder / "backups" / name).write_text(json.dumps(body), encoding="utf-8")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """What the doctor says, for its own tests look at that: all is well, unless changed."""
    found = dict(WELL)

    async def examine(_look: Look) -> Diagnosis:
        return Diagnosis(at="", findings=found)

    monkeypatch.setattr(check, "examine", examine)
    return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(log=tmp_path / "access.log")


async def gone_through(
    folder: Path, world: World, *, answers: dict[str, Answer] | None = None, try_alert: bool = False, **more: Any
) -> Preflight:
    data = folder / "data"
    if not (data / "backups").exists():
        await asyncio.to_thread(backed_up, data)
    async with around(folder, world) as flags:
        usual = {
            "model__urls": "http://127.0.0.1:1/v1,http://127.0.0.1:2/v1",
            "model__name": "m",
            "secrets__key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "log__sink": f"file://{folder}/service.log",
        }
        settings = await settings_for(data, **{**usual, **flags, **more})
        given = answered() if answers is None else answers
        return await preflight(Look(settings=settings), answers=given, try_alert=try_alert)


def row(found: Preflight, name: str) -> Row:
    return next(row for row in found.rows if row.item.id == name)


@pytest.mark.usefixtures("findings")
async def test_a_whole_deployment_is_ready(tmp_path: Path, world: World) -> None:
    found = await gone_through(tmp_path, world)
    assert found.keeps == (), found.text()
    assert {one.item.id for one in found.rows if one.standing.state is State.MISSING} == set(), found.text()
    body: Any = found.body()
    assert body["ready"] is True
    assert body["counts"]["missing"] == 0
    assert "ready; 0 are open" in found.text()


async def test_the_limit_is_run_into_after_everything_else(
    tmp_path: Path, world: World, findings: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that has reached its limit is answered 429 to whatever it asks, a key or none."""
    del findings
    looked: list[str] = []

    def noting(item: Item) -> Item:
        async def look(ground: Ground) -> Standing:
            await asyncio.sleep(0)
            looked.append(item.id)
            return await item.look(ground) if item.look is not None else done("")

        return replace(item, look=look)

    chosen = [item for item in ITEMS if item.id in {"limits_answer", "auth_required", "access_log", "tls"}]
    monkeypatch.setattr(check, "ITEMS", sorted(map(noting, chosen), key=lambda item: item.id != "limits_answer"))
    await gone_through(tmp_path, world)
    assert (len(looked), looked[-1]) == (4, "limits_answer")


BROKEN: Mapping[str, dict[str, Any]] = {
    "auth_required": {"open_api": True},
    "limits_answer": {"limited": False},
    "metrics_scraped": {"jobs": {"leadline-service": "up", "vllm": "down"}},
    "load_balancer": {"jobs": {"vllm": "up"}},
    "rules_loaded": {"rules": RULES},
    "alert_delivered": {"notified": (0, 0)},
    "dashboards": {"dashboards": False},
}


@pytest.mark.usefixtures("findings")
@pytest.mark.parametrize("name", sorted(BROKEN))
async def test_what_is_missing_is_found(tmp_path: Path, world: World, name: str) -> None:
    for attribute, value in BROKEN[name].items():
        setattr(world, attribute, value)
    found = await gone_through(tmp_path, world, preflight__requests="60")
    assert row(found, name).standing.state is State.MISSING, found.text()
    assert (name in found.keeps) == row(found, name).item.must


@pytest.mark.usefixtures("findings")
async def test_open_metrics_and_failed_notifications_are_found(tmp_path: Path, world: World) -> None:
    world.open_metrics, world.notified = True, (3, 2)
    found = await gone_through(tmp_path, world)
    assert "open to everybody" in row(found, "auth_required").standing.told
    failed = row(found, "alert_delivered").standing
    assert failed.told.startswith("2 of 3 notifications failed")
    assert failed.command == "leadline preflight --try-alert", "where Alertmanager is, is set already"


@pytest.mark.usefixtures("findings")
@pytest.mark.parametrize("delivers", [True, False])
async def test_an_alert_is_sent_and_seen_delivered(tmp_path: Path, world: World, *, delivers: bool) -> None:
    world.delivers = delivers
    found = await gone_through(tmp_path, world, try_alert=True)
    assert [alert["labels"]["alertname"] for alert in world.alerts] == ["LeadlinePreflight"]
    assert (row(found, "alert_delivered").standing.state is State.DONE) == delivers


@pytest.mark.usefixtures("findings")
async def test_a_certificate_that_clients_refuse_is_found(tmp_path: Path, world: World) -> None:
    async with around(tmp_path, world) as flags:
        flags.pop("preflight__ca")
        settings = await settings_for(tmp_path / "data", **flags)
        found = await preflight(Look(settings=settings), answers={})
    assert "certificate" in row(found, "tls").standing.told
    assert row(found, "tls").standing.command.startswith("openssl s_client -connect ")
    assert {"tls", "auth_required", "limits_answer", "access_log"} <= set(found.keeps)


@pytest.mark.usefixtures("findings")
async def test_without_addresses_each_must_names_what_to_set(tmp_path: Path) -> None:
    found = await preflight(Look(settings=await settings_for(tmp_path)), answers={})
    assert {"tls", "metrics_scraped", "alert_delivered", "access_log", "backup_fresh", "failover"} <= set(found.keeps)
    assert all(one.standing.told for one in found.rows)
    plain = await preflight(
        Look(settings=await settings_for(tmp_path, preflight__url="http://127.0.0.1:9")), answers={}
    )
    assert "not https" in row(plain, "tls").standing.told


@pytest.mark.usefixtures("findings")
async def test_backups_must_be_young_verified_and_restored_once(tmp_path: Path, world: World) -> None:
    data = tmp_path / "data"
    await asyncio.to_thread(backed_up, data, hours=27)
    assert "27 hours old" in row(await gone_through(tmp_path, world), "backup_fresh").standing.told
    await asyncio.to_thread(backed_up, data, verified=False)
    assert "not verified" in row(await gone_through(tmp_path, world), "backup_fresh").standing.told
    await asyncio.to_thread(backed_up, data, hours=24 * 91)
    assert "91 days ago" in row(await gone_through(tmp_path, world), "restore_tried").standing.told
    await asyncio.to_thread((data / "backups" / "last.json").write_text, "[]")
    assert "no backup" in row(await gone_through(tmp_path, world), "backup_fresh").standing.told


async def test_the_doctors_findings_count(tmp_path: Path, world: World, findings: dict[str, Finding]) -> None:
    bad = Finding(status=Status.UNHEALTHY, told="x", cause="the key is wrong", command="leadline settings")
    findings |= {"model_service": bad, "cache": bad, "tool_services.python": bad}
    findings["tool_services.search"] = Finding(parts={"serper": bad}, status=Status.UNHEALTHY, cause="x")
    flags: dict[str, Any] = {"search__providers": "serper", "search__serper__api_keys": "serper-key-0"}
    found = await gone_through(tmp_path, world, **flags)
    wrong = {"model_health", "provider_keys", "tools_work", "cache", "sandbox_isolated"}
    assert set(found.keeps) - {"gpu_servers"} == wrong  # GPUs elsewhere are seen by the answers of their models
    findings["tool_services.search"] = Finding(parts={"serper": Finding(facts={"key_tried": False})})
    untried = row(await gone_through(tmp_path, world, **flags), "provider_keys").standing
    assert untried.command == "leadline preflight --paid"


@pytest.mark.usefixtures("findings")
async def test_what_travels_must_do_so_over_tls_or_be_vouched_for(tmp_path: Path, world: World) -> None:
    for flag, place in {
        "store": "postgresql://u:p@away.example/x",
        "cache": "redis://away.example/0",
        "traces__url": "http://away.example:4318/v1/traces",
    }.items():
        found = await gone_through(tmp_path, world, **dict[str, Any]({flag: place}))
        standing = row(found, "secrets_encrypted").standing
        assert f"`{flag.replace('__', '.')}` to away.example" in standing.told
        assert "LEADLINE_PREFLIGHT__TRUSTED" in standing.command
    safe: dict[str, Any] = {"cache": "rediss://away.example/0"}
    assert row(await gone_through(tmp_path, world, **safe), "secrets_encrypted").standing.state is State.DONE
    vouched: dict[str, Any] = {"cache": "redis://away.example/0", "preflight__trusted": "away.example"}
    standing = row(await gone_through(tmp_path, world, **vouched), "secrets_encrypted").standing
    assert standing.state is State.DONE
    assert "in networks you vouch for: `cache` to away.example" in standing.told


@pytest.mark.usefixtures("findings")
async def test_webhooks_of_tenants_without_tls_are_told_of(tmp_path: Path, world: World) -> None:
    settings = await settings_for(tmp_path / "data", secrets__key="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    async with open_accounts(settings) as accounts:
        for url in ("http://hooks.example/a", "https://hooks.example/b"):
            await accounts.webhooks.create(LOCAL, url=url, events=["run_finished"], made_by="test")
    standing = row(await gone_through(tmp_path, world), "secrets_encrypted").standing
    assert standing.state is State.DONE
    assert "1 of 2 webhooks of tenants are told of events without TLS" in standing.told


@pytest.mark.usefixtures("findings")
async def test_the_service_itself_asks_for_keys_and_answers_429(tmp_path: Path) -> None:
    flags = {"admission__key_rate": "5", "admission__key_burst": "10"}
    async with small_service(tmp_path / "served", flags) as running:
        key = await running.key(LOCAL, Role.READER)
        settings = await settings_for(tmp_path, preflight__url=running.url, server__key=key, preflight__requests="100")
        found = await preflight(Look(settings=settings), answers={})
    assert row(found, "auth_required").standing.state is State.DONE, found.text()
    assert row(found, "limits_answer").standing.told.startswith("429 within "), found.text()


# ------------------------------------------------------------------------------------------- answers


@pytest.mark.usefixtures("findings")
async def test_answers_count_for_half_a_year(tmp_path: Path, world: World) -> None:
    old = (TODAY - timedelta(days=181)).isoformat()
    for answers in (answered(yes=False), answered(day=old), answered(day="soon"), {}):
        found = await gone_through(tmp_path, world, answers=answers)
        assert set(found.keeps) == {item.id for item in ITEMS if item.look is None}


def test_answers_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "preflight.json"
    assert load_answers(path) == {}
    save_answers(path, answered())
    assert load_answers(path) == answered()
    path.write_text('{"failover": {"yes": 3}}', encoding="utf-8")
    with pytest.raises(SettingsError, match="does not hold answers"):
        load_answers(path)


def test_an_operator_is_asked_ten_things_at_most() -> None:
    assert 0 < sum(item.look is None for item in ITEMS) <= 10
    assert len({item.id for item in ITEMS}) == len(ITEMS)
