"""One request through the gateway: to a server, to another if that fails, its bytes back unchanged.

Until the first byte of an answer has gone to the client another server may be asked, and nobody sees
that the first failed. After it a failure is told: an error event that no client takes for an end, and
never a `[DONE]` that the server did not send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
import orjson

from leadline.errors import ModelBroken, ModelDenied, ModelError, ModelTimeout, ModelUnavailable
from leadline.model.attempt import Clocks, Watch
from leadline.model.connect import read_up_to
from leadline.model.failures import Redactor, failure, failure_in_stream
from leadline.model.gateway.http import ClientLeft, Send, refusal_of, respond
from leadline.model.gateway.peek import Peeked, Tail, before_error, counted
from leadline.model.pool.leases import Lease, Pool, Wanted, excluding
from leadline.model.pool.types import Outcome, ServerSpec, outcome_of, wait_of
from leadline.resilience import Deadline

_MAX_ERROR: Final = 64 * 1024
_MAX_HELD: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A client's request: where to, what, and for whom."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    peeked: Peeked
    tenant: str


@dataclass(kw_only=True, slots=True)
class Passed:
    """What became of a request. `tokens` is what it took; `begun` whether the client has any of it."""

    begun: bool = False
    stream: bool = False
    tokens: int = 0
    servers: int = 0


class PassedOn(Exception):
    """An answer began to reach the client and then failed; the client was told."""

    def __init__(self, error: ModelError) -> None:
        super().__init__(str(error))
        self.error = error


class Forwarder:
    """Forwards requests by leases of `pool`, within `clocks`.

    An answer that is not streamed shows nothing until it is whole: for its first byte servers get
    `whole` seconds, and it may have up to `most` bytes.
    """

    def __init__(
        self,
        pool: Pool,
        session: aiohttp.ClientSession,
        *,
        clocks: Clocks,
        whole: float,
        most: int,
    ) -> None:
        self._pool = pool
        self._session = session
        self._clocks = clocks
        self._unstreamed = replace(clocks, first_token=whole, gap=whole)
        self._most = most

    async def forward(self, asking: Asking, send: Send, passed: Passed) -> None:
        """Answer the request. Raises `ModelError` where nothing was sent, `PassedOn` where something was."""
        call = _Call(asking, send, passed, Deadline(self._clocks.total))
        wanted = Wanted(session=asking.peeked.session, tenant=asking.tenant, model=asking.peeked.model)
        tried: set[str] = set()
        told: ModelError | None = None
        while True:
            try:
                lease = await self._pool.acquire(excluding(wanted, tried), deadline=call.limit)
            except (ModelUnavailable, ModelDenied) as error:
                raise (told or error) from error
            passed.servers += 1
            try:
                with lease:
                    await self._leased(lease, call)
                return
            except ModelError as error:
                if passed.begun:
                    await _tell(error, call)
                    raise PassedOn(error) from error
                if not (error.retryable or isinstance(error, ModelDenied)) or call.limit.expired:
                    raise
                told = error if told is None or error.retryable else told
                tried.add(lease.spec.url)

    async def _leased(self, lease: Lease, call: _Call) -> None:
        clocks = self._clocks if call.asking.peeked.stream else self._unstreamed
        answer = _Answer(lease, call, Watch(clocks, call.limit), _name(lease.spec))
        try:
            async with _translated(answer), answer.watch.running():
                await self._posted(answer)
        except ModelError as error:
            lease.report(outcome_of(error), reason=str(error), wait=wait_of(error))
            raise
        lease.report(Outcome.ANSWERED)
        if call.passed.stream:
            await call.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _posted(self, answer: _Answer) -> None:
        spec = answer.lease.spec
        async with self._session.post(
            spec.url + answer.call.asking.path,
            data=answer.call.asking.body,
            headers=_upward(answer.call.asking, spec),
            allow_redirects=False,
        ) as response:
            try:
                await self._answer(answer, response)
            finally:
                if not response.content.at_eof():
                    response.close()  # who does not read on lets the server stop computing

    async def _answer(self, answer: _Answer, response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            await _refused(answer, response)
        elif response.content_type == "text/event-stream":
            await _stream(answer, response)
        else:
            await self._whole(answer, response)

    async def _whole(self, answer: _Answer, response: aiohttp.ClientResponse) -> None:
        data = await read_up_to(response, self._most)
        if len(data) > self._most:
            raise ModelBroken(f"{answer.name} sent more than {self._most} bytes")
        if response.content_type == "text/html":
            raise ModelBroken(f"{answer.name} answers with a web page")
        passed = answer.call.passed
        passed.tokens = counted(data) or answer.call.asking.peeked.tokens
        await _send_whole(answer, response, data)


@dataclass(slots=True)
class _Call:
    """What a request carries from server to server."""

    asking: Asking
    send: Send
    passed: Passed
    limit: Deadline


@dataclass(slots=True)
class _Answer:
    """One server's answer as it comes."""

    lease: Lease
    call: _Call
    watch: Watch
    name: str
    tail: Tail = field(default_factory=Tail)
    sending: bool = False


async def _refused(answer: _Answer, response: aiohttp.ClientResponse) -> None:
    """Pass on what is the request's own fault as it came; raise what another server may do better."""
    data = await read_up_to(response, _MAX_ERROR)
    redact = Redactor(answer.lease.spec.api_key)
    error = failure(response.status, data, server=answer.name, redact=redact, headers=response.headers)
    if error.retryable or isinstance(error, ModelDenied) or not 400 <= response.status < 500:
        raise error
    await _send_whole(answer, response, data)


async def _send_whole(answer: _Answer, response: aiohttp.ClientResponse, data: bytes) -> None:
    answer.lease.renew()
    answer.watch.saw(begun=True, finished=False, over=False)
    answer.call.passed.begun = answer.sending = True
    kind = response.headers.get("Content-Type", "application/json").encode("latin-1")
    await respond(answer.call.send, data, status=response.status, headers=[(b"content-type", kind)])


async def _stream(answer: _Answer, response: aiohttp.ClientResponse) -> None:
    passed, tail = answer.call.passed, answer.tail
    try:
        await _chunks(answer, response)
    finally:  # also of an answer that broke off, or that nobody waited for
        if passed.begun:
            passed.tokens = tail.tokens(answer.call.asking.peeked.prompt_tokens)
    if not tail.whole:
        raise ModelBroken(f"{answer.name} ended its stream without saying that it is over")


async def _chunks(answer: _Answer, response: aiohttp.ClientResponse) -> None:
    passed, tail = answer.call.passed, answer.tail
    held = b""
    while chunk := await response.content.readany():
        tail.take(chunk)
        if not passed.begun:
            held += chunk
            if b"data:" not in held and len(held) < _MAX_HELD:
                continue  # comments alone: the server has not begun
            chunk = held
        reported = tail.error
        chunk = before_error(chunk) if reported else chunk
        answer.lease.renew()
        answer.watch.saw(begun=True, finished=False, over=tail.done)
        if chunk and (passed.begun or b"data:" in chunk):
            await _pass_on(answer, chunk)
        if reported:
            raise _reported(answer, reported)


async def _pass_on(answer: _Answer, chunk: bytes) -> None:
    passed = answer.call.passed
    answer.sending = True
    if not passed.begun:
        passed.begun = passed.stream = True
        await answer.call.send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
    await answer.call.send({"type": "http.response.body", "body": chunk, "more_body": True})
    answer.sending = False


def _reported(answer: _Answer, reported: bytes) -> ModelError:
    """Return the error that a server reports in midst of its stream."""
    try:
        value = orjson.loads(reported)
    except orjson.JSONDecodeError:
        return ModelBroken(f"{answer.name} failed in midst of its answer")
    return failure_in_stream(value, server=answer.name, redact=Redactor(answer.lease.spec.api_key))


async def _tell(error: ModelError, call: _Call) -> None:
    """End the stream that was begun with an error that cannot be taken for its end."""
    if call.passed.stream:
        event = b"\n\ndata: " + refusal_of(error).body() + b"\n\n"
        await call.send({"type": "http.response.body", "body": event, "more_body": False})


@asynccontextmanager
async def _translated(answer: _Answer) -> AsyncIterator[None]:
    """Turn what goes wrong on the wire into errors; late trouble after the end is none."""
    try:
        yield
    except TimeoutError as error:
        if answer.sending:
            raise ClientLeft from error  # it reads nothing
        if not answer.tail.whole:
            raise ModelTimeout(f"{answer.name}: {answer.watch.verdict()}") from error
    except aiohttp.ClientConnectorError as error:
        raise ModelUnavailable(f"{answer.name} cannot be reached") from error
    except aiohttp.ClientError as error:
        if not answer.tail.whole:
            raise ModelBroken(f"{answer.name} broke off") from error


_STREAM_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


def _upward(asking: Asking, spec: ServerSpec) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **asking.headers}
    if asking.peeked.session:
        headers["x-session-id"] = asking.peeked.session
    if spec.api_key:
        headers["Authorization"] = f"Bearer {spec.api_key}"
    return headers


def _name(spec: ServerSpec) -> str:
    return f"model server {spec.url.rpartition('@')[2].removeprefix('http://').removeprefix('https://')}"
