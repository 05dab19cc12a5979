"""A real Prometheus and a real Alertmanager of a test's own: free ports, own folders, killed at the end."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from leadline.ops.monitoring.dashboards import DASHBOARDS

START_SECONDS = 60
LOOK_SECONDS = 0.2


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def lay_down(folder: Path, files: Mapping[str, str]) -> None:
    """Write generated files where a server finds them."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float, what: str) -> None:
    """Wait for what another process does; a test fails by `what` where it does not in time."""
    try:
        async with asyncio.timeout(seconds):
            while not await true():  # noqa: ASYNC110 what is waited for is seen by asking alone
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what}") from None


class Prometheus:
    """A running server, asked by its API."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.url = f"http://127.0.0.1:{port}"

    async def fires(self) -> set[str]:
        """Return the alerts that fire, or are about to, but for the one that always does."""
        found = await self.query('ALERTS{alertname!="Watchdog"}')
        return {series["metric"]["alertname"] for series in found}

    async def query(self, text: str) -> list[dict[str, Any]]:
        """Return the series of a query; an error of it fails."""
        async with self._session.post(f"{self.url}/api/v1/query", data={"query": text}) as reply:
            body = await reply.json()
        assert body["status"] == "success", (text, body)
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    async def until(self, text: str, *, seconds: float) -> None:
        """Wait for a query to have a number as an answer."""

        async def has() -> bool:
            return any(not math.isnan(float(series["value"][1])) for series in await self.query(text))

        await until(has, seconds=seconds, what=text)


async def check_dashboards(prometheus: Prometheus, *, without: Collection[str] = ()) -> None:
    """Every query of every panel is one that Prometheus takes, and has data but for rows `without` their source."""
    rows = [row for dashboard in DASHBOARDS for row in dashboard.rows]
    for row in rows:
        for query, rare in [(one.query, panel.rare) for panel in row.panels for one in panel.queries]:
            if rare or row.title in without:
                await prometheus.query(query)
            else:
                await prometheus.until(query, seconds=60)


@asynccontextmanager
async def _running(
    words: Sequence[str], *, url: str, folder: Path, session: aiohttp.ClientSession
) -> AsyncIterator[None]:
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*words, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:

        async def ready() -> bool:
            assert process.returncode is None, (folder / "log").read_text("utf-8")[-2_000:]
            try:
                async with session.get(f"{url}/-/ready") as reply:
                    return reply.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, seconds=START_SECONDS, what=f"{words[0]} to be ready")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def running_prometheus(
    folder: Path, files: Mapping[str, str], *, session: aiohttp.ClientSession
) -> AsyncIterator[Prometheus]:
    """Yield a Prometheus of these files."""
    port = free_port()
    await asyncio.to_thread(lay_down, folder, files)
    words = (
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        # What is told before Prometheus has found its Alertmanager is told again a minute later, by itself.
        "--rules.alert.resend-delay=2s",
    )
    server = Prometheus(session, port)
    async with _running(words, url=server.url, folder=folder, session=session):
        yield server


@asynccontextmanager
async def running_alertmanager(
    folder: Path, files: Mapping[str, str], *, port: int, session: aiohttp.ClientSession
) -> AsyncIterator[None]:
    """Run an Alertmanager of these files."""
    await asyncio.to_thread(lay_down, folder, files)
    words = (
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    async with _running(words, url=f"http://127.0.0.1:{port}", folder=folder, session=session):
        yield
