"""A real nginx before two real services: TLS, keys, limits, streams, and one service that dies."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import aiohttp
import pytest
from tests.support.certificates import Certificates
from yarl import URL

from leadline.ops.nginx import Balancer, nginx_conf
from leadline.testing import Reply, Rule, ScriptedServer

pytestmark = [pytest.mark.server("nginx"), pytest.mark.xdist_group("nginx"), pytest.mark.timeout(240)]

PROGRAM = str(Path(sys.executable).with_name("leadline"))
NGINX = "/usr/sbin/nginx"
THINKS = Reply(text="The lighthouse was first lit in 1844.", delay=0.2, chunk=2)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@dataclass
class Services:
    """Two services over one data folder, and the key of an admin."""

    folder: Path
    environment: Mapping[str, str]
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    key: str = ""

    async def start(self) -> None:
        made = await self._run("keys", "create", "--name", "e2e", "--role", "admin")
        self.key = made.strip().splitlines()[-1]
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "serve", "--port", "0", "--drain", "1"),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self.environment),
            )
            self.processes.append(process)
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 40)
            self.places.append(line.decode().strip().removeprefix("http://"))

    async def _run(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(self.environment)
        )
        out, err = await asyncio.wait_for(process.communicate(), 40)
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def stop(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


@dataclass
class Front:
    """An nginx, and how it is asked."""

    url: str
    port: int
    context: ssl.SSLContext
    session: aiohttp.ClientSession
    folder: Path
    services: Services

    async def ask(self, method: str, path: str, *, key: str | None = None, **more: Any) -> tuple[int, Any, bytes]:
        key = self.services.key if key is None else key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.session.request(method, self.url + path, headers=headers, ssl=self.context, **more) as reply:
            return reply.status, reply.headers, await reply.read()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "access.log").read_text("utf-8").splitlines()]


@asynccontextmanager
async def fronted(folder: Path, *, rate: int = 1000, **settings: str) -> AsyncIterator[Front]:
    made = Certificates.create(folder)
    made.server("localhost")
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ScriptedServer([Rule(reply=THINKS)]))
        named = {f"LEADLINE_{name.upper()}": value for name, value in settings.items()}
        services = Services(
            folder,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LEADLINE_DATA_DIR": str(folder / "data"),
                "LEADLINE_SERVICE__PROXIES": "127.0.0.0/8",
                "LEADLINE_SECRETS__KEY": "x" * 43 + "=",
                "LEADLINE_TASKS__LEASE_SECONDS": "2",
                "LEADLINE_SANDBOX": "off",
                "LEADLINE_MODEL__URLS": model.url,
                "LEADLINE_MODEL__NAME": "scripted",
                **named,
            },
        )
        stack.push_async_callback(services.stop)
        await services.start()
        port = free_port()
        balancer = Balancer(
            services=services.places,
            certificate=PurePosixPath(folder / "localhost.pem"),
            key=PurePosixPath(folder / "localhost.pem"),
            folder=PurePosixPath(folder),
            host="127.0.0.1",
            port=port,
            plain_port=None,
            rate=rate,
            burst=20 if rate < 100 else 200,
            workers="1",
        )
        conf = folder / "nginx.conf"
        conf.write_text(nginx_conf(balancer), "utf-8")
        checked = await asyncio.to_thread(
            subprocess.run, [NGINX, "-t", "-c", str(conf)], capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr.decode()
        assert b"warn" not in checked.stderr.replace(b'the "user" directive', b""), checked.stderr.decode()
        nginx = await asyncio.create_subprocess_exec(NGINX, "-c", str(conf), "-g", "daemon off;")
        stack.push_async_callback(nginx.wait)
        stack.callback(nginx.terminate)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        front = Front(f"https://localhost:{port}", port, made.client(), session, folder, services)
        await listens(front)
        yield front


async def listens(front: Front) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                status, _, _ = await front.ask("GET", "/healthz", key="")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
                continue
            assert status == 200
            return


async def test_keys_limits_and_what_is_hidden(tmp_path: Path) -> None:
    async with fronted(tmp_path, admission__key_rate="0.2", admission__key_burst="3") as front:
        status, headers, body = await front.ask("GET", "/v1/research", key="")
        assert (status, headers["Content-Type"]) == (401, "application/problem+json")
        assert json.loads(body)["code"] == "unauthenticated"
        for hidden in ("/internal/auth", "/metrics", "/leadline-check"):
            assert (await front.ask("GET", hidden))[0] == 404

        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(front.ask("GET", "/v1/research")) for _ in range(20)]
        answers = [task.result() for task in asking]
        assert {status for status, _, _ in answers} == {200, 429}
        refused = next((headers, body) for status, headers, body in answers if status == 429)
        assert int(refused[0]["Retry-After"]) >= 1
        assert json.loads(refused[1])["code"] == "limited"

        lines = front.log()
        assert {line["tenant"] for line in lines if line["path"] == "/v1/research"} == {"", "local"}
        assert all(line["request"] and line["seconds"] >= 0 for line in lines)
        assert front.services.key not in (front.folder / "access.log").read_text("utf-8")

        await front.services.stop()
        status, headers, body = await front.ask("GET", "/v1/research")
        assert (status, headers["Retry-After"], json.loads(body)["code"]) == (503, "5", "unavailable")


async def test_one_address_may_not_flood_and_browsers_get_http2(tmp_path: Path) -> None:
    async with fronted(tmp_path, rate=2) as front:
        found = await asyncio.gather(*(front.ask("GET", "/healthz", key="") for _ in range(60)))
        assert {status for status, _, _ in found} == {200, 429}
        headers, body = next((headers, body) for status, headers, body in found if status == 429)
        assert (headers["Retry-After"], json.loads(body)["code"]) == ("1", "address_rate")
        offered = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        offered.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=offered, server_hostname="localhost")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.transport.abort()


async def test_who_has_a_link_needs_no_key_and_is_limited_all_the_same(tmp_path: Path) -> None:
    async with fronted(tmp_path, rate=5, admission__key_rate="none") as front:
        asked = {"question": "When was the lighthouse first lit?", "web": False, "strategy": "react"}
        run = json.loads((await front.ask("POST", "/v1/research", json=asked))[2])["id"]
        assert (await followed(front, run))[-1][1] == "run_finished"
        status, _, body = await front.ask("POST", f"/v1/research/{run}/shares", json={"days": 1})
        assert status == 201, body
        token = json.loads(body)["token"]

        assert (await shown(front, token, "/v1/shared/report"))[0] == 200
        report = json.loads((await front.ask("GET", f"/v1/research/{run}/report"))[2])
        assert json.loads((await shown(front, token, "/v1/shared/report"))[2]) == report
        # What was refused, the service refused: it knows the link's other source, and no such token.
        assert (await shown(front, token, "/v1/shared/sources/none"))[0] == 404
        status, _, body = await shown(front, "x" * 43, "/v1/shared/report")
        assert (status, json.loads(body)["code"]) == (404, "unknown_object")
        assert (await shown(front, token, "/v1/research"))[0] == 401, "a link opens a report, and nothing else"
        assert (await shown(front, token, "/v1/shared/../research"))[0] == 401

        seen = await asyncio.gather(*(shown(front, token, "/v1/shared/report") for _ in range(60)))
        refused = [body for status, _, body in seen if status == 429]
        assert {status for status, _, _ in seen} == {200, 429}
        assert json.loads(refused[0])["code"] == "address_rate"


async def shown(front: Front, token: str, path: str) -> tuple[int, Any, bytes]:
    """Ask as who has a link, and no key."""
    headers = {"X-Leadline-Share": token}
    async with front.session.get(URL(front.url + path, encoded=True), headers=headers, ssl=front.context) as reply:
        return reply.status, reply.headers, await reply.read()


async def test_a_key_is_asked_for_before_whatever_needs_one(tmp_path: Path) -> None:
    """Each path of the API that needs a key is refused at the door, and none that needs none."""
    async with fronted(tmp_path) as front:
        paths = json.loads((await front.ask("GET", "/openapi.json", key=""))[2])["paths"]
        assert {"/v1/research", "/v1/shared/report", "/healthz"} <= set(paths)
        for path, operations in paths.items():
            for method, operation in operations.items():
                _, _, body = await front.ask(method.upper(), re.sub(r"\{\w+\}", "x", path), key="")
                at_the_door = b'"code":"unauthenticated"' in body and b"refused at the door" in body
                assert at_the_door is ("security" in operation), (method, path, body[:200])


async def test_a_service_dies_under_streams_and_no_event_is_lost(tmp_path: Path) -> None:
    async with fronted(tmp_path, admission__key_rate="none") as front:
        asked = {"question": "When was the lighthouse first lit?", "web": False, "strategy": "react"}
        runs = []
        for _ in range(4):
            status, _, body = await front.ask("POST", "/v1/research", json=asked)
            assert status == 202, body
            runs.append(json.loads(body)["id"])
        followers = [asyncio.create_task(followed(front, run)) for run in runs]
        await asyncio.sleep(1.0)  # the streams are open, and the model speaks for four seconds
        victim = front.services.processes[0]
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        for seen in await asyncio.wait_for(asyncio.gather(*followers), 120):
            assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
            assert seen[-1][1] == "run_finished"
            assert [name for _, name in seen].count("run_finished") == 1
        for _ in range(6):
            assert (await front.ask("GET", "/v1/research"))[0] == 200


async def followed(front: Front, run: str) -> list[tuple[int, str]]:
    """Follow a run to its end, coming back where a stream breaks off."""
    seen: list[tuple[int, str]] = []
    while not seen or seen[-1][1] != "run_finished":
        headers = {"Authorization": f"Bearer {front.services.key}", "Last-Event-ID": str(len(seen))}
        try:
            async with front.session.get(
                f"{front.url}/v1/research/{run}/events", headers=headers, ssl=front.context
            ) as reply:
                assert reply.status in {200, 502, 504}
                await _read(reply, seen)
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    return seen


async def _read(reply: aiohttp.ClientResponse, seen: list[tuple[int, str]]) -> None:
    number = ""
    async for raw in reply.content:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "id":
            number = value
        elif name == "event" and number:
            seen.append((int(number), value))
            number = ""
