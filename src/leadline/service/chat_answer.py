"""How a chat completion is sent: whole, or as a stream that ends the run when its client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, NoReturn

from fastapi.responses import Response

from leadline import codec
from leadline.domain import RunState
from leadline.errors import LeadlineError, ServiceUnavailable, WrongState
from leadline.events import Record
from leadline.ports import Run
from leadline.research.report import from_json
from leadline.service import chat
from leadline.service.asgi import Receive, Scope, Send
from leadline.service.leaving import ClientGone
from leadline.service.problems import told as problem_told
from leadline.service.services import Services

RUN: Final = "X-Leadline-Run"
"""The header that names the run behind an answer."""

NO_RETRY: Final = {"x-should-retry": "false"}
"""What keeps OpenAI's clients from asking again, and so from starting a second run."""

_PIECE: Final = 1_000
_END: Final = b"data: [DONE]\n\n"
_BEAT: Final = b": still here\n\n"


class Answering:
    """The answer to one chat, made of its run."""

    def __init__(self, services: Services, run: Run, taken: chat.ChatTaken) -> None:
        self._services = services
        self._run = run
        self._taken = taken
        self._created = int(run.created_at)

    async def whole(self) -> dict[str, Any]:
        """Return the completion once the run ended. Raises what it ended with, `ServiceUnavailable` on leaving."""
        async with aclosing(self._events()) as events:
            async for _ in events:
                pass
        run, content, details = await self._ended()
        message = {"role": "assistant", "content": content, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        body = self._frame("chat.completion", [choice], usage=chat.usage_of(run.usage))
        return {**body, "leadline": details}

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the completion as server-sent events: what is done as reasoning, then the report."""
        yield self._chunk({"role": "assistant", "content": ""})
        async with aclosing(self._events()) as events:
            async for record in events:
                line = chat.told(record.event, self._run.question.language)
                if line:
                    yield self._chunk({"reasoning_content": line})
        run, content, details = await self._ended()
        for piece in _pieces(content):
            yield self._chunk({"content": piece})
        yield self._data({**self._frame("chat.completion.chunk", [_choice({}, finish="stop")]), "leadline": details})
        if self._taken.stream_options is not None and self._taken.stream_options.include_usage:
            yield self._data(self._frame("chat.completion.chunk", [], usage=chat.usage_of(run.usage)))
        yield _END

    async def cancel(self) -> None:
        """Stop the run: nobody waits for it any more."""
        with suppress(WrongState):
            await self._services.runs.cancel(self._run)

    async def _events(self) -> AsyncGenerator[Record]:
        """Yield the run's events until it ended. Raises `ServiceUnavailable` where this process leaves first."""
        leaving = self._services.leaving
        async with asyncio.TaskGroup() as group, aclosing(self._services.following.follow(self._run.id)) as items:
            gone = group.create_task(leaving.wait(), name="chat leaving")
            pending: asyncio.Task[Any] | None = None
            try:
                while True:
                    pending = group.create_task(_next(items), name="chat next")
                    await asyncio.wait({pending, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if not pending.done():
                        raise ServiceUnavailable(
                            f"this service is about to leave; the run goes on: GET /v1/research/{self._run.id}"
                        )
                    if pending.result() is None:
                        return
                    if isinstance(pending.result(), Record):
                        yield pending.result()
            finally:
                gone.cancel()
                if pending is not None:
                    pending.cancel()
                    await asyncio.wait({pending})

    async def _ended(self) -> tuple[Run, str, dict[str, Any]]:
        run = await self._services.runs.get(self._run.id, tenant=self._run.tenant)
        if run.state is RunState.WAITING:
            raise WrongState(f"run {run.id} waits for a person, whom a chat cannot ask")
        body = await self._services.evidence.report_body(run)
        content = (await self._services.evidence.form(run, "md")).decode()
        return run, content, chat.details_of(from_json(body))

    def _frame(self, object: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 JSON
        return {
            "id": f"chatcmpl-{self._run.id}",
            "object": object,
            "created": self._created,
            "model": self._taken.model,
            "choices": choices,
            **more,
        }

    def _chunk(self, delta: Mapping[str, Any]) -> bytes:
        return self._data(self._frame("chat.completion.chunk", [_choice(delta)]))

    @staticmethod
    def _data(body: Mapping[str, Any]) -> bytes:
        return b"data: %b\n\n" % codec.encode(body)


class ChatStream(Response):
    """A completion as a stream. Where the client goes, the run is cancelled."""

    media_type = "text/event-stream"

    def __init__(self, answering: Answering, *, run_id: str, heartbeat: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no", RUN: run_id})
        del self.headers["content-length"]
        self._answering = answering
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(receive), name="watch for the client")
                await self._write(scope, send)
                watching.cancel()
        except* ClientGone:
            await self._answering.cancel()

    async def _write(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with aclosing(beating(self._answering.chunks(), self._heartbeat)) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except* LeadlineError as failures:
            body = error_of(problem_told(_first(failures), scope))
            await send({"type": "http.response.body", "body": b"data: %b\n\n" % codec.encode(body), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def beating(source: AsyncGenerator[bytes], seconds: float) -> AsyncGenerator[bytes]:
    """Yield what comes, and a sign of life where nothing comes for so long."""
    async with asyncio.TaskGroup() as group, aclosing(source) as chunks:
        pending: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                pending = pending or group.create_task(_chunk_of(chunks), name="chat chunk")
                done, _ = await asyncio.wait({pending}, timeout=seconds)
                if not done:
                    yield _BEAT
                    continue
                chunk, pending = pending.result(), None
                if chunk is None:
                    return
                yield chunk
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.wait({pending})


def error_of(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return problem details as the API's clients read errors."""
    kind = "invalid_request_error" if problem["status"] < 500 else "server_error"
    return {"error": {"message": problem["detail"], "type": kind, "param": None, "code": problem["code"]}}


async def _next(items: AsyncGenerator[Any]) -> Any:  # noqa: ANN401 records, and live text
    return await anext(items, None)


async def _chunk_of(chunks: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _watch(receive: Receive) -> NoReturn:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone


def _choice(delta: Mapping[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "finish_reason": finish, "logprobs": None}


def _pieces(content: str) -> Iterator[str]:
    """Yield a text in pieces that end where a paragraph ends, or where they are long."""
    for part in content.splitlines(keepends=True):
        yield from (part[at : at + _PIECE] for at in range(0, len(part), _PIECE))


def _first(failures: BaseExceptionGroup[LeadlineError]) -> LeadlineError:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
