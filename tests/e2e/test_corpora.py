"""Corpora over processes of their own: who reads is killed, and another one, with other folders, goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.e2e.test_serve import serving
from tests.support.service import Client

QUESTION = "When was the Falkenstein lock opened?"
LOCK = b"# Falkenstein lock\n\nThe Falkenstein lock was opened in 1911.\n"
POSTGRES = pytest.param("postgres", marks=[pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")])
MANY = 30
SECONDS = 90


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture(params=["sqlite", POSTGRES])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What two services share: a folder of one machine, or a database and bodies alone."""
    if request.param == "sqlite":
        return {"data_dir": str(tmp_path / "data")}
    url: str = request.getfixturevalue("postgres").store()
    program = "import sys; from leadline.accounts import migrations; migrations.up(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, url], check=True)
    return {"store": url, "blobs": f"file://{tmp_path / 'blobs'}"}


async def corpus_at(client: Client, corpus: str) -> Any:
    answer = await client.get(f"/v1/corpora/{corpus}")
    assert answer.status == 200, answer.raw
    return answer.body


@pytest.mark.timeout(240)
async def test_a_service_that_is_killed_while_it_reads_is_followed_by_another(
    shared: dict[str, str], tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    settings = {"tasks__lease_seconds": "2", "sandbox": "off", "admission__key_rate": "none", **shared}
    async with AsyncExitStack() as stack:
        reader, _ = await stack.enter_async_context(serving(tmp_path / "one", **settings, corpora__readers="1"))
        _, url = await stack.enter_async_context(serving(tmp_path / "two", **settings, corpora__readers="0"))
        client = Client(session, url)
        made = await client.post("/v1/corpora", {"name": "papers"})
        assert made.status == 201, made.raw
        corpus = made.body["id"]
        path = f"/v1/corpora/{corpus}/documents"
        reader.send_signal(signal.SIGSTOP)  # so that it does not read as fast as they come
        for number in range(MANY):
            body = f"Part {number} of many. ".encode() * 20_000
            assert (await client.ask("PUT", f"{path}/{number:02}.txt", body)).status == 200
        assert (await client.ask("PUT", f"{path}/lock.md", LOCK)).status == 200
        reader.send_signal(signal.SIGCONT)
        async with asyncio.timeout(SECONDS):
            while not (await corpus_at(client, corpus))["ready"]:  # noqa: ASYNC110 another process reads
                await asyncio.sleep(0.01)
        reader.send_signal(signal.SIGKILL)
        await reader.wait()
        left = await corpus_at(client, corpus)
        assert left["queued"] + left["reading"] > 0, "it was killed too late to show anything"
        async with asyncio.timeout(SECONDS):
            run_id = await client.research(QUESTION, corpora=[corpus])
            assert (await client.ended(run_id))["state"] == "done"
        found = await corpus_at(client, corpus)
        assert (found["ready"], found["failed"], found["documents"]) == (MANY + 1, 0, MANY + 1)
        report = (await client.get(f"/v1/research/{run_id}/report")).body
        assert [source["uri"] for source in report["sources"]] == [f"document:{corpus}/lock.md"]
