"""Which Redis holds what, in every way to deploy: what is counted or waits lies in none that forgets to make room."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from tests.support.models import free_port
from tests.support.waiting import PATIENT

from leadline.errors import ModelRateLimited
from leadline.limits.redis import RedisLedger
from leadline.limits.types import Limit
from leadline.model.budgets import Allowance
from leadline.model.budgets_redis import RedisBudgets
from leadline.ops.redis import LIMITS_USER, limits_user
from leadline.ops.topology.servers import redis_conf
from leadline.tasks.tickets.broker import QUEUE
from leadline.wire.redis import open_redis
from leadline.wiring.probe_places import look_at_redis

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MAY_FORGET = {"LEADLINE_CACHE"}
KEPT = {"LEADLINE_LIMITS", "LEADLINE_ENGINE"}
OWN = {"REDIS_QUEUE_PASSWORD": "a-word", "REDIS_LIMITS_PASSWORD": "another-word", "REDIS_CACHE_PASSWORD": "a-third"}


def places(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the machine of each Redis that variables name."""
    found = {}
    for name, value in variables.items():
        plain = re.sub(r"\$\{[^}]*\}", "x", str(value)).removeprefix("celery+")
        if plain.startswith("redis"):
            found[name] = urlsplit(plain).hostname or ""
    return found


def compose() -> Mapping[str, Any]:
    services: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))["services"]
    return services


def test_in_compose_nothing_that_counts_or_waits_may_be_forgotten() -> None:
    services = compose()
    policies = {
        name: re.search(r"--maxmemory-policy (\S+)", one["entrypoint"][-1])
        for name, one in services.items()
        if str(one.get("image", "")).startswith("redis")
    }
    seen: set[str] = set()
    for name, one in services.items():
        found = places(one.get("environment", {}))
        seen |= set(found)
        for variable in set(found) - MAY_FORGET:
            policy = policies[found[variable]]
            assert policy is not None, f"{found[variable]} says nothing of its policy"
            assert policy[1] == "noeviction", f"{variable} of {name} lies in {found[variable]}"
    assert seen == KEPT | MAY_FORGET


def test_elsewhere_no_manifest_says_where_a_redis_is_and_the_guide_names_two() -> None:
    paths = [path for folder in ("kubernetes", "systemd") for path in (DEPLOY / folder).rglob("*") if path.is_file()]
    assert len(paths) > 10
    for path in paths:
        assert not re.search(r"rediss?(\+\w+)?://", path.read_text("utf-8")), path.name
    guide = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    said = dict(re.findall(r"--from-literal=(engine|cache|limits)='([^']+)'", guide))
    found = places(said)
    assert set(found) == {"engine", "cache", "limits"}
    assert found["limits"] == found["engine"] != found["cache"]
    assert f"//{LIMITS_USER}:" in said["limits"]
    assert limits_user("PASSWORD").replace("user ", "ACL SETUSER ", 1) in guide.splitlines()


# ------------------------------------------------------------------------------------ who counts, and sees no queue


@contextmanager
def started(words: list[str], *, folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        environment = {"PATH": "/usr/bin:/bin", **OWN}
        server = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield
        assert server.poll() is None, (folder / "log").read_text()
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(params=["compose", "up"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """Return the port of the Redis of the queue, as compose or `leadline up` start it."""
    number = free_port()
    if request.param == "compose":
        start = compose()["redis-queue"]["entrypoint"][-1].replace("$$", "$")
        words = ["sh", "-c", f"{start} --bind 127.0.0.1 --port {number}"]
    else:
        counts = OWN["REDIS_LIMITS_PASSWORD"]
        text = redis_conf(port=number, password=OWN["REDIS_QUEUE_PASSWORD"], folder=tmp_path, counts=counts)
        (tmp_path / "redis.conf").write_text(text)
        words = ["redis-server", str(tmp_path / "redis.conf")]
    with started(words, folder=tmp_path):
        while not said(number).endswith("PONG"):
            pass
        yield number


def said(port: int) -> str:
    environment = {"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": OWN["REDIS_QUEUE_PASSWORD"]}
    asked = ["redis-cli", "-p", str(port), "ping"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip()


@pytest.mark.server("redis")
async def test_who_counts_limits_can_count_and_cannot_reach_the_queue(port: int) -> None:
    url = f"redis://{LIMITS_USER}:{OWN['REDIS_LIMITS_PASSWORD']}@127.0.0.1:{port}/1"
    failures: list[Exception] = []
    async with open_redis(url, seconds=PATIENT) as client:
        ledger = RedisLedger(client, failed=failures.append)
        limits = [Limit(key="service:x", rate=1.0)]
        first = await ledger.reserve(limits, taken={}, weight=1, within=60)
        second = await ledger.reserve(limits, taken={}, weight=1, within=60)
        assert second.wait > first.wait
        await ledger.refund(second.taken)
        await ledger.limited("service:x", seconds=5)
        budgets = RedisBudgets(client, [Allowance(tokens=100, seconds=3_600)], failed=failures.append)
        await budgets.reserve("t", tokens=90)
        await budgets.settle("t", reserved=90, used=80)
        with pytest.raises(ModelRateLimited):
            await budgets.reserve("t", tokens=30)
    assert failures == []
    assert (await look_at_redis(url)).policy == "noeviction"
    await refused(url)


async def refused(url: str) -> None:
    client: Redis = Redis.from_url(url)
    forbidden = (
        *(("LLEN", QUEUE), ("LPUSH", QUEUE, "x"), ("GET", "other"), ("HSET", "other", "a", "b"), ("DEL", QUEUE)),
        *(("KEYS", "*"), ("SCAN", "0"), ("FLUSHALL",), ("CONFIG", "GET", "requirepass"), ("ACL", "LIST"), ("MONITOR",)),
        ("EVAL", "return redis.call('LLEN', KEYS[1])", "1", QUEUE),
        ("CLIENT", "KILL", "TYPE", "normal"),
    )
    try:
        for words in forbidden:
            with pytest.raises(NoPermissionError):
                await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's has no types
    finally:
        await client.aclose()
