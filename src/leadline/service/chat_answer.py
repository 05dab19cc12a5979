"""How a chat completion is sent: whole, or as a stream that ends the run when its client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, NoReturn

from fastapi.responses import Response

from leadline import codec
from leadline.domain import RunState
from leadline.errors import LeadlineError, ServiceUnavailable, WrongState
from leadline.events import Progress, Record
from leadline.ports import Run
from leadline.research.reporting.report import from_json
from leadline.resilience import Owned
from leadline.service import chat
from leadline.service.asgi import Receive, Scope, Send
from leadline.service.leaving import ClientGone
from leadline.service.problems import openai_error
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
    """The answer to one chat, made of its run. `check` raises `AccessError` where the client may not read on."""

    def __init__(
        self, services: Services, run: Run, taken: chat.ChatTaken, *, check: Callable[[], Awaitable[None]]
    ) -> None:
        self._services = services
        self._run = run
        self._taken = taken
        self._check = check
        self._created = int(run.created_at)

    async def whole(self) -> dict[str, Any]:
        """Return the completion once the run ended. Raises what it ended with, `ServiceUnavailable` on leaving."""
        async with aclosing(self._events(beat=None)) as events:
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
        async with aclosing(self._events(beat=self._services.settings.service.heartbeat_seconds)) as events:
            async for record in events:
                await self._check()
                line = "" if record is None else chat.told(record.event, self._run.question.language)
                if line or record is None:
                    yield self._chunk({"reasoning_content": line}) if line else _BEAT
        run, content, details = await self._ended()
        for piece in _pieces(content):
            yield self._chunk({"content": piece})
        yield self._data({**self._frame("chat.completion.chunk", [_choice({}, finish="stop")]), "leadline": details})
        if self._taken.stream_options is not None and self._taken.stream_options.include_usage:
            yield self._data(self._frame("chat.completion.chunk", [], usage=chat.usage_of(run.usage)))
        yield _END

    async def cancel(self) -> None:
        """Stop the run: nobody waits for it any more. Where this process leaves, that was no client's wish."""
        if self._services.leaving.now:
            return
        with suppress(WrongState):
            await self._services.runs.cancel(self._run)

    async def _events(self, *, beat: float | None) -> AsyncGenerator[Record | None]:
        """Yield the run's events until it ended, and `None` where nothing comes for `beat` seconds.

        Raises `ServiceUnavailable` where this process leaves first: the run goes on elsewhere.
        """
        following = self._services.following.follow(self._run.id)
        async with aclosing(following) as items, Owned("chat", failed=_told_to_reader) as owned:
            leaving = owned.spawn(self._services.leaving.wait(), name="leaving")
            coming: asyncio.Task[Record | Progress | None] | None = None
            while True:
                coming = coming or owned.spawn(_next(items), name="next")
                await asyncio.wait({coming, leaving}, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    self._stay()
                    yield None
                    continue
                item, coming = coming.result(), None
                if item is None:
                    return
                if isinstance(item, Record):
                    yield item

    def _stay(self) -> None:
        if self._services.leaving.now:
            raise ServiceUnavailable(
                f"this service is about to leave; the run goes on: GET /v1/research/{self._run.id}"
            )

    async def _ended(self) -> tuple[Run, str, dict[str, Any]]:
        await self._check()
        run = await self._services.runs.get(self._run.id, tenant=self._run.tenant)
        if run.state is RunState.WAITING:
            raise WrongState(f"run {run.id} waits for a person, whom a chat cannot ask")
        body = await self._services.evidence.report_body(run)
        content = (await self._services.evidence.form(run, "md")).decode()
        return run, content, chat.details_of(from_json(body))

    def _frame(self, object: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 JSON by nature
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

    def __init__(self, answering: Answering, *, run_id: str) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no", RUN: run_id})
        del self.headers["content-length"]
        self._answering = answering

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
            async with aclosing(self._answering.chunks()) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except LeadlineError as error:
            body = openai_error(problem_told(error, scope))
            await send({"type": "http.response.body", "body": b"data: %b\n\n" % codec.encode(body), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _next(items: AsyncGenerator[Record | Progress]) -> Record | Progress | None:
    return await anext(items, None)


def _told_to_reader(_name: str, _error: BaseException) -> None:
    """Leave what broke off the events to who reads them."""


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
