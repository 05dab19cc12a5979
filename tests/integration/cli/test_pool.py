"""Servers come and go while a gateway or a worker runs, and no client notices."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leadline import Leadline
from leadline.settings import load
from leadline.testing import Reply, ScriptedServer

PROGRAM = Path(sys.executable).with_name("leadline")
KEY = "the-operators-key"
GOOD = f"Bearer {KEY}"
TEXT = "Here it is, as a whole."

pytestmark = pytest.mark.blocking("starts processes and writes small files")


def config(folder: Path, *urls: str) -> Path:
    path = folder / "leadline.toml"
    new = folder / "leadline.toml.new"
    new.write_text(
        f'data_dir = "{folder / "data"}"\n'
        f'[model]\nurls = {json.dumps(urls)}\nname = "scripted"\nprobe = "none"\n'
        f'[gateway]\nadmin_key = "{KEY}"\nport = 0\n',
        encoding="utf-8",
    )
    new.chmod(0o600)
    new.replace(path)
    return path


@asynccontextmanager
async def started(folder: Path, *words: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *words, "--config", str(folder / "leadline.toml"), env=dict(os.environ), stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: Process, said: str) -> str:
    """Return the next line of standard error that says something."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while found := (await process.stderr.readline()).decode():
            if said in found:
                return found
    raise AssertionError(f"ended without `{said}`")


async def address(process: Process) -> str:
    found = re.search(r"http://\S+", await line(process, "http://"))
    assert found
    return found[0].removesuffix("/v1")


async def operated(folder: Path, gateway: str, *words: str, code: int = 0) -> str:
    """Run `leadline pool`; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "pool",
        *words,
        "--gateway",
        gateway,
        "--config",
        str(folder / "leadline.toml"),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == code, err.decode()
    return (out + err).decode()


async def tried(http: aiohttp.ClientSession, url: str, body: Any, authorization: str = "") -> tuple[int, Any]:
    headers = {"Authorization": authorization} if authorization else {}
    async with http.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def listed(folder: Path, gateway: str) -> dict[str, str]:
    lines = (await operated(folder, gateway, "list", "--format", "json")).splitlines()
    return {server["url"]: server["state"] for server in map(json.loads, lines)}


class Clients:
    """Many at once who ask again and again, half of them for streams."""

    def __init__(self, url: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self._url = f"{url}/v1/chat/completions"
        self._over = asyncio.Event()
        self._ended = asyncio.Condition()

    @asynccontextmanager
    async def asking(self, count: int) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self._client(http, number))
            yield
            self._over.set()

    async def more(self, count: int) -> None:
        wanted = self.outcomes.total() + count
        async with asyncio.timeout(20), self._ended:
            await self._ended.wait_for(lambda: self.outcomes.total() >= wanted)

    async def _client(self, http: aiohttp.ClientSession, number: int) -> None:
        body = {"model": "scripted", "stream": number % 2 == 0, "messages": [{"role": "user", "content": str(number)}]}
        while not self._over.is_set():
            async with http.post(self._url, json=body) as answer:
                text = (await answer.read()).decode()
            whole = text.rstrip().endswith("data: [DONE]") if number % 2 == 0 else TEXT in text
            self.outcomes[f"{answer.status} {'whole' if whole else text}"] += 1
            async with self._ended:
                self._ended.notify_all()


async def test_no_client_notices_a_server_that_is_drained_and_removed(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    def script(name: str) -> Callable[[Any], Reply]:
        def reply(_asked: Any) -> Reply:
            counts[name] += 1
            return Reply(text=TEXT, chunk=6, delay=0.05)

        return reply

    async with (
        ScriptedServer(script("one")) as one,
        ScriptedServer(script("two")) as two,
        ScriptedServer(script("three")) as three,
    ):
        config(tmp_path, one.url, two.url)
        async with started(tmp_path, "serve-models") as gateway:
            url = await address(gateway)
            clients = Clients(url)
            async with clients.asking(12):
                await clients.more(12)
                assert "in service" in await operated(tmp_path, url, "add", three.url, "--weight", "2")
                assert set(await listed(tmp_path, url)) == {one.url, two.url, three.url}
                await operated(tmp_path, url, "drain", one.url)
                assert await operated(tmp_path, url, "remove", one.url, "--wait", "20") == f"{one.url}: removed\n"
                asked = counts["one"]
                await clients.more(24)
                await operated(tmp_path, url, "add", one.url)
                await clients.more(12)
            assert set(clients.outcomes) == {"200 whole"}
            assert asked > 0
            assert min(counts.values()) > 0, "each had its part"
            assert set(await listed(tmp_path, url)) == {one.url, two.url, three.url}
    assert counts["three"] > 0


async def test_what_was_removed_gets_nothing_more(tmp_path: Path) -> None:
    slow = Reply(text=TEXT, first_delay=0.4, streams=False)
    asked: Counter[str] = Counter()

    def script(name: str) -> Callable[[Any], Reply]:
        def reply(_asked: Any) -> Reply:
            asked[name] += 1
            return slow

        return reply

    async with ScriptedServer(script("one")) as one, ScriptedServer(script("two")) as two:
        config(tmp_path, one.url)
        async with started(tmp_path, "serve-models") as gateway, aiohttp.ClientSession() as http:
            url = await address(gateway)
            refused = await operated(tmp_path, url, "remove", one.url, code=12)
            assert "no other model server would be in service" in refused
            body = {"model": "scripted", "messages": [{"role": "user", "content": "Where?"}]}
            under_way = asyncio.ensure_future(http.post(f"{url}/v1/chat/completions", json=body))
            await one.asked()
            await operated(tmp_path, url, "add", two.url)
            await operated(tmp_path, url, "remove", one.url, "--wait", "20")
            answer = await under_way
            assert (answer.status, TEXT in await answer.text()) == (200, True), "what was in flight ended"
            chat = f"{url}/v1/chat/completions"
            assert [(await tried(http, chat, body | {"user": str(number)}))[0] for number in range(6)] == [200] * 6
            assert asked == {"one": 1, "two": 6}


async def test_only_the_operators_key_changes_servers(tmp_path: Path) -> None:
    async with ScriptedServer(lambda asked: Reply(text=TEXT)) as one:
        config(tmp_path, one.url)
        async with started(tmp_path, "serve-models") as gateway, aiohttp.ClientSession() as http:
            at = f"{await address(gateway)}/admin/servers"
            new = {"url": "http://10.0.0.9:8000/v1"}
            for shown in ("", "Bearer wrong", f"Basic {KEY}"):
                assert (await tried(http, at, new, shown))[0] == 401
            bad: list[tuple[dict[str, Any], int]] = [
                ({"url": "ftp://h/v1"}, 400),
                ({"url": "http://u:p@h/v1"}, 400),
                ({}, 400),
                (new | {"weight": 0}, 400),
                (new | {"concurrency": True}, 400),
                (new | {"api_key": "k"}, 400),
                ({"url": one.url}, 409),
            ]
            assert [(await tried(http, at, body, GOOD))[0] for body, _ in bad] == [status for _, status in bad]
            assert (await tried(http, f"{at}/drain", new, GOOD))[0] == 404
            assert (await tried(http, f"{at}/other", new, GOOD))[0] == 404
            headers = {"Authorization": GOOD, "Content-Type": "text/plain"}
            async with http.post(at, data=json.dumps(new), headers=headers) as answer:
                assert answer.status == 415, "a page of a browser could send it unasked"
            assert set(await listed(tmp_path, at.removesuffix("/admin/servers"))) == {one.url}


async def test_without_a_key_nobody_changes_servers(leadline: Any, tmp_path: Path) -> None:
    env = {"LEADLINE_MODEL__NAME": "scripted", "LEADLINE_DATA_DIR": str(tmp_path / "data")}
    async with ScriptedServer(lambda asked: Reply(text=TEXT)) as one:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("serve-models", "--port", "0"),
            env={**os.environ, **env, "LEADLINE_MODEL__URLS": one.url},
            stderr=PIPE,
        )
        try:
            at = f"{await address(process)}/admin/servers"
            async with aiohttp.ClientSession() as http, http.get(at) as answer:
                assert answer.status == 403
                assert (await answer.json())["error"]["code"] == "no_admin_key"
        finally:
            process.kill()
            await process.wait()
    told = await asyncio.to_thread(leadline, "pool", "list")
    assert (told.returncode, "`gateway.admin_key` is not set" in told.stderr) == (3, True)


async def test_a_gateway_follows_its_settings(tmp_path: Path) -> None:
    async with (
        ScriptedServer(lambda asked: Reply(text=TEXT, delay=0.05, chunk=6)) as one,
        ScriptedServer(lambda asked: Reply(text=TEXT, delay=0.05, chunk=6)) as two,
    ):
        file = config(tmp_path, one.url)
        async with started(tmp_path, "serve-models") as gateway:
            url = await address(gateway)
            clients = Clients(url)
            async with clients.asking(8):
                await clients.more(8)
                config(tmp_path, two.url)
                gateway.send_signal(signal.SIGHUP)
                await line(gateway, "settings_reloaded")
                await clients.more(16)
            assert set(clients.outcomes) == {"200 whole"}
            assert set(await listed(tmp_path, url)) == {two.url}
            file.write_text("[model]\nurls = 3\n", encoding="utf-8")
            gateway.send_signal(signal.SIGHUP)
            assert "model.urls" in await line(gateway, "settings_not_reloaded")
            config(tmp_path, two.url)
            assert set(await listed(tmp_path, url)) == {two.url}


@pytest.mark.parametrize(
    ("command", "processes"),
    [(("worker",), 1), (("serve", "--port", "0", "--workers", "2"), 2)],
    ids=["worker", "serve of two"],
)
async def test_who_carries_runs_follows_its_settings(tmp_path: Path, command: tuple[str, ...], processes: int) -> None:
    asked: Counter[str] = Counter()

    def script(name: str) -> Callable[[Any], Reply]:
        def reply(_asked: Any) -> Reply:
            asked[name] += 1
            return Reply(text="It sank in 2013.")

        return reply

    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "orlova.txt").write_text("The cruise ship Orlova sank in 2013.\n", encoding="utf-8")
    async with ScriptedServer(script("one")) as one, ScriptedServer(script("two")) as two:
        file = config(tmp_path, one.url)
        settings = load(config=file, environ={})
        async with started(tmp_path, *command) as worker, Leadline(settings) as engine:

            async def researched() -> None:
                run = await engine.start("When did it sink?", docs=[documents], carry=False)
                async with asyncio.timeout(40):
                    await engine.result(run)

            await researched()
            before = asked["one"]
            assert (before > 0, asked["two"]) == (True, 0)
            config(tmp_path, two.url)
            worker.send_signal(signal.SIGHUP)
            for _ in range(processes):
                await line(worker, "settings_reloaded")
            await researched()
            assert (asked["one"], asked["two"] > 0) == (before, True)
