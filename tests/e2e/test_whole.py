"""All of it at once: researches through the balancer while one part after another breaks, and what tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.monitoring import check_dashboards, until
from tests.support.topology import PROGRAM, passable
from tests.support.whole import SECONDS, Whole, kill, whole

pytestmark = [
    pytest.mark.server("nginx"),
    pytest.mark.server("postgres"),
    pytest.mark.server("redis"),
    pytest.mark.server("prometheus"),
    pytest.mark.server("alertmanager"),
    pytest.mark.xdist_group("up"),
    pytest.mark.blocking("looks at processes and files between commands, while nothing else runs"),
]

RUNS = 4
"""Before and after each fault; as many as all workers take at once, so that each process sees the part again."""

ELSEWHERE = ("GPUs", "The gateway")
"""Rows whose source does not run here: GPUs, and `leadline serve-models` (tests/e2e/test_monitoring.py has it)."""
"""Rows of dashboards whose exporters this machine has not."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A part that breaks: the alerts that arrive for it, those that may beside them, and the checks that fail.

    `partial`: reports may be short of an answer, as there is nobody to write it, or nothing to write it from.
    """

    part: str
    alerts: dict[str, dict[str, str]]
    checks: set[str]
    beside: frozenset[str] = frozenset()
    killed: bool = False
    partial: bool = False


MODEL = Fault(
    part="model",
    alerts={"NoModelService": {"severity": "critical"}},
    checks={"model_service"},
    partial=True,
)
CACHE = Fault(part="redis-cache", alerts={"CacheDown": {"severity": "warning"}}, checks={"parts", "cache"})
QUEUE = Fault(
    part="redis-queue",
    alerts={"BrokerDown": {"severity": "warning"}, "LimitsDown": {"severity": "warning"}},
    checks={"parts", "broker", "limits"},
)
WORKER = Fault(part="worker-1", alerts={"TargetDown": {"job": "leadline-worker"}}, checks={"parts"}, killed=True)
TOOL = Fault(
    part="tool-search",
    alerts={"TargetDown": {"job": "leadline-tools"}},
    checks={"parts", "tool_services.search"},
    beside=frozenset({"PartBroken", "ToolCallFailures"}),
    partial=True,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable() as name:
        yield name


async def broken(made: Whole, fault: Fault) -> None:
    """Break a part, and keep it broken."""
    if fault.part == "model":
        await made.model.kill()
        return
    if fault.killed:
        kill((await made.here.parts())[fault.part]["pid"])
    stopped = await made.here.leadline("stop", fault.part)
    assert stopped.code == 0, stopped.err


async def mended(made: Whole, fault: Fault) -> None:
    if fault.part == "model":
        await made.model.start()
        return
    started = await made.here.leadline("start", fault.part)
    assert started.code == 0, started.err


async def check_paged(made: Whole, fault: Fault, *, since: int) -> None:
    """What must be told has arrived, of the very part, and nothing else."""

    def arrived(name: str, labels: dict[str, str]) -> bool:
        return any(one["alertname"] == name and labels.items() <= one.items() for one in made.paged(since))

    async def all_told() -> bool:
        return all(arrived(name, labels) for name, labels in fault.alerts.items())

    await until(all_told, seconds=SECONDS, what=f"{', '.join(fault.alerts)} for {fault.part}")
    names = {one["alertname"] for one in made.paged(since)}
    assert names <= fault.alerts.keys() | fault.beside, (fault.part, made.paged(since))


async def check_named(made: Whole, fault: Fault) -> None:
    """The doctor, the service and the supervisor each name the broken part and no other."""
    code, found = await made.doctor()
    assert (code, set(found)) == (13, fault.checks), (fault.part, found)
    served = await made.diagnostics()
    assert set(served) == fault.checks, (fault.part, served)
    status = await made.here.status()
    down = {part["name"]: part["state"] for part in status["parts"] if part["state"] not in {"ready", "done"}}
    if fault.part == "model":
        assert f"127.0.0.1:{made.model.port}" in found["model_service"]
        assert not down
        return
    assert found["parts"] == served["parts"] == f"{fault.part} is held (kept down: leadline start {fault.part})"
    assert (status["well"], down) == (False, {fault.part: "held"})


async def check_fault(made: Whole, fault: Fault) -> None:
    """Break a part while runs are under way: they end, somebody is told, it is named; then all is well again."""
    since = len(made.pager.asked)
    asked = await made.start(RUNS)
    instance = "" if fault.part == "model" else (await made.here.parts())[fault.part]["address"]
    await broken(made, fault)
    await check_paged(made, fault, since=since)
    await check_named(made, fault)
    assert all(one["instance"] in instance for one in made.paged(since) if one["alertname"] == "TargetDown"), (
        made.paged(since)
    )
    await made.ended(asked, partial=fault.partial)
    await mended(made, fault)
    await made.ended(await made.start(RUNS))
    await made.check_green()


async def check_well(made: Whole) -> None:
    """Before anything breaks: researches are answered, every panel has its data, nobody is paged."""
    await made.prometheus.until("count(up == 1) == 8", seconds=SECONDS)
    for _ in range(2):  # what runs count is seen to grow
        await made.ended(await made.start(1))
    await made.check_link(made.asked[-1])
    await made.check_green()
    await check_dashboards(made.prometheus, without=ELSEWHERE)
    assert not made.paged(0)


@pytest.mark.timeout(600)
async def test_a_dead_model_server_is_told_of_while_every_run_ends_in_a_report(folder: Path) -> None:
    async with whole(folder) as made:
        await check_well(made)
        await check_fault(made, MODEL)
        await made.check_nothing_lost_or_doubled()


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_one_part_after_another_breaks_and_no_run_is_lost(folder: Path) -> None:
    async with whole(folder) as made:
        await check_well(made)
        for fault in (MODEL, CACHE, QUEUE, WORKER, TOOL):
            await check_fault(made, fault)
        assert len(made.asked) >= 20
        await made.check_nothing_lost_or_doubled()
        await check_dashboards(made.prometheus, without=ELSEWHERE)


ASKED = {"restarts", "on_call", "network_isolated", "failover", "rollback"}
"""What no program can see."""


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_the_list_before_production_leaves_what_only_an_operator_knows(folder: Path) -> None:
    async with whole(folder) as made:
        await made.ended(await made.start(2))
        await check_restored(made, folder)
        found = await made.under("preflight", "--json", "--paid", "--try-alert")
        body = json.loads(found.out)
        told = {item["id"]: item for item in body["items"]}
        missing = {name for name, item in told.items() if item["must"] and item["state"] == "missing"}
        assert (found.code, missing) == (13, ASKED), [told[name] for name in missing - ASKED]
        done = {name for name, item in told.items() if item["state"] == "done"}
        assert done >= {
            *("tls", "load_balancer", "limits_answer", "auth_required", "access_log", "secrets_encrypted"),
            *("model_health", "tools_work", "cache", "metrics_scraped", "rules_loaded", "alert_delivered"),
            *("backup_fresh", "restore_tried"),
        }, told


async def check_restored(made: Whole, folder: Path) -> None:
    """A backup of all of it is put into a database and a folder of its own, beside the ones in use."""
    copies = str(folder / "copies")
    for words in (("backup", copies), ("backup", "verify", copies)):
        done = await made.under(*words)
        assert done.code == 0, done.err
    await made.database("restored")
    other = (
        'LEADLINE_STORE="${LEADLINE_STORE/\\/leadline\\?//restored?}" LEADLINE_BLOBS="file://$1" exec "$0" restore "$2"'
    )
    restored = await made.shell(other, PROGRAM, str(folder / "bodies"), copies)
    assert restored.code == 0, restored.err
    assert "all as they were" in restored.out
