"""The order of parts, and the table that a plan gives."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from leadline.errors import SettingsError
from leadline.ops.preflight.travels import travel
from leadline.ops.topology import prepare
from leadline.ops.topology.home import SECRETS, Home, Plan
from leadline.ops.topology.part import Part
from leadline.ops.topology.parts import STORES, WATCHERS, Topology
from leadline.ops.topology.probes import answers
from leadline.ops.topology.programs import Programs
from leadline.ops.topology.tls import Tls
from leadline.ops.topology.units import Listens, Says, Unit, in_order
from leadline.resilience import SystemClock
from leadline.settings import load
from leadline.wiring.models import server_specs

TOOL_SECRETS = {"tools", "metrics", "redis_limits", "redis_cache"}


def unit(name: str, *after: str) -> Unit:
    return Unit(name=name, argv=("true",), folder=Path("/"), ready=Listens(port=1), after=after)


def test_parts_stand_behind_what_they_wait_for() -> None:
    ordered = [one.name for one in in_order([unit("c", "a", "b"), unit("b", "a"), unit("a")])]
    assert ordered == ["a", "b", "c"]


@pytest.mark.parametrize("units", [[unit("a", "b"), unit("b", "a")], [unit("a", "nobody")]])
def test_circles_and_gaps_are_refused(units: list[Unit]) -> None:
    with pytest.raises(SettingsError, match="wait for one another"):
        in_order(units)


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    made = Topology(
        home=Home(folder=tmp_path / "up"),
        plan=Plan(workers=3, left_out={"models": "not asked for"}),
        programs=Programs(
            nginx=Path("/n"),
            redis=Path("/r"),
            postgres=Path("/p"),
            prometheus=Path("/pr"),
            alertmanager=Path("/a"),
            rclone=Path("/rc"),
        ),
        settings=load(environ={"LEADLINE_MODEL__URLS": "http://127.0.0.1:7777/v1", "LEADLINE_MODEL__NAME": "m"}),
        secrets=MappingProxyType({name: f"secret-{name}" for name in (*SECRETS, "sealing")}),
        tls=Tls(ca=tmp_path / "ca file.pem", certificate=tmp_path / "s.pem", key=tmp_path / "s.key"),
    )
    return with_ports(made)


def with_ports(topology: Topology) -> Topology:
    ports = {name: 20_000 + number for number, name in enumerate(topology.names())}
    return replace(topology, plan=replace(topology.plan, ports=ports))


def test_the_balancer_stands_before_services_that_stand_on_everything(topology: Topology) -> None:
    units = {one.name: one for one in in_order(topology.units())}
    assert units["nginx"].after == ("service-1", "service-2")
    for name in ("service-1", "worker-3"):
        assert {"migrate", "first-key", "redis-queue", "postgres", "s3", "tool-python"} <= set(units[name].after)
    assert "models" not in units


def test_no_secret_is_in_a_list_of_processes(topology: Topology) -> None:
    words = " ".join(word for one in topology.units() for word in one.argv)
    assert not [secret for secret in topology.secrets.values() if secret in words]


def test_its_variables_are_settings_that_go_together(topology: Topology) -> None:
    settings = load(environ=topology.variables())
    assert settings.engine.startswith("celery+redis://")
    assert str(settings.cache.url) != settings.engine.removeprefix("celery+")
    assert settings.blobs == "s3://leadline"
    assert settings.warnings == ()
    assert "ca%20file.pem" in urlsplit(settings.store).query


def test_a_gateway_is_what_all_others_ask(topology: Topology) -> None:
    gated = with_ports(replace(topology, plan=replace(topology.plan, gateway=True, left_out={})))
    units = {one.name: one for one in gated.units()}
    own = f"http://127.0.0.1:{gated.port('models')}/v1"
    assert units["worker-1"].env["LEADLINE_MODEL__URLS"] == own
    assert units["models"].env["LEADLINE_MODEL__URLS"] == "http://127.0.0.1:7777/v1"


@pytest.mark.parametrize(
    ("more", "workers", "gateway"),
    [
        ({}, (), ()),
        ({"LEADLINE_VLLM__MODEL": "m", "LEADLINE_VLLM__MAX_NUM_SEQS": "24"}, (48,), (24, 24)),
        ({"LEADLINE_MODEL__CONCURRENCY": "4,8", "LEADLINE_MODEL__WEIGHTS": "1,2"}, (12,), (4, 8)),
        ({"LEADLINE_MODEL__CONCURRENCY": "4"}, (8,), (4, 4)),
    ],
)
def test_workers_may_give_a_gateway_what_its_servers_take_together(
    topology: Topology, more: dict[str, str], workers: tuple[int, ...], gateway: tuple[int, ...]
) -> None:
    given = {"LEADLINE_MODEL__URLS": "http://127.0.0.1:1/v1,http://127.0.0.1:2/v1", "LEADLINE_MODEL__NAME": "m"} | more
    plan = replace(topology.plan, gateway=True, left_out={})
    gated = with_ports(replace(topology, plan=plan, settings=load(environ=given)))
    units = {one.name: one for one in gated.units()}
    for name, bounds in (("worker-1", workers), ("models", gateway)):
        settings = load(environ={**given, **units[name].env})
        specs = server_specs(settings.model, None, vllm=settings.vllm)
        assert tuple(spec.concurrency for spec in specs if spec.concurrency) == bounds


def test_nothing_that_is_secret_leaves_the_machine(topology: Topology) -> None:
    found = travel(load(environ=topology.variables()))
    assert (found.open, found.trusted) == ((), ())


def test_every_process_of_ours_speaks_to_its_supervisor(topology: Topology) -> None:
    """Whatever the settings file says of lines: a tool that is given no place for them would take that."""
    for unit in topology.units():
        assert not unit.own or unit.env["LEADLINE_LOG__SINK"] == "stderr", unit.name


def test_tools_get_no_key_that_they_have_no_use_for(topology: Topology) -> None:
    gated = with_ports(replace(topology, plan=replace(topology.plan, gateway=True, left_out={})))
    units = {one.name: one for one in gated.units()}
    for name, known in (("tool-python", {"tools", "metrics"}), ("tool-visit", TOOL_SECRETS)):
        told = " ".join(units[name].env.values())
        assert {one for one, secret in gated.secrets.items() if secret in told} == known
        settings = load(environ=units[name].env)
        assert settings.warnings == ()
        assert settings.tools.key is not None
    assert "secret-sealing" in units["service-1"].env.values()


KEPT = {"PATH": os.environ["PATH"], "LEADLINE_LOG__LEVEL": "debug"}
KEYS = {
    "LEADLINE_STORE": "postgresql://u:pw@h/d",
    "LEADLINE_SECRETS__KEY": "k",
    "LEADLINE_SECRETS__OLD_KEYS": "o",
    "LEADLINE_MODEL__API_KEY": "m",
    "LEADLINE_JUDGE__API_KEY": "j",
    "LEADLINE_SEARCH__SERPER__API_KEYS": "serper",
    "LEADLINE_SCHOLAR__OPENALEX__API_KEYS": "openalex",
    "LEADLINE_BACKUP__PASSPHRASE": "long enough for it",
    "OPENAI_API_KEY": "for another program",
    "PGPASSWORD": "for another database",
    "HTTPS_PROXY": "http://user:word@proxy:3128",
}


@pytest.fixture
def table(topology: Topology) -> dict[str, Unit]:
    return {one.name: one for one in topology.units()}


async def environment_of(unit: Unit, out: Path) -> dict[str, str]:
    """Return what the process of a part finds, started by its supervisor: another program, the same environment."""
    shows = replace(unit, argv=("env", "-0"), folder=out.parent, ready=None, out=out, user=None)
    around = {**KEPT, **KEYS}
    part = Part(shows, log_file=out.parent / "log", environment=around, clock=SystemClock(), changed=lambda: None)
    process = await part._spawned()
    assert await process.wait() == 0
    text = await asyncio.to_thread(out.read_text, "utf-8")
    return dict(line.split("=", 1) for line in text.split("\0") if line)


@pytest.mark.parametrize(
    ("tool", "keys"),
    [
        ("search", {"LEADLINE_SEARCH__SERPER__API_KEYS"}),
        ("scholar", {"LEADLINE_SCHOLAR__OPENALEX__API_KEYS"}),
        ("visit", set()),
        ("python", set()),
    ],
)
async def test_a_tool_inherits_its_own_keys_alone(
    table: dict[str, Unit], tmp_path: Path, tool: str, keys: set[str]
) -> None:
    shown = await environment_of(table[f"tool-{tool}"], tmp_path / "out")
    assert KEPT.items() <= shown.items()
    assert {name for name, text in KEYS.items() if shown.get(name) == text} == keys


async def test_what_carries_runs_inherits_all_that_is_not_set_for_it(table: dict[str, Unit], tmp_path: Path) -> None:
    shown = await environment_of(table["service-1"], tmp_path / "out")
    assert {**KEPT, **KEYS, **table["service-1"].env}.items() <= shown.items()


async def test_servers_that_are_not_ours_see_no_setting_and_no_key(table: dict[str, Unit], tmp_path: Path) -> None:
    strangers = [one for one in table.values() if one.argv[0] != sys.executable]
    assert {one.name for one in strangers} == {*STORES, "s3", "nginx", *WATCHERS}
    for one in strangers:
        shown = await environment_of(one, tmp_path / one.name)
        assert shown == {"PATH": KEPT["PATH"], **one.env}, one.name
    assert not [one.name for one in strangers if one.own]


def test_programs_that_ask_and_prepare_see_none_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in KEYS.items():
        monkeypatch.setenv(name, text)
    out = tmp_path / "asked"
    assert asyncio.run(answers(Says(argv=("sh", "-c", f"env -0 > {out}"))))
    made = prepare._run(("sh", "-c", "env -0 >&2"), (), folder=tmp_path)
    for shown in (out.read_text(), made):
        names = {line.partition("=")[0] for line in shown.split("\0")}
        assert "PATH" in names
        assert not [name for name in names if name in KEYS or name.startswith("LEADLINE_")]


def test_counts_of_limits_lie_where_nothing_is_forgotten(topology: Topology) -> None:
    for name in ("ca", "certificate", "key"):
        getattr(topology.tls, name).write_text("x")
    topology.home.folder.mkdir()
    prepare._write_servers(topology)
    policies = {}
    for name in STORES[:2]:
        text = (topology.folder(name) / "redis.conf").read_text()
        policies[topology.port(name)] = dict(line.split(" ", 1) for line in text.splitlines())["maxmemory-policy"]
    places = {name: text.removeprefix("celery+") for name, text in topology.variables().items()}
    redis = {name: policies[urlsplit(text).port or 0] for name, text in places.items() if text.startswith("redis")}
    kept = dict.fromkeys(("LEADLINE_ENGINE", "LEADLINE_LIMITS"), "noeviction")
    assert redis == {**kept, "LEADLINE_CACHE": "allkeys-lru"}


def test_metrics_are_no_door_to_the_models(topology: Topology) -> None:
    topology.home.folder.mkdir()
    prepare._write_gateway(topology)
    keys = [key for table in tomllib.loads(topology.home.gateway.read_text()).values() for key in table["keys"]]
    assert keys == [hashlib.sha256(b"secret-models").hexdigest()]


def test_nobody_reloads_or_ends_prometheus_over_http(topology: Topology) -> None:
    (unit_,) = (one for one in topology.units() if one.name == "prometheus")
    assert not [word for word in unit_.argv if "enable" in word]


def test_what_is_left_out_is_not_named_to_the_others(topology: Topology) -> None:
    without = {"models": "", "s3": "", "tool-python": "", "prometheus": "", "alertmanager": "", "kafka": ""}
    small = with_ports(replace(topology, plan=replace(topology.plan, left_out=without)))
    names = {one.name for one in in_order(small.units())}
    assert not names & set(without)
    settings = load(environ=small.variables())
    assert (settings.sandbox, settings.blobs, settings.tools.python) == ("off", "file://", "local")


def test_each_part_that_is_watched_is_asked_for_metrics(topology: Topology) -> None:
    targets = topology.targets()
    assert (len(targets.service), len(targets.worker), len(targets.tools)) == (2, 3, 4)
    assert targets.vllm == ("127.0.0.1:7777",)
