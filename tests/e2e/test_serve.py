"""`leadline serve` as an operator runs it: processes of its own, killed, told to go, started again."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.support.service import PAGES, Client

from leadline.testing import Fault, Reply, ScriptedServer, SmallWeb

pytestmark = pytest.mark.timeout(240)

PROGRAM = Path(sys.executable).with_name("leadline")
START_SECONDS = 60
ANY = str(ipaddress.IPv4Address(0))


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LEADLINE_DATA_DIR": str(folder / "data"), **more}


@asynccontextmanager
async def serving(
    folder: Path, *options: str, **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Yield a running service and its address."""
    named = {f"LEADLINE_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "serve", "--port", "0", "--drain", "3", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(folder, named),
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line, "it did not start"
        yield process, line.decode().strip()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), START_SECONDS)
            except TimeoutError:
                process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process, number: int) -> int:
    process.send_signal(number)
    return await asyncio.wait_for(process.wait(), START_SECONDS)


def leadline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=environment(folder, {}),
        check=False,
    )


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_others_are_served_only_once_there_is_a_key(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    refused = await asyncio.to_thread(leadline, tmp_path, "serve", "--host", ANY, "--port", "0")
    assert refused.returncode == 3
    assert "leadline keys create" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    made = await asyncio.to_thread(leadline, tmp_path, "keys", "create", "--name", "me", "--role", "admin")
    (key,) = re.findall(r"ll_\S+", made.stdout)
    async with serving(tmp_path, "--host", ANY) as (process, url):
        here = url.replace(ANY, "127.0.0.1")
        assert (await Client(session, here).get("/v1/research")).status == 401
        assert (await Client(session, here, key).get("/v1/research")).status == 200
        assert await ended(process, signal.SIGTERM) == 0


async def test_a_process_that_is_told_to_go_hands_its_runs_on(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with ScriptedServer([Reply(fault=Fault.HANG_BEFORE_HEADERS)]) as server:
        settings = {"model__urls": server.url, "model__name": "scripted", "model__context": "32768"}
        async with serving(tmp_path, **settings) as (process, url):
            client = Client(session, url)
            run_id = await client.research(strategy="react")
            numbers = await left(client, run_id, process)
            assert await asyncio.wait_for(process.wait(), START_SECONDS) == 0
        async with serving(tmp_path, **settings) as (_, url):
            client = Client(session, url)
            await until(client, run_id, numbers, type="run_resumed")
            assert numbers == list(range(1, len(numbers) + 1))
            assert (await client.post(f"/v1/research/{run_id}/cancel")).status == 202
            assert (await client.ended(run_id))["state"] == "cancelled"


async def left(client: Client, run_id: str, process: asyncio.subprocess.Process) -> list[int]:
    """Follow a run until its model is asked, tell the process to go, and return the numbers of the events till then."""
    numbers: list[int] = []
    async with client.stream(run_id) as stream:
        while (event := await stream.next()) is not None:
            numbers += [int(event.id)] if event.id else []
            if event.event == "model_asked":
                process.send_signal(signal.SIGTERM)
        assert stream.retry[-1] == 250
    return numbers


async def until(client: Client, run_id: str, numbers: list[int], *, type: str) -> None:
    """Go on following a run behind `numbers`, to which what comes is added, until an event of this type."""
    async with client.stream(run_id, after=numbers[-1]) as stream:
        while (event := await stream.next()) is not None:
            numbers += [int(event.id)] if event.id else []
            if event.event == type:
                return
    raise AssertionError(f"no {type} came")


async def test_several_processes_share_a_port_and_one_that_dies_is_replaced(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with SmallWeb(PAGES) as web:
        settings = {name.removeprefix("LEADLINE_").lower(): value for name, value in web.environment.items()}
        # Without the cache: what a killed process was loading into it is left alone for half a minute.
        settings |= {"tasks__lease_seconds": "2", "cache": "off"}
        async with serving(tmp_path, "--workers", "2", **settings) as (process, url):
            children = alive(process.pid)
            assert len(children) == 2
            client = Client(session, url)
            ids = [await client.research(f"When was lighthouse {n} of Skerryvore first lit?") for n in range(4)]
            children[0].kill()
            for run_id in ids:
                await done(client, run_id)
            await two(process.pid)
            assert await ended(process, signal.SIGTERM) == 0
            assert not any(child.is_running() and child.status() != "zombie" for child in children)


async def done(client: Client, run_id: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while (await again(client, run_id)).get("state") != "done":  # noqa: ASYNC110 a killed process tells nobody
            await asyncio.sleep(0.1)


async def two(pid: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while len(alive(pid)) < 2:  # noqa: ASYNC110 as in `done`
            await asyncio.sleep(0.1)


async def again(client: Client, run_id: str) -> Mapping[str, str]:
    """Look at a run; a connection to a process that was killed is tried again by the caller."""
    try:
        found: Mapping[str, str] = (await client.get(f"/v1/research/{run_id}")).body
    except aiohttp.ClientError:
        return {}
    return found


def alive(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children() if child.status() != "zombie"]


async def test_a_parent_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, left = await asyncio.to_thread(psutil.wait_procs, children, 15)
        assert left == []


async def test_a_service_that_cannot_start_says_so_once_and_ends(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "runs.db").write_bytes(b"this is no database, and never was one" * 100)
    done = await asyncio.to_thread(leadline, tmp_path, "serve", "--port", "0", "--workers", "2")
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
