"""The event log as operators set it: a worker that ships beside its runs, the command, Kafka that goes and comes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from tests.contract.test_run_store import eventually
from tests.support.kafka import MockCluster, running_mock_cluster
from tests.support.s3 import KEY, SECRET, running_s3

from leadline import Leadline
from leadline.domain import RunState
from leadline.ports import Lag
from leadline.settings import load
from leadline.wiring.shipping import opened_log

QUESTION = "When was the first lighthouse on the Eddystone lit?"
TEXT = "The first lighthouse on the Eddystone Rocks was lit in 1698. It was built by Henry Winstanley.\n"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "eddystone.md").write_text(TEXT * 3, encoding="utf-8")
    return folder


def program(data: Path, log: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from leadline.cli.main import main; raise SystemExit(main())", *arguments],
        env={"LEADLINE_DATA_DIR": str(data), "LEADLINE_EVENT_LOG": log, "HOME": "/nonexistent", "PATH": "/usr/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def numbers(values: list[bytes]) -> dict[str, list[int]]:
    """Return the numbers of each run without repetitions, in the order of their first coming."""
    found: dict[str, dict[int, None]] = {}
    for value in values:
        event = orjson.loads(value)
        found.setdefault(event["run"], {})[event["seq"]] = None
    return {run: list(seqs) for run, seqs in found.items()}


def test_the_command_ships_what_a_question_left(tmp_path: Path, documents: Path) -> None:
    data, log = tmp_path / "data", f"jsonl://{tmp_path}/log.jsonl"
    assert program(data, "off", "ship").returncode == 2
    asked = program(data, log, "ask", QUESTION, "--docs", str(documents), "-o", str(tmp_path / "report.md"))
    assert asked.returncode == 0, asked.stderr
    assert not (tmp_path / "log.jsonl").exists()
    assert "events behind" in program(data, log, "ship", "--status").stdout
    shipped = program(data, log, "ship")
    assert shipped.stdout.startswith("shipped "), shipped.stderr
    assert "nothing is behind" in program(data, log, "ship", "--status").stdout
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines()
    assert f"shipped {len(lines)} events\n" == shipped.stdout
    assert orjson.loads(lines[-1])["type"] == "run_finished"
    assert b"Eddystone" not in b"".join(lines)
    assert program(data, log, "ship").stdout == "shipped 0 events\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with running_mock_cluster() as running:
        yield running


@pytest.mark.xdist_group("kafka")
async def test_runs_go_on_while_kafka_is_away_and_it_hears_of_all_of_them(
    tmp_path: Path, documents: Path, cluster: MockCluster
) -> None:
    settings = await asyncio.to_thread(
        load,
        environ={"LEADLINE_DATA_DIR": str(tmp_path / "data"), "LEADLINE_EVENT_LOG": f"kafka://{cluster.brokers}/runs"},
    )
    stop = asyncio.Event()
    async with Leadline(settings) as engine, opened_log(settings) as log, asyncio.TaskGroup() as group:

        async def asked() -> str:
            run = await engine.start(QUESTION, docs=[documents], carry=False)

            async def ended() -> bool:
                return (await engine.run(run)).state is RunState.DONE

            await eventually(ended, within=20)
            return run

        async def all_shipped() -> bool:
            return await log.lag() == Lag()

        worker = group.create_task(engine.work(concurrency=2, stop=stop))
        runs = [await asked()]
        await eventually(all_shipped, within=20)
        cluster.freeze()
        try:
            runs += [await asked(), await asked()]
            behind = await log.lag()
            assert behind.rows > 10
            assert behind.seconds > 0
        finally:
            cluster.thaw()
        runs.append(await asked())
        await eventually(all_shipped, within=40)
        stop.set()
        await worker
        lasts = {run: (await engine.run(run)).last_seq for run in runs}
    values = [value for _, value in await asyncio.to_thread(cluster.read, "runs", least=sum(lasts.values()))]
    assert numbers(values) == {run: list(range(1, last + 1)) for run, last in lasts.items()}


@pytest.mark.xdist_group("s3")
async def test_a_whole_run_over_a_bucket(tmp_path: Path, documents: Path) -> None:
    """Every text that a run stores goes to the bucket, and the helpers that rank and verify read it from there."""
    with running_s3(tmp_path) as server:
        settings = await asyncio.to_thread(
            load,
            environ={
                "LEADLINE_DATA_DIR": str(tmp_path / "data"),
                "LEADLINE_BLOBS": "s3://tests/bodies",
                "LEADLINE_S3__ENDPOINT": server.endpoint,
                "LEADLINE_S3__ACCESS_KEY": KEY,
                "LEADLINE_S3__SECRET_KEY": SECRET,
            },
        )
        async with Leadline(settings) as engine:
            run = await engine.start(QUESTION, docs=[documents])
            report = await engine.result(run)
            assert "1698" in report.answer
            assert (await engine.verify(run)).ok
            assert (await engine.replay(run)) == report
        assert not (tmp_path / "data" / "blobs").exists()
        assert len(list((tmp_path / "data" / "copies").rglob("*"))) > 2
