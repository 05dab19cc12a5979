"""The whole of it as an operator has it: what `leadline up` starts, a web, a model server and a pager beside it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
from tests.support.monitoring import Prometheus, free_port, until
from tests.support.services import FakeService, fake_service
from tests.support.topology import PROGRAM, Machine, Result, machine, row

from leadline.client import AsyncClient
from leadline.client.http import Sent
from leadline.client.shapes import RunView
from leadline.domain import RunState
from leadline.events import RunFinished
from leadline.testing import HostileWeb, WebPage
from leadline.testing.web import WebRequest

QUESTION = "When was the lighthouse at Skerryvore first lit?"
ROOT = Path(__file__).resolve().parents[2]
LIT = "<p>The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.</p>"
PRICES = '["scripted"]\nprompt = 1.0\ncompletion = 2.0\n'
MODEL_DELAY = "1.5"
"""Seconds before each answer of the model, so that runs are under way when something breaks."""
SLOTS = "2"
"""Runs of each worker at a time: four at once keep both busy."""
SECONDS = 240.0


@dataclass
class ModelServer:
    """A model server of its own process, at one address for all its lives."""

    page: str
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.model_child", self.page, str(self.port), MODEL_DELAY),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        assert await asyncio.wait_for(self.process.stdout.readline(), SECONDS), "the model server did not start"

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@dataclass
class Whole:
    """All of it, up. `client` has a key of a tenant, `operator` one of who runs the service."""

    here: Machine
    model: ModelServer
    pager: FakeService
    prometheus: Prometheus
    client: AsyncClient
    operator: AsyncClient
    up: str
    asked: list[str] = field(default_factory=list)

    # -- research

    async def start(self, count: int) -> list[str]:
        """Ask through the balancer; return the runs once one is worked on."""
        first = len(self.asked)
        found = [
            await self.client.start(
                f"{QUESTION} ({number})", web=True, strategy="react", usd=1.0, idempotency_key=f"question-{number}"
            )
            for number in range(first, first + count)
        ]
        self.asked += [run.id for run in found]

        async def running() -> bool:
            return bool((await self.client.runs(state=RunState.RUNNING)).items)

        await until(running, seconds=SECONDS, what="a run to be worked on")
        return [run.id for run in found]

    async def ended(self, runs: Sequence[str], *, partial: bool = False) -> list[RunView]:
        """Wait for the end of runs, each of which is done and has its report: an answer, but where it is `partial`."""
        async with asyncio.timeout(SECONDS):
            found = [await self.client.wait(run) for run in runs]
        for run in found:
            assert run.state is RunState.DONE, (run.id, run.state, run.stop_reason, run.failure)
            assert run.has_report
            report = await self.client.report(run.id)
            assert partial or (run.stop_reason, bool(report.answer)) == ("answered", True), (run, report)
        return found

    async def check_nothing_lost_or_doubled(self) -> None:
        """The service knows the runs that were asked for and no others; each ended once, its journal whole."""
        known: list[str] = []
        page = await self.client.runs(limit=10)
        known += [run.id for run in page.items]
        while page.next is not None:
            page = await self.client.runs(limit=10, cursor=page.next)
            known += [run.id for run in page.items]
        assert sorted(known) == sorted(self.asked)
        for run in known:
            records = [record async for record in self.client.journal(run)]
            assert [record.seq for record in records] == list(range(1, len(records) + 1))
            assert Counter(type(record.event) for record in records)[RunFinished] == 1

    async def check_link(self, run: str) -> None:
        """Whoever has a link to a report gets it through the balancer without a key."""
        made = await self.client.http.ask(Sent(method="POST", path=f"/v1/research/{run}/shares", json={"days": 1}))
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=row(self.up, "certificate"))
        headers = {"X-Leadline-Share": json.loads(made.body)["token"]}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{row(self.up, 'url')}/v1/shared/report", headers=headers, ssl=tls) as reply,
        ):
            assert reply.status == 200, await reply.text()
            assert (await reply.json())["answer"]

    # -- what tells of faults

    async def doctor(self) -> tuple[int, dict[str, str]]:
        """Return the exit code of `leadline doctor` under the topology's settings, and what fails, with why."""
        found = await self.under("doctor", "--json", "--paid")
        assert found.out, found.err
        return found.code, failures(json.loads(found.out))

    async def diagnostics(self) -> dict[str, str]:
        """Return what a service says of itself to who runs it."""
        reply = await self.operator.http.ask(Sent(method="GET", path="/v1/diagnostics", params={"paid": "true"}))
        return failures(json.loads(reply.body))

    async def database(self, name: str) -> None:
        """Make an empty database beside the one in use."""
        url = (await self.shell('printf %s "$LEADLINE_STORE"')).out
        connection: Any = await asyncpg.connect(url)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()

    async def under(self, *words: str) -> Result:
        """Run a command under the settings of the topology."""
        return await self.shell('exec "$0" "$@"', PROGRAM, *words)

    async def shell(self, script: str, *words: str) -> Result:
        """Run a line of a shell that has read the settings of the topology; `$0` is the first of `words`."""
        named = row(self.up, "settings")
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"set -a; . {shlex.quote(named)}; set +a; {script}", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.here.environment,
        )
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())

    def paged(self, since: int) -> list[dict[str, Any]]:
        """Return the alerts that the webhook was told of since then, but for the one that always fires."""
        sent = [one for asked in self.pager.asked[since:] for one in asked.json["alerts"] if one["status"] == "firing"]
        return [one["labels"] for one in sent if one["labels"]["alertname"] != "Watchdog"]

    async def check_green(self) -> None:
        """Nothing fires, nothing fails, every part answers."""

        async def quiet() -> bool:
            return not await self.prometheus.fires()

        await until(quiet, seconds=SECONDS, what="no alert to fire")
        for found in (await self.doctor(), (0, await self.diagnostics())):
            assert found == (0, {}), found
        status = await self.here.leadline("status")
        assert status.code == 0, (status.out, status.err)


def failures(diagnosis: dict[str, Any]) -> dict[str, str]:
    """Return the checks that fail, by name, with their causes."""
    found: dict[str, str] = {}
    for name, check in diagnosis["checks"].items():
        parts = {name: check} if "status" in check else {f"{name}.{part}": one for part, one in check.items()}
        found |= {part: one["error"] for part, one in parts.items() if one["status"] == "unhealthy"}
    return found


@asynccontextmanager
async def whole(folder: Path) -> AsyncIterator[Whole]:
    """Bring all of it up."""
    async with AsyncExitStack() as stack:
        page = f"<html><body><main>{LIT * 3}</main></body></html>".encode()

        def hits(request: WebRequest) -> WebPage:
            del request
            found = {"results": [{"url": f"{address}/lit", "title": "Skerryvore", "content": "1844"}]}
            return WebPage(body=json.dumps(found).encode(), content_type="application/json")

        web = await stack.enter_async_context(HostileWeb({"/lit": WebPage(body=page), "/search": hits}))
        address = f"http://127.0.0.1:{web.port}"
        model = ModelServer(f"{address}/lit")
        stack.push_async_callback(model.kill)
        await model.start()
        pager = await stack.enter_async_context(fake_service())
        here = await stack.enter_async_context(machine(folder, environment(folder, web=address, model=model.url)))
        words = ("--port", str(free_port()), "--watch-every", "2", "--alerts-to", f"{pager.url}/")
        up = await here.leadline("up", *words)
        assert up.code == 0, up.err
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Whole(
            here=here,
            model=model,
            pager=pager,
            prometheus=Prometheus(session, urlsplit(row(up.out, "prometheus")).port or 0),
            client=await stack.enter_async_context(_client(up.out, row(up.out, "key"))),
            operator=AsyncClient(row(up.out, "url")),
            up=up.out,
        )
        key = await made.under("keys", "create", "--tenant", "local", "--name", "operator", "--role", "admin")
        assert key.code == 0, key.err
        made.operator = await stack.enter_async_context(_client(up.out, key.out.split()[-1]))
        yield made


def _client(up: str, key: str) -> AsyncClient:
    return AsyncClient(row(up, "url"), key=key, ca=Path(row(up, "certificate")))


def environment(folder: Path, *, web: str, model: str) -> dict[str, str]:
    """Return the settings that an operator makes before `leadline up`."""
    prices = folder / "prices.toml"
    prices.write_text(PRICES, encoding="utf-8")
    prices.chmod(0o644)
    named = {
        "FETCH__ALLOW_PRIVATE": "127.0.0.1/32",
        "SEARCH__PROVIDERS": "searxng",
        "SEARCH__SEARXNG__BASE_URL": web,
        "MODEL__URLS": model,
        "MODEL__NAME": "scripted",
        "MODEL__CONTEXT": "32768",
        "PRICES": str(prices),
        "SANDBOX": "off",
        "SCHOLAR__PROVIDERS": "",
        "EVENT_LOG": "jsonl://",
        "ADMISSION__USD_PER_DAY": "100",
        "TASKS__LEASE_SECONDS": "10",
        "WORKER__CONCURRENCY": SLOTS,
    }
    return {f"LEADLINE_{name}": value for name, value in named.items()}


def kill(pid: int) -> None:
    """End a process without a word."""
    os.kill(pid, signal.SIGKILL)
