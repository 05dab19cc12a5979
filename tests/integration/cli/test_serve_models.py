"""`leadline serve-models` and `vllm-command` as a person starts them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leadline.model.vllm.command import REFERENCE, VllmServer, shell_lines
from leadline.settings import load
from leadline.testing import Reply, ScriptedServer

ROOT = Path(__file__).parents[3]
BODY = {"model": "scripted", "messages": [{"role": "user", "content": "Where?"}]}

pytestmark = pytest.mark.blocking("starts processes and writes small files")


@asynccontextmanager
async def serving(folder: Path, *urls: str, **values: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run the program; yield its base URL and its process."""
    env = {**os.environ, "LEADLINE_MODEL__URLS": ",".join(urls), "LEADLINE_MODEL__NAME": "scripted"}
    env |= {"LEADLINE_DATA_DIR": str(folder / "data"), "LEADLINE_MODEL__PROBE": "none"} | values
    program = Path(sys.executable).with_name("leadline")
    process = await asyncio.create_subprocess_exec(
        program, "serve-models", "--port", "0", env=env, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), 15)).decode()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0], process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(http: aiohttp.ClientSession, url: str, key: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with http.post(f"{url}/chat/completions", json=BODY, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_servers_stand_behind_one_address_and_answers_end_before_it_stops(tmp_path: Path) -> None:
    slow = Reply(text="Here.", first_delay=0.6, streams=False)
    async with (
        ScriptedServer(lambda asked: slow) as one,
        ScriptedServer(lambda asked: slow) as two,
        serving(tmp_path, one.url, two.url) as (url, process),
        aiohttp.ClientSession() as http,
    ):
        waiting = asyncio.get_running_loop().create_task(ask(http, url))
        await asyncio.wait({asyncio.ensure_future(s.asked()) for s in (one, two)}, return_when=asyncio.FIRST_COMPLETED)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        # The log has a thread of its own: either line may come first.
        said = [await asyncio.wait_for(process.stderr.readline(), 15) for _ in range(2)]
        assert b"service_leaving" in b"".join(said)
        assert b"may end" in b"".join(said)
        async with http.get(url.removesuffix("/v1") + "/readyz") as answer:
            assert answer.status == 503
        status, refused = await ask(http, url)
        assert (status, refused["error"]["code"]) == (503, "draining")
        status, body = await waiting
        assert (status, body["choices"][0]["message"]["content"]) == (200, "Here.")
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_clients_have_keys_and_budgets(tmp_path: Path, leadline: Any) -> None:
    made = await asyncio.to_thread(leadline, "serve-models", "--new-key")
    key = made.stdout.strip()
    assert key not in made.stderr
    told = re.search(r"keys = .*", made.stderr)
    assert told is not None
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(f"[team]\n{told[0]}\nrequests = 2\n", encoding="utf-8")
    async with (
        ScriptedServer(lambda asked: Reply(text="Here.", streams=False)) as server,
        serving(tmp_path, server.url, LEADLINE_GATEWAY__TENANTS=str(tenants)) as (url, process),
        aiohttp.ClientSession() as http,
    ):
        assert (await ask(http, url))[0] == 401
        assert [(await ask(http, url, key))[0] for _ in range(3)] == [200, 200, 429]
        async with http.get(url.removesuffix("/v1") + "/metrics", headers={"Authorization": f"Bearer {key}"}) as answer:
            assert 'leadline_gateway_requests_total{outcome="answered"} 2' in await answer.text()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)


async def test_keys_of_accounts_open_the_models_as_they_open_the_service(tmp_path: Path, leadline: Any) -> None:
    def made(*more: str) -> str:
        return str(leadline("keys", "create", *more).stdout.split()[0])

    key = await asyncio.to_thread(made, "--name", "me", "--role", "researcher")
    reader = await asyncio.to_thread(made, "--name", "it", "--role", "reader")
    async with (
        ScriptedServer(lambda asked: Reply(text="Here.", streams=False)) as server,
        serving(tmp_path, server.url) as (url, _),
        aiohttp.ClientSession() as http,
    ):
        assert [(await ask(http, url, shown))[0] for shown in ("", "ll_wrong", reader, key)] == [401, 401, 403, 200]


async def test_an_unhealthy_server_is_a_line_of_the_log(tmp_path: Path) -> None:
    async with (
        ScriptedServer(lambda asked: Reply(text="Here.", streams=False)) as server,
        serving(tmp_path, "http://127.0.0.1:1/v1", server.url) as (url, process),
        aiohttp.ClientSession() as http,
    ):
        for _ in range(8):
            assert (await ask(http, url))[0] == 200
        for number in range(40):  # other sessions, until three of them met the dead one
            async with http.post(f"{url}/chat/completions", json=BODY | {"user": f"u{number}"}) as answer:
                assert answer.status == 200
        assert process.stderr is not None
        line = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))
        assert (line["event"], line["level"]) == ("model_server_unhealthy", "warning")
        assert line["server"] == "http://127.0.0.1:1/v1"
        assert line["reason"]


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "no server to stand before"),
        ({"LEADLINE_MODEL__URLS": "http://a/v1", "LEADLINE_MODEL__NAME": "m", "LEADLINE_GATEWAY__HOST": "0.0.0.0"}, "without keys"),  # noqa: S104 refused
        ({"LEADLINE_MODEL__URLS": "http://a/v1", "LEADLINE_MODEL__NAME": "m", "LEADLINE_MODEL__KIND": "anthropic"}, "must be `openai`"),
    ],
)  # fmt: skip
def test_what_it_will_not_do(leadline: Any, env: dict[str, str], says: str) -> None:
    result = leadline("serve-models", env=env)
    assert (result.returncode, says in result.stderr) == (3, True), result.stderr


# --- vllm-command --------------------------------------------------------------------------------


def test_the_shipped_example_is_the_reference_field_by_field() -> None:
    shipped = load(config=ROOT / "examples" / "vllm.toml", environ={}).vllm
    for name in VllmServer.__dataclass_fields__:
        assert getattr(shipped, name) == getattr(REFERENCE, name), name


def test_it_prints_what_the_settings_say(leadline: Any) -> None:
    config = ("--config", str(ROOT / "examples" / "vllm.toml"))
    shell = leadline("vllm-command", *config)
    assert shell.stdout == shell_lines(REFERENCE)
    assert "LEADLINE_MODEL__URLS=http://127.0.0.1:8000/v1" in shell.stderr
    assert "Restart=on-failure" in leadline("vllm-command", *config, "--systemd").stdout
    kubernetes = leadline("vllm-command", *config, "--kubernetes", "--replicas", "2", "--namespace", "ai")
    assert "kind: StatefulSet" in kubernetes.stdout
    urls = "http://vllm-0.vllm.ai.svc:8000/v1,http://vllm-1.vllm.ai.svc:8000/v1"
    assert f"LEADLINE_MODEL__URLS={urls}" in kubernetes.stderr


def test_the_section_comes_from_the_environment_too(leadline: Any) -> None:
    env = {"LEADLINE_VLLM__ARGUMENTS": json.dumps(["--seed", "7"]), "LEADLINE_VLLM__KEYED": "false"}
    shown = leadline("vllm-command", "--model", "/models/mine", env=env)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("vllm serve /models/mine")
    assert shown.stdout.rstrip().endswith("--seed 7")


def test_without_a_model_it_says_where_to_name_one(leadline: Any) -> None:
    result = leadline("vllm-command")
    assert (result.returncode, "`vllm.model` is not set" in result.stderr) == (3, True)


def test_a_window_that_the_model_does_not_have_is_refused(leadline: Any) -> None:
    asked = ("vllm-command", "--model", "Qwen/Qwen2.5-32B-Instruct")
    env = {"LEADLINE_VLLM__MAX_MODEL_LEN": "131072"}
    refused = leadline(*asked, env=env)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "set `vllm.max_model_len` to 32768 or less, or `vllm.rope_theta` to 1000000" in refused.stderr
    stretched = leadline(*asked, env=env | {"LEADLINE_VLLM__ROPE_THETA": "1000000"})
    assert stretched.returncode == 0, stretched.stderr
    assert '"rope_type":"yarn"' in stretched.stdout
