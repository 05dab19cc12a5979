"""Real processes watched by a real Prometheus: every dashboard has its data, and a killed model server is told of."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.exporters import DCGM, NVIDIA_SMI
from tests.support.monitoring import (
    Prometheus,
    check_dashboards,
    free_port,
    running_alertmanager,
    running_prometheus,
    until,
)
from tests.support.services import Answer, FakeService, fake_service

from leadline.ops.monitoring import Pace, Targets, alertmanager_files, prometheus_files
from leadline.testing import HostileWeb, WebPage
from leadline.testing.web import WebRequest

pytestmark = [
    pytest.mark.server("prometheus"),
    pytest.mark.server("alertmanager"),
    pytest.mark.timeout(240),
]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(sys.executable).with_name("leadline"))
QUESTIONS = ("When was the lighthouse at Skerryvore first lit?", "When was the light at Skerryvore lit?")
LIT = "<p>The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.</p>"
PRICES = '["scripted"]\nprompt = 1.0\ncompletion = 2.0\n'
KEY = "metrics-key"
START_SECONDS = 60.0
OF_MODELS = {"NoModelService", "ModelServiceDown", "ModelServerOutOfService", "SlowFirstToken"}


@dataclass
class World:
    """What runs, and where."""

    session: aiohttp.ClientSession
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    model: asyncio.subprocess.Process | None = None
    gateway: str = ""

    async def start(self, stack: AsyncExitStack, *words: str) -> tuple[asyncio.subprocess.Process, str]:
        """Start a process, and return it with the first line that it says; it is dead at the end."""
        process = await asyncio.create_subprocess_exec(
            *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment, cwd=ROOT
        )
        stack.push_async_callback(killed, process)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line, f"it did not start: {words}"
        return process, line.decode().strip()


async def killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[World, Prometheus, FakeService]]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = World(session=session, folder=folder)
        page = f"<html><body><main>{LIT * 3}</main></body></html>".encode()

        def hits(request: WebRequest) -> WebPage:
            del request
            found = {"results": [{"url": f"{address}/lit", "title": "Skerryvore", "content": "1844"}]}
            return WebPage(body=json.dumps(found).encode(), content_type="application/json")

        web = await stack.enter_async_context(HostileWeb({"/lit": WebPage(body=page), "/search": hits}))
        address = f"http://127.0.0.1:{web.port}"
        made.environment = environment(folder, address)
        made.model, line = await made.start(stack, sys.executable, "-m", "tests.support.model_child", f"{address}/lit")
        model, vllm = line.split()
        made.environment["LEADLINE_MODEL__URLS"] = model
        _, service = await made.start(stack, PROGRAM, "serve", "--port", "0", "--drain", "1")
        _, worker = await made.start(stack, PROGRAM, "worker", "--metrics-port", "0")
        made.gateway = await gateway(made, stack)
        told = await stack.enter_async_context(fake_service())
        gpus = [await exporter(stack, text) for text in (DCGM, NVIDIA_SMI)]
        alertmanager = free_port()
        key_file = await asyncio.to_thread(written, folder / "metrics.key")
        targets = Targets(
            service=(service.removeprefix("http://"),),
            worker=(worker.removeprefix("metrics at http://").removesuffix("/metrics"),),
            tools=(),
            vllm=(vllm,),
            models=(made.gateway,),
            gpu=tuple(gpus),
            alertmanager=f"127.0.0.1:{alertmanager}",
            key_file=str(key_file),
        )
        made.environment["SERVICE"] = service
        files = alertmanager_files(webhook=f"{told.url}/alerts", gather=1.0)
        (folder / "alertmanager").mkdir()
        await stack.enter_async_context(
            running_alertmanager(folder / "alertmanager", files, port=alertmanager, session=session)
        )
        quick = Pace(scrape=1.0, evaluate=1.0, patience=0.05)
        (folder / "prometheus").mkdir()
        prometheus = await stack.enter_async_context(
            running_prometheus(folder / "prometheus", prometheus_files(targets, pace=quick), session=session)
        )
        yield made, prometheus, told


def written(path: Path) -> Path:
    path.write_text(f"{KEY}\n", encoding="utf-8")
    return path


async def gateway(made: World, stack: AsyncExitStack) -> str:
    """Start a gateway to the model server, and return where it listens."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "serve-models", "--port", str(port)),
        env=made.environment,
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    stack.push_async_callback(killed, process)

    async def ready() -> bool:
        try:
            async with made.session.get(f"http://127.0.0.1:{port}/readyz") as reply:
                return reply.status == 200
        except aiohttp.ClientError:
            return False

    await until(ready, seconds=START_SECONDS, what="the gateway to be ready")
    return f"127.0.0.1:{port}"


async def exporter(stack: AsyncExitStack, text: str) -> str:
    service = await stack.enter_async_context(fake_service())
    service.paths["/metrics"] = Answer(text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})
    return service.url.removeprefix("http://")


def environment(folder: Path, web: str) -> dict[str, str]:
    prices = folder / "prices.toml"
    prices.write_text(PRICES, encoding="utf-8")
    named = {
        "DATA_DIR": str(folder / "data"),
        "FETCH__ALLOW_PRIVATE": "127.0.0.1/32",
        "SEARCH__PROVIDERS": "searxng",
        "SEARCH__SEARXNG__BASE_URL": web,
        "MODEL__NAME": "scripted",
        "MODEL__CONTEXT": "32768",
        "PRICES": str(prices),
        "SANDBOX": "off",
        "SCHOLAR__PROVIDERS": "",
        "EVENT_LOG": "jsonl://",
        "ADMISSION__USD_PER_DAY": "100",
        "METRICS__KEY": KEY,
    }
    given = {f"LEADLINE_{name}": value for name, value in named.items()}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **given}


async def research(made: World, prometheus: Prometheus) -> None:
    """Ask once Prometheus has seen the processes, and again, so that what runs count is seen to grow."""
    await prometheus.until('count(up{job=~"leadline-.+|vllm"} == 1) == 4', seconds=60)
    for number, question in enumerate(QUESTIONS):
        await ask(made, question)
        await through_the_gateway(made)
        await prometheus.until(f'sum(agent_requests_total{{status="success"}}) > {number}', seconds=30)


async def ask(made: World, question: str) -> None:
    url = f"{made.environment['SERVICE']}/v1/research"
    body = {"question": question, "web": True, "strategy": "react"}
    async with made.session.post(url, json=body) as reply:
        assert reply.status == 202, await reply.text()
        run = (await reply.json())["id"]

    async def done() -> bool:
        async with made.session.get(f"{url}/{run}") as reply:
            told = await reply.json()
        assert told["state"] not in {"failed", "cancelled"}, told
        return bool(told["state"] == "done")

    await until(done, seconds=90, what="the run to end")


async def through_the_gateway(made: World) -> None:
    body = {"model": "scripted", "messages": [{"role": "user", "content": "Say: ok"}], "max_tokens": 1}
    async with made.session.post(f"http://{made.gateway}/v1/chat/completions", json=body) as reply:
        assert reply.status == 200, await reply.text()


async def check_told(told: FakeService, alert: str, status: str) -> dict[str, Any]:
    """Return the alert as the webhook got it."""
    found: list[dict[str, Any]] = []

    async def came() -> bool:
        sent = [one for asked in told.asked for one in asked.json["alerts"]]
        found[:] = [one for one in sent if one["labels"]["alertname"] == alert and one["status"] == status]
        return bool(found)

    await until(came, seconds=90, what=f"{alert} to be {status}")
    return found[0]


def named(told: FakeService) -> set[str]:
    return {one["labels"]["alertname"] for asked in told.asked for one in asked.json["alerts"]}


async def test_a_killed_model_server_is_told_of_and_every_panel_has_data(tmp_path: Path) -> None:
    async with world(tmp_path) as (made, prometheus, told):
        await research(made, prometheus)
        await check_dashboards(prometheus)
        await check_told(told, "Watchdog", "firing")
        assert not named(told) & OF_MODELS, "nothing is broken yet"
        assert made.model is not None
        made.model.kill()
        alert = await check_told(told, "NoModelService", "firing")
        assert alert["labels"]["severity"] == "critical"
        assert alert["annotations"]["runbook_url"].endswith("/runbooks/no-model-service")
        [down] = await prometheus.query('ALERTS{alertname="ModelServiceDown", alertstate="firing"}')
        assert down["metric"]["job"] == "vllm"
        assert named(told) & OF_MODELS == {"NoModelService"}, "its symptoms are not told beside it"
