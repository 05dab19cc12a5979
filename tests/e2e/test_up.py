"""`leadline up`: everything on this machine, parts that are killed, and nothing that is left at the end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from tests.support.models import free_port
from tests.support.topology import DEADLINE, PROGRAM, Machine, machine, passable, restarted, row, uploaded

from leadline.testing import Reply, Rule, ScriptedServer

pytestmark = [
    pytest.mark.server("nginx"),
    pytest.mark.server("postgres"),
    pytest.mark.server("redis"),
    pytest.mark.xdist_group("up"),
]

QUESTION = "When was the lighthouse at Skerryvore first lit?"
LEASE = "3"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable() as name:
        yield name


@asynccontextmanager
async def modelled(folder: Path) -> AsyncIterator[Machine]:
    async with ScriptedServer([Rule(reply=Reply(text="The lighthouse was first lit in 1844."))]) as model:
        environment = {
            "LEADLINE_SANDBOX": "off",
            "LEADLINE_MODEL__URLS": model.url,
            "LEADLINE_MODEL__NAME": "scripted",
            "LEADLINE_TASKS__LEASE_SECONDS": LEASE,
        }
        async with machine(folder, environment) as here:
            yield here


def check_secrets(folder: Path, key: str) -> None:
    """The key of the admin is nowhere; what is secret is its owner's alone."""
    hidden = list((folder / "secrets").iterdir())
    assert hidden
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (*hidden, folder / "leadline.env"))
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert len(kept) > 100
    assert not [path for path in kept if key.encode() in path.read_bytes()]


async def check_answers(here: Machine, url: str, *, corpus: str, client: dict[str, str]) -> None:
    """A question goes through the balancer to a worker and comes back with its evidence."""
    asked = ("ask", "--server", url, "--corpus", corpus, "--strategy", "extractive", QUESTION)
    report = await here.leadline(*asked, **client)
    assert report.code == 0, report.err
    assert "first lit in 1844" in report.out
    refused = await here.leadline(*asked, **{**client, "LEADLINE_SERVER__KEY": "ll_0_wrong"})
    assert refused.code == 11, refused.err


async def check_watched(up: str) -> None:
    """Prometheus reaches every process that it was told of, with the key of their metrics."""
    if "prometheus" not in up:
        return  # it is not installed here: what is left out is tested elsewhere
    async with aiohttp.ClientSession(row(up, "prometheus")) as session, asyncio.timeout(DEADLINE):
        states: dict[str, str] = {}
        while set(states.values()) != {"up"}:
            await asyncio.sleep(0.5)
            async with session.get("/api/v1/targets") as reply:
                found = (await reply.json())["data"]["activeTargets"]
            states = {one["scrapeUrl"]: one["health"] for one in found if one["labels"]["job"] != "vllm"}
    assert len(states) == 8  # two services, two workers, three tools, the gateway


async def check_mends(here: Machine) -> None:
    """Parts that are killed come back; the others stay as they are."""
    parts = await here.parts()
    killed = {name: parts[name]["pid"] for name in ("worker-1", "redis-queue", "redis-cache")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    parts = await restarted(here, killed)
    assert all(parts[name]["restarts"] >= 1 for name in killed)
    assert parts["service-1"]["restarts"] == 0


async def check_told(here: Machine, key: str) -> None:
    """Second calls, status and logs."""
    again = await here.leadline("up", "--port", "1")
    assert (again.code, "up already" in again.err) == (0, True)
    assert key not in again.out
    shown = await here.leadline("status")
    assert shown.out.startswith("up\n"), shown.out
    logged = await here.leadline("logs", "worker-1")
    assert "runs at a time" in logged.out
    assert (await here.leadline("logs", "worker")).code == 0
    assert (await here.leadline("logs", "nothing")).code == 2


def typed() -> Iterator[str]:
    """Yield what the page for operators has them type on a topology that is up."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for block in re.findall(r"^```console\n(.*?)```", page, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if command.split()[0] not in {"leadline", "set"} or command.split()[1] in {"up", "down", "init"}:
                continue
            if "--ask" not in command:  # which wants a terminal
                # Nobody is told of alerts here: to wait for that takes as long as it may.
                yield command.removesuffix(" --try-alert")


async def check_page(here: Machine, port: int) -> None:
    """Each command of the page works; what examines may find faults: this machine reaches no web."""
    before = ""
    ran = 0
    for line in typed():
        command = line.replace("/var/lib/leadline/up", str(here.folder / "data" / "up")).replace("8443", str(port))
        command = command.replace("/var/backups", str(here.folder / "backups"))
        if command.startswith("set "):
            before = f"{command}; "
            continue
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", before + command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**here.environment, "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}"},
        )
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
        faults = {13} if command.split()[1] in {"doctor", "preflight"} else set()
        assert process.returncode in {0, *faults}, (command, out.decode(), err.decode())
        ran += 1
    assert ran >= 10


@pytest.mark.timeout(600)
@pytest.mark.blocking("looks at processes and files between commands, while nothing else runs")
async def test_the_whole_topology_from_nothing_to_nothing(folder: Path) -> None:
    async with modelled(folder) as here:
        port = free_port()
        up = await here.leadline("up", "--port", str(port), "--gateway", "--watch-every", "2")
        assert up.code == 0, up.err
        url, key, ca = (row(up.out, name) for name in ("url", "key", "certificate"))
        assert url == f"https://localhost:{port}"
        assert "without tool-python: `sandbox` is off" in up.err
        check_secrets(folder / "data" / "up", key)
        client = {"SSL_CERT_FILE": ca, "LEADLINE_SERVER__KEY": key}
        corpus = await uploaded(url, key, ca)
        await check_answers(here, url, corpus=corpus, client=client)
        by_model = await here.leadline("ask", "--server", url, "--web", "--strategy", "react", QUESTION, **client)
        assert (by_model.code, "1 model calls" in by_model.out) == (0, True), by_model.err
        await check_told(here, key)
        await check_page(here, port)
        await check_watched(up.out)
        await check_mends(here)
        await check_answers(here, url, corpus=corpus, client=client)

        down = await here.leadline("down")
        assert down.code == 0, down.err
        assert not here.processes()
        assert (await here.leadline("status")).code == 13
        assert "nothing was up" in (await here.leadline("down")).err


@pytest.mark.timeout(600)
@pytest.mark.blocking("looks at processes between commands, while nothing else runs")
async def test_what_cannot_start_is_named_and_nothing_stays(folder: Path) -> None:
    async with modelled(folder) as here:
        programs = folder / "bin"
        programs.mkdir()
        redis = programs / "redis-server"
        redis.write_text("#!/bin/sh\necho 'FATAL CONFIG FILE ERROR: no such directive' >&2\nexit 7\n")
        redis.chmod(0o755)
        up = await here.leadline("up", "--port", str(free_port()), PATH=f"{programs}:{os.environ['PATH']}")
        assert up.code == 14, up.out
        assert "could not start: it ended with status 7; its last lines: FATAL CONFIG FILE ERROR" in up.err
        assert "look into its log: leadline logs redis-" in up.err
        assert not here.processes()
        assert (await here.status())["phase"] == "failed"
        said = await here.leadline("logs", "redis-queue")
        assert "no such directive" in said.out
