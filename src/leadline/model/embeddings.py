"""Vectors of texts and relevance of passages, from servers that speak OpenAI's `/embeddings` and `/rerank`.

https://platform.openai.com/docs/api-reference/embeddings; `/rerank` in the shape that Jina, Cohere,
vLLM and text-embeddings-inference gateways share. Single calls are gathered into batches, because
here, unlike in chat, the server does not do it itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import Any, Final, Generic, NamedTuple, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

import aiohttp
import orjson

from leadline.codec import encode
from leadline.domain import Json
from leadline.errors import ModelBroken, ModelError, ModelTimeout, ModelUnavailable
from leadline.model.batching import Batcher
from leadline.model.connect import base_url, open_session, read_up_to
from leadline.model.failures import Redactor, Refused, failure
from leadline.ports import Clock
from leadline.resilience import Backoff, Deadline, SystemClock, retry

T = TypeVar("T")
R = TypeVar("R")

Vector: TypeAlias = tuple[float, ...]

_MAX_ANSWER: Final = 256 * 1024 * 1024
_MAX_ERROR: Final = 64 * 1024


class JsonServer:
    """Posts JSON to a model server and takes JSON; retries within `seconds` for each call."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        *,
        api_key: str | None = None,
        seconds: float = 60.0,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        self._base = base_url(url)
        self._session = session
        self._api_key = api_key
        self._seconds = seconds
        self._backoff = backoff or Backoff()
        self._clock: Clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 jitter of retries, no secret
        self._server = f"model server {urlsplit(self._base).netloc.rpartition('@')[2]}"

    async def post(self, path: str, value: Json, *, read: Callable[[dict[str, Any]], T]) -> T:
        """Return what `read` makes of the answer to `value` at `path`. Raises `ModelError`, also from `read`.

        Answers are large: they are parsed and read in a thread, since a batch of vectors would hold
        the event loop for some ten milliseconds.
        """
        limit = Deadline(self._seconds)
        data = encode(value)

        async def once() -> T:
            try:
                async with asyncio.timeout(limit.left()):
                    body = await self._posted(path, data)
                    return await asyncio.to_thread(self._parsed, body, read)
            except TimeoutError as error:
                raise ModelTimeout(f"{self._server} did not answer within {self._seconds:g} s") from error
            except aiohttp.ClientError as error:
                raise ModelUnavailable(f"{self._server} cannot be reached or broke off") from error

        return await retry(once, backoff=self._backoff, deadline=limit, clock=self._clock, random=self._random)

    async def _posted(self, path: str, data: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        async with self._session.post(self._base + path, data=data, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise self._failure(response, await read_up_to(response, _MAX_ERROR))
            return await read_up_to(response, _MAX_ANSWER)

    def _parsed(self, body: bytes, read: Callable[[dict[str, Any]], T]) -> T:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ModelBroken(f"{self._server} sent what is no JSON") from error
        if not isinstance(value, dict):
            raise ModelBroken(f"{self._server} sent JSON that is no object")
        return read(value)

    def _failure(self, response: aiohttp.ClientResponse, body: bytes) -> ModelError:
        error = failure(
            response.status,
            body,
            server=self._server,
            redact=Redactor(self._api_key),
            headers=response.headers,
            now=self._clock.now(),
        )
        return ModelError(str(error)) if isinstance(error, Refused) else error


class _Batched(Generic[T, R]):
    """A batcher before a server, both open inside its context."""

    def __init__(self, connect: Callable[[aiohttp.ClientSession], JsonServer], batcher: Batcher[T, R]) -> None:
        self._connect = connect
        self._batcher = batcher
        self._server: JsonServer | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        session = await self._stack.enter_async_context(open_session(connect=10.0))
        self._server = self._connect(session)
        await self._stack.enter_async_context(self._batcher)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._stack.aclose()

    def _open(self) -> JsonServer:
        if self._server is None:
            raise ModelError("the client is not open; use it in `async with`")
        return self._server


class EmbeddingModel(_Batched[str, Vector]):
    """Texts to vectors; an asynchronous context manager.

    Texts of callers at one time share requests of up to `most` texts and `most_characters`, sent at
    the latest `delay` seconds after the first of them came. `dimensions` asks for shorter vectors
    where the server can.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key: str | None = None,
        dimensions: int | None = None,
        most: int = 32,
        most_characters: int = 100_000,
        delay: float = 0.01,
        at_once: int = 4,
        seconds: float = 60.0,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._model = model
        self._dimensions = dimensions

        def connect(session: aiohttp.ClientSession) -> JsonServer:
            return JsonServer(url, session, api_key=api_key, seconds=seconds, backoff=backoff, clock=clock)

        batcher: Batcher[str, Vector] = Batcher(
            self._embed,
            name="embeddings",
            most=most,
            most_size=most_characters,
            size_of=len,
            delay=delay,
            at_once=at_once,
        )
        super().__init__(connect, batcher)

    async def embed(self, text: str) -> Vector:
        """Return the vector of a text. Raises `ModelError`."""
        return await self._batcher.call(text)

    async def embed_all(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vectors of texts, in their order. Raises `ModelError`."""
        return await _all([self._batcher.call(text) for text in texts])

    async def _embed(self, texts: Sequence[str]) -> list[Vector]:
        request: dict[str, Json] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        if self._dimensions is not None:
            request["dimensions"] = self._dimensions
        return await self._open().post("/embeddings", request, read=partial(_vectors, count=len(texts)))


class _Pair(NamedTuple):
    query: str
    document: str


class Reranker(_Batched[_Pair, float]):
    """Relevance of documents for a query, higher is better; an asynchronous context manager.

    Batches as `EmbeddingModel`; a batch takes one request for each query in it.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key: str | None = None,
        most: int = 64,
        most_characters: int = 200_000,
        delay: float = 0.01,
        at_once: int = 4,
        seconds: float = 60.0,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._model = model

        def connect(session: aiohttp.ClientSession) -> JsonServer:
            return JsonServer(url, session, api_key=api_key, seconds=seconds, backoff=backoff, clock=clock)

        batcher: Batcher[_Pair, float] = Batcher(
            self._score,
            name="rerank",
            most=most,
            most_size=most_characters,
            size_of=lambda pair: len(pair.document),
            delay=delay,
            at_once=at_once,
        )
        super().__init__(connect, batcher)

    async def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """Return the relevance of each document, in their order. Raises `ModelError`."""
        return await _all([self._batcher.call(_Pair(query, document)) for document in documents])

    async def _score(self, pairs: Sequence[_Pair]) -> list[float]:
        places: dict[str, list[int]] = {}
        for at, pair in enumerate(pairs):
            places.setdefault(pair.query, []).append(at)
        found = [0.0] * len(pairs)
        scored = await _all([self._of(query, [pairs[at].document for at in ats]) for query, ats in places.items()])
        for ats, scores in zip(places.values(), scored, strict=True):
            for at, score in zip(ats, scores, strict=True):
                found[at] = score
        return found

    async def _of(self, query: str, documents: list[str]) -> list[float]:
        request: Json = {"model": self._model, "query": query, "documents": list(documents), "top_n": len(documents)}
        return await self._open().post("/rerank", request, read=partial(_scores, count=len(documents)))


async def _all(works: Sequence[Any]) -> list[Any]:
    """Return all results, in order. Raises the first error itself, and lets the others end."""
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    return [task.result() for task in tasks]


def _rows(rows: object, count: int) -> list[dict[str, Any]]:
    """Return rows in the order of what was sent: servers may answer in another and tell the index."""
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
        raise ModelBroken(f"the server did not answer with {count} rows")
    by_index = {row.get("index", at): row for at, row in enumerate(rows)}
    if set(by_index) != set(range(count)):
        raise ModelBroken("the server's rows do not tell which is which")
    return [by_index[at] for at in range(count)]


def _vectors(answer: dict[str, Any], count: int) -> list[Vector]:
    vectors = [_vector(row.get("embedding")) for row in _rows(answer.get("data"), count)]
    if len({len(vector) for vector in vectors}) > 1:
        raise ModelBroken("the server's vectors have different lengths")
    return vectors


def _scores(answer: dict[str, Any], count: int) -> list[float]:
    rows = _rows(answer.get("results"), count)
    return list(_numbers([row.get("relevance_score", row.get("score")) for row in rows]))


def _vector(value: object) -> Vector:
    if not isinstance(value, list) or not value:
        raise ModelBroken("the server sent a row without a vector")
    return _numbers(value)


def _numbers(values: list[Any]) -> Vector:
    """Return values as finite floats; by whole rows, which is ten times quicker than one by one."""
    if not set(map(type, values)) <= {float, int}:
        raise ModelBroken("the server sent what is no number")
    numbers = tuple(map(float, values))
    if not all(map(math.isfinite, numbers)):
        raise ModelBroken("the server sent what is no number")
    return numbers
