"""The scripted server as a process of its own, and the network plugin in a pytest of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from leadline.domain import Message, ModelRequest
from leadline.model.openai_api import OpenAIModel


async def test_a_server_process_answers_and_counts(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"rules": [{"turn": 0, "reply": {"text": "hello"}}]}))
    command = [sys.executable, "-m", "leadline.testing.server", str(script)]
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert server.stdout is not None
        url = (await asyncio.wait_for(server.stdout.readline(), 20)).decode().strip()
        request = ModelRequest(messages=(Message(role="user", content="?"),), model="m")
        for _ in range(2):
            async with OpenAIModel(url) as model:
                assert (await model.complete(request, deadline=5, session="s")).text == "hello"
        async with aiohttp.ClientSession() as session, session.get(url.replace("/v1", "/_scripted")) as reply:
            told = await reply.json()
        assert list(told["counts"].values()) == [2]
        assert [asked["complete"] for asked in told["requests"]] == [True, True]
    finally:
        server.terminate()
        await server.wait()


async def test_the_plugin_closes_the_network(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("import socket\ndef test_it():\n    socket.create_connection(('192.0.2.1', 80), timeout=0.2)\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "leadline.testing.pytest_plugin",
        "-p",
        "no:socket",
        "-p",
        "no:cacheprovider",
    ]
    run = await asyncio.create_subprocess_exec(*command, str(test), stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
    output, _ = await run.communicate()
    assert b"NetworkForbidden" in output
    opened = await asyncio.create_subprocess_exec(
        *command, "--allow-network", "192.0.2.0/24", str(test), stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    output, _ = await opened.communicate()
    assert b"NetworkForbidden" not in output
    assert b"1 failed" in output
