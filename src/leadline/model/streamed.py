"""What all clients of model servers share: one request over HTTP, its answer streamed, three clocks.

The stream is read as bytes and parsed here. Three clocks watch every answer: until its first token,
between two tokens, and the whole. A stream that ends without a finish reason is a failure, whatever
the transport says. A cancelled call closes its connection, so that the server stops computing.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from leadline.domain import Json, ModelAnswer, ModelRequest, Usage
from leadline.errors import (
    ModelBroken,
    ModelDenied,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
)
from leadline.model.attempt import Clocks, ProgressTo, Relay, Watch
from leadline.model.connect import base_url, open_session
from leadline.model.failures import Redactor, Silent, failure, failure_in_stream
from leadline.model.sse import EventParser, EventTooLarge, ServerEvent
from leadline.model.tokens import TokenEstimator, guess_request
from leadline.ports import Clock
from leadline.ports.correlation import recorded_headers
from leadline.resilience import Backoff, Deadline, SystemClock, retry
from leadline.text.think import Piece

MAX_ANSWER: Final = 16 * 1024 * 1024
_MAX_ERROR: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """A model that a server lists; `window` in tokens where it tells (vLLM does)."""

    name: str
    window: int | None = None


class Answering(Protocol):
    """An API's answer as it is put together from what arrives."""

    @property
    def begun(self) -> bool:
        """Whether anything of the answer itself has arrived."""
        ...

    @property
    def finish(self) -> str:
        """The finish reason, empty until it is known."""
        ...

    @property
    def usage(self) -> Usage | None:
        """What the server counted, if it did."""
        ...

    @property
    def written(self) -> list[str]:
        """All that the model wrote."""
        ...

    def take(self, chunk: dict[str, Any]) -> list[Piece]:
        """Take an event of a stream, or a whole answer; return the pieces that just arrived."""
        ...

    def close(self) -> list[Piece]:
        """Return what was held back; the answer is over."""
        ...

    def answer(self, *, usage: Usage) -> ModelAnswer:
        """Return the whole answer; call `close` first."""
        ...


class StreamedModel(ABC):
    """One server of one API; an asynchronous context manager.

    `url` is the base URL; a bare host gets `/v1`. `session` lends an open session, which then is
    not closed here. `extra` are further fields of the request body. Retryable errors are tried
    again by `backoff` within the call's deadline; where text of a failed attempt was already passed
    to `progress`, it is told `("status", "restart")` first.

    Raises `SettingsError` for an address that is none.
    """

    path: ClassVar[str]

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        clocks: Clocks | None = None,
        backoff: Backoff | None = None,
        extra: Mapping[str, Json] | None = None,
        session: aiohttp.ClientSession | None = None,
        estimator: TokenEstimator | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        self._base = base_url(url)
        self._api_key = api_key
        self._clocks = clocks or Clocks()
        self._backoff = backoff or Backoff(base=0.5, cap=20.0)
        self._extra = extra
        self._lent = session
        self._session = session
        self._estimator = estimator or TokenEstimator()
        self._clock: Clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 jitter of retries, no secret
        self._max_answer = max_answer
        self._redact = Redactor(api_key)
        self._server = f"model server {urlsplit(self._base).netloc.rpartition('@')[2]}"

    async def __aenter__(self) -> Self:
        if self._session is None:
            self._session = open_session(connect=self._clocks.connect)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._session is not None and self._lent is None:
            await self._session.close()
            self._session = None

    @property
    def estimator(self) -> TokenEstimator:
        """What this server's counts have taught about the size of texts."""
        return self._estimator

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: ProgressTo | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        limit = Deadline(deadline)
        relay = Relay(progress)

        async def attempt() -> ModelAnswer:
            relay.restart()
            return await self.attempt(request, limit=limit, session=session, relay=relay)

        return await retry(attempt, backoff=self._backoff, deadline=limit, clock=self._clock, random=self._random)

    async def models(self, *, deadline: float) -> tuple[ServedModel, ...]:
        """Return the models that the server lists. Raises `ModelError`."""
        try:
            async with (
                asyncio.timeout(deadline),
                self._open().get(
                    f"{self._base}/models",
                    headers=self._headers(""),
                    allow_redirects=False,
                ) as response,
            ):
                data = await self._capped(response, _MAX_ERROR * 16)
                if response.status != 200:
                    raise self._failure(response, data)
        except TimeoutError as error:
            raise ModelTimeout(f"{self._server} did not list its models in {deadline:g} s") from error
        except aiohttp.ClientError as error:
            raise self._unreachable(error) from error
        return _served(data, self._server)

    @abstractmethod
    async def attempt(self, request: ModelRequest, *, limit: Deadline, session: str, relay: Relay) -> ModelAnswer:
        """Return the whole answer of one try, telling `relay` what arrives. Raises `ModelError`."""

    @abstractmethod
    def _key_headers(self) -> dict[str, str]:
        """Return the headers that hold the key."""

    @abstractmethod
    def _ends(self, event: ServerEvent) -> bool:
        """Return whether an event says that the stream is over."""

    # --- one attempt ---

    async def _once(
        self,
        request: ModelRequest,
        data: bytes,
        answer: Answering,
        *,
        limit: Deadline,
        session: str,
        relay: Relay,
    ) -> ModelAnswer:
        """Send `data`, which is `request` in the API's words, and return the answer that comes."""
        now = _Attempt(answer, Watch(self._clocks, limit), relay)
        async with self._translated(now), now.watch.running():
            await self._post(data, session=session, reader=partial(self._read, now))
        return self._finished(request, now)

    async def _post(
        self, data: bytes, *, session: str, reader: Callable[[aiohttp.ClientResponse], Awaitable[None]]
    ) -> None:
        async with self._open().post(
            f"{self._base}{self.path}",
            data=data,
            headers=self._headers(session),
            allow_redirects=False,
        ) as response:
            try:
                await reader(response)
            finally:
                if not response.content.at_eof():
                    response.close()  # a cancelled or broken answer must stop upstream at once

    @asynccontextmanager
    async def _translated(self, now: _Attempt) -> AsyncIterator[None]:
        """Turn what goes wrong on the wire into `ModelError`s; late trouble after the end is none."""
        try:
            yield
        except TimeoutError as error:
            if not now.answer.finish:
                raise ModelTimeout(f"{self._server}: {now.watch.verdict()}") from error
        except aiohttp.ClientResponseError as error:
            raise ModelBroken(f"{self._server} does not speak HTTP") from error
        except aiohttp.ClientError as error:
            if now.answer.begun or isinstance(error, aiohttp.ClientPayloadError):
                raise ModelBroken(f"{self._server} cut its answer short") from error
            raise self._unreachable(error) from error

    async def _read(self, now: _Attempt, response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            raise self._failure(response, await self._capped(response, _MAX_ERROR))
        if response.content_type == "application/json":
            self._whole(await self._capped(response, self._max_answer), now)
            return
        if response.content_type == "text/html":
            page = self._redact((await self._capped(response, _MAX_ERROR)).decode("utf-8", "replace"))
            raise ModelBroken(f"{self._server} answers with a web page: {page}")
        await self._stream(now, response)

    async def _stream(self, now: _Attempt, response: aiohttp.ClientResponse) -> None:
        parser = EventParser(max_event=self._max_answer)
        size = 0
        over = False
        while chunk := await response.content.readany():
            size += len(chunk)
            if size > self._max_answer:
                raise ModelBroken(f"{self._server} sent more than {self._max_answer} bytes")
            over = over or self._events(_parsed(parser, chunk, self._server), now)
            now.watch.saw(begun=now.answer.begun, finished=bool(now.answer.finish), over=over)
            if now.answer.begun:
                now.relay.beat()
        if not over:
            self._events(parser.close(), now)

    def _events(self, events: list[ServerEvent], now: _Attempt) -> bool:
        """Take events; return whether the stream said that it is over."""
        for event in events:
            if self._ends(event):
                return True
            chunk = self._json(event.data)
            if "error" in chunk or event.name == b"error" or chunk.get("object") == "error":
                raise failure_in_stream(chunk, server=self._server, redact=self._redact)
            now.relay.send(now.answer.take(chunk))
        return False

    def _whole(self, data: bytes, now: _Attempt) -> None:
        """Take a server's answer that is one JSON document although a stream was asked for."""
        value = self._json(data)
        if value.get("error"):
            raise failure_in_stream(value, server=self._server, redact=self._redact)
        now.relay.send(now.answer.take(value))

    def _json(self, data: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            shown = self._redact(data[:200].decode("utf-8", "replace"))
            raise ModelBroken(f"{self._server} sent what is no JSON: {shown}") from error
        if not isinstance(value, dict):
            raise ModelBroken(f"{self._server} sent JSON that is no object")
        return value

    def _finished(self, request: ModelRequest, now: _Attempt) -> ModelAnswer:
        answer = now.answer
        if not answer.finish:
            kind = ModelBroken if answer.begun else Silent
            raise kind(f"{self._server} ended its answer without a finish reason")
        now.relay.send(answer.close())
        return answer.answer(usage=self._usage(request, answer))

    def _usage(self, request: ModelRequest, answer: Answering) -> Usage:
        """Return the server's count, and learn from it; without one, an estimate."""
        counted = answer.usage
        if counted is not None:
            self._estimator.learn(guess_request(request), counted.prompt_tokens, model=request.model)
            return counted
        written = sum(self._estimator.text(t, model=request.model) for t in answer.written)
        return Usage(
            model_calls=1,
            prompt_tokens=self._estimator.request(request),
            completion_tokens=max(1, written),
        )

    # --- the connection ---

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ModelError(f"{self._server}: the client is not open; use it in `async with`")
        return self._session

    def _headers(self, session: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",  # a compressed stream arrives in lumps
            **self._key_headers(),
        }
        if session:
            headers["x-session-id"] = session
        return headers | recorded_headers()

    async def _capped(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while chunk := await response.content.readany():
            pieces.append(chunk)
            size += len(chunk)
            if size > limit:
                if response.status != 200:
                    break
                raise ModelBroken(f"{self._server} sent more than {limit} bytes")
        return b"".join(pieces)

    def _failure(self, response: aiohttp.ClientResponse, data: bytes) -> ModelError:
        return failure(
            response.status,
            data,
            server=self._server,
            redact=self._redact,
            headers=response.headers,
            now=self._clock.now(),
        )

    def _unreachable(self, error: aiohttp.ClientError) -> ModelError:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return ModelDenied(f"{self._server} has a certificate that is not trusted")
        if isinstance(error, aiohttp.ClientConnectorError):
            code = error.os_error.errno or 0
            # asyncio writes addresses into the system's words; those of a name's look-up have codes of their own.
            reason = (os.strerror(code) if code > 0 else error.os_error.strerror) or "no connection"
            return ModelUnavailable(f"{self._server} cannot be reached: {reason}")
        return ModelUnavailable(f"{self._server} closed the connection without an answer")


class _Attempt(NamedTuple):
    """What one attempt carries along."""

    answer: Answering
    watch: Watch
    relay: Relay


def _parsed(parser: EventParser, chunk: bytes, server: str) -> list[ServerEvent]:
    try:
        return parser.feed(chunk)
    except EventTooLarge as error:
        raise ModelBroken(f"{server} sent {error}") from error


def _served(data: bytes, server: str) -> tuple[ServedModel, ...]:
    try:
        entries = orjson.loads(data)["data"]
        return tuple(ServedModel(name=str(entry["id"]), window=entry.get("max_model_len")) for entry in entries)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelBroken(f"{server} does not list models as OpenAI's API does") from error
