"""`leadline up`: everything on this machine, parts that are killed, and nothing that is left at the end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from tests.support.models import free_port

from leadline.testing import Reply, Rule, ScriptedServer

pytestmark = [
    pytest.mark.server("nginx"),
    pytest.mark.server("postgres"),
    pytest.mark.server("redis"),
    pytest.mark.xdist_group("up"),
]

PROGRAM = str(Path(sys.executable).with_name("leadline"))
QUESTION = "When was the lighthouse at Skerryvore first lit?"
DOCUMENT = b"# Skerryvore\n\nThe lighthouse at Skerryvore was first lit in 1844. It stands on a reef.\n"
DEADLINE = 240
LEASE = "3"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Result:
    code: int
    out: str
    err: str


@dataclass
class Machine:
    """A folder for all of it, and the variables that commands see."""

    folder: Path
    environment: dict[str, str]

    async def leadline(self, *words: str, **more: str) -> Result:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**self.environment, **more}
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())

    async def status(self) -> dict[str, Any]:
        found = await self.leadline("status", "--json")
        status: dict[str, Any] = json.loads(found.out)
        return status

    async def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in (await self.status())["parts"]}

    def processes(self) -> list[psutil.Process]:
        """Return what runs from this folder or for it, wherever it was started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                named = " ".join(process.cmdline())
                here = str(self.folder) in named or process.environ().get("LEADLINE_DATA_DIR", "").startswith(
                    str(self.folder)
                )
                if here and process.pid != os.getpid():
                    found.append(process)
        return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that the users of servers may pass through, which pytest's own are not."""
    name = Path(tempfile.mkdtemp(prefix="leadline-up-"))
    name.chmod(0o755)
    yield name
    shutil.rmtree(name, ignore_errors=True)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[Machine]:
    async with ScriptedServer([Rule(reply=Reply(text="The lighthouse was first lit in 1844."))]) as model:
        here = Machine(
            folder,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LEADLINE_DATA_DIR": str(folder / "data"),
                "LEADLINE_SANDBOX": "off",
                "LEADLINE_MODEL__URLS": model.url,
                "LEADLINE_MODEL__NAME": "scripted",
                "LEADLINE_TASKS__LEASE_SECONDS": LEASE,
            },
        )
        try:
            yield here
        finally:
            await here.leadline("down")
            for process in await asyncio.to_thread(here.processes):
                process.kill()


def row(out: str, name: str) -> str:
    return next(line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith(f"{name} "))


async def uploaded(url: str, key: str, ca: str) -> str:
    """Put a document into a corpus by way of the balancer, and return the corpus once it can be searched."""
    context = ssl.create_default_context(cafile=ca)
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:
        async with session.post("/v1/corpora", json={"name": "papers"}) as reply:
            assert reply.status == 201, await reply.text()
            corpus: str = (await reply.json())["id"]
        async with session.put(f"/v1/corpora/{corpus}/documents/lights.md", data=DOCUMENT) as reply:
            assert reply.status in {200, 201, 202}, await reply.text()
        left = 1
        while left:
            async with session.get(f"/v1/corpora/{corpus}") as reply:
                found = await reply.json()
            left = found["queued"] + found["reading"]
            await asyncio.sleep(0.2)
        return corpus


async def restarted(here: Machine, names: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Wait until parts answer in processes other than those."""
    async with asyncio.timeout(DEADLINE):
        while True:
            parts = await here.parts()
            if all(parts[name]["state"] == "ready" and parts[name]["pid"] != pid for name, pid in names.items()):
                return parts
            await asyncio.sleep(0.2)


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
    assert (await here.leadline("logs", "nothing")).code == 2


def typed() -> Iterator[str]:
    """Yield what the page for operators has them type on a topology that is up."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for block in re.findall(r"^```console\n(.*?)```", page, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if command.split()[0] in {"leadline", "set"} and command.split()[1] not in {"up", "down", "init"}:
                yield command


async def check_page(here: Machine, port: int) -> None:
    """Each command of the page works; what examines may find faults: this machine reaches no web."""
    before = ""
    ran = 0
    for line in typed():
        command = line.replace("/var/lib/leadline/up", str(here.folder / "data" / "up")).replace("8443", str(port))
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
    async with machine(folder) as here:
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
    async with machine(folder) as here:
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
