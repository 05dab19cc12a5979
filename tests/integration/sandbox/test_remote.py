"""The executor elsewhere, against a server that answers well, badly, late and far too much."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from leadline.errors import InvalidArguments, ToolFailed
from leadline.ports import Program
from leadline.sandbox.remote import RemoteSandbox
from leadline.sandbox.types import Limits

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
GOOD = {"stdout": "42\n", "stderr": "", "exit": 0, "files": {"a.txt": base64.b64encode(b"hi").decode()}}


class Executor:
    """Keeps what it was asked; answers what a test wants."""

    def __init__(self) -> None:
        self.answer: Answer = self.good
        self.asked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers = dict(request.headers)
        return await self.answer(request)

    async def good(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        return web.json_response(GOOD)


@pytest.fixture
async def executor() -> AsyncIterator[tuple[Executor, str]]:
    executor = Executor()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/python", executor.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield executor, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    executor.ended.set()
    await runner.cleanup()


async def test_a_program_goes_and_its_result_comes(executor: tuple[Executor, str]) -> None:
    served, address = executor
    async with RemoteSandbox(address, limits=Limits(), key="k") as sandbox:
        ran = await sandbox.run(
            Program(code="print(42)", files={"in.bin": b"\0\xff"}, timeout=3, session="r1", tenant="acme")
        )
    assert (ran.stdout, ran.exit, ran.killed_by, ran.truncated) == ("42\n", 0, None, ())
    assert [(file.name, file.data, file.media_type) for file in ran.files] == [("a.txt", b"hi", "text/plain")]
    assert served.asked == [{"code": "print(42)", "timeout": 3, "files": {"in.bin": "AP8="}, "session": "r1"}]
    assert served.headers["Authorization"] == "Bearer k"
    assert served.headers["Leadline-Tenant"] == "acme"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({**GOOD, "killed_by": "time", "exit": 137}, ("time", ())),
        ({**GOOD, "killed_by": "<script>"}, (None, ())),
        ({**GOOD, "truncated": ["stdout", "else"]}, (None, ("stdout",))),
        ({**GOOD, "stdout": "x" * (300 << 10)}, (None, ("stdout",))),
        ({**GOOD, "files": {"../a": ""}}, (None, ("files",))),
        ({**GOOD, "files": None}, (None, ())),
    ],
)
async def test_what_it_says_is_bounded(
    executor: tuple[Executor, str], answer: dict[str, Any], expected: tuple[Any, Any]
) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        return web.json_response(answer)

    served.answer = say
    async with RemoteSandbox(address, limits=Limits()) as sandbox:
        ran = await sandbox.run(Program(code="x"))
    assert (ran.killed_by, ran.truncated) == expected
    assert len(ran.stdout) <= Limits().output


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"stdout": 1, "stderr": "", "exit": 0}',
        "<html>",
        '{"stdout": "", "stderr": "", "exit": "x"}',
        '{"stdout": "", "stderr": "", "exit": 0, "files": {"a": "%%%"}}',
    ],
)
async def test_other_shapes_are_failures(executor: tuple[Executor, str], body: str) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    served.answer = say
    async with RemoteSandbox(address, limits=Limits()) as sandbox:
        with pytest.raises(ToolFailed, match="wrong shape"):
            await sandbox.run(Program(code="x"))


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
async def test_other_answers_are_failures(executor: tuple[Executor, str], status: int) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/python"}, text="secret")

    served.answer = say
    async with RemoteSandbox(address, limits=Limits()) as sandbox:
        with pytest.raises(ToolFailed, match=str(status)) as failed:
            await sandbox.run(Program(code="x"))
    assert "secret" not in str(failed.value)


async def test_a_refusal_is_for_the_model(executor: tuple[Executor, str]) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        return web.json_response({"title": "no", "detail": "too\nlong"}, status=422)

    served.answer = say
    async with RemoteSandbox(address, limits=Limits()) as sandbox:
        with pytest.raises(InvalidArguments, match="too long"):
            await sandbox.run(Program(code="x"))


async def test_an_answer_without_end_is_a_failure(executor: tuple[Executor, str]) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    served.answer = say
    async with RemoteSandbox(address, limits=Limits(output=1024, files_out=4096)) as sandbox:
        with pytest.raises(ToolFailed, match="larger than"):
            await sandbox.run(Program(code="x"))


async def test_an_executor_that_does_not_answer_is_a_failure(
    executor: tuple[Executor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, address = executor

    async def say(request: web.Request) -> web.StreamResponse:
        await served.ended.wait()
        return web.Response()

    served.answer = say
    monkeypatch.setattr("leadline.sandbox.remote._GRACE_SECONDS", 0.1)
    async with RemoteSandbox(address, limits=Limits()) as sandbox:
        with pytest.raises(ToolFailed, match="did not answer"):
            await sandbox.run(Program(code="x", timeout=0.1))
