"""A real HTTP server on loopback that plays a language model from a script.

    async with ScriptedServer([Reply(text="<answer>42</answer>")]) as server:
        model = OpenAIModel(server.url)

It speaks the OpenAI chat completions API and Anthropic's messages API, streamed and whole, and every
fault of `Fault`. As a
process of its own it outlives the client that a test kills, and counts what each life asked:

    python -m leadline.testing.server script.json --port 8123

It prints its base URL on one line once it listens; `GET /_scripted` tells the requests so far.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import orjson
from aiohttp import web

from leadline.codec import canonical, encode
from leadline.domain import ToolCall, sha256
from leadline.testing.anthropic import AnthropicWriter
from leadline.testing.embeddings import Embeddings
from leadline.testing.script import HALVED, Asked, Chooser, Fault, Reply, Script, load_script

_MAX_REQUEST: Final = 64 * 1024 * 1024
_LONG: Final = 3600.0
_SILENT: Final = frozenset({Fault.DEAD, Fault.GARBAGE, Fault.HANG_BEFORE_HEADERS})


class ScriptedServer:
    """The server as an asynchronous context manager; see the module.

    `port` 0 takes a free one. `models` are listed by `/v1/models`. `key`, where set, is demanded
    of every request. `requests` are all chat requests so far, in order of arrival. `embeddings` is
    what `/v1/embeddings` answers. `metrics` is asked for what `/metrics` shows, in Prometheus' text format.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        port: int = 0,
        models: Mapping[str, int] | None = None,
        key: str | None = None,
        embeddings: Embeddings | None = None,
        metrics: Callable[[], str] | None = None,
    ) -> None:
        self._chooser = Chooser(script)
        self._port = port
        self._models = models or {"scripted": 32_768}
        self._key = key
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Event()
        self.requests: list[Asked] = []
        self.embeddings = embeddings or Embeddings()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_REQUEST)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/messages", self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/_scripted", self._told)
        if self._metrics is not None:
            app.router.add_get("/metrics", self._measured)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and drop all connections: from now on the server refuses."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def asked(self, number: int = 1) -> Asked:
        """Return the request of this number, counted from 1, as soon as it has arrived."""
        while len(self.requests) < number:
            await self._arrived.wait()
        return self.requests[number - 1]

    @property
    def url(self) -> str:
        """The base URL, ending in `/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def counts(self) -> Counter[str]:
        """How often each request, by the hash of its body, was made."""
        return Counter(request.hash for request in self.requests)

    # --- routes ---

    async def _list(self, request: web.Request) -> web.Response:
        self._admit(request)
        data = [{"id": name, "object": "model", "max_model_len": window} for name, window in self._models.items()]
        return _json_response({"object": "list", "data": data})

    async def _measured(self, _request: web.Request) -> web.Response:
        assert self._metrics is not None  # noqa: S101 else there is no such route
        return web.Response(text=self._metrics())

    async def _told(self, _request: web.Request) -> web.Response:
        told = [
            {"hash": asked.hash, "turn": asked.turn, "complete": asked.ended is not None} for asked in self.requests
        ]
        return _json_response({"requests": told, "counts": self.counts})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        loop = asyncio.get_running_loop()
        body = orjson.loads(await request.read())
        asked = Asked(
            body=body,
            headers=request.headers.copy(),
            hash=sha256(canonical(body)),
            began=loop.time(),
            peer=_peer(request),
        )
        self.requests.append(asked)
        self._arrived.set()
        self._arrived = asyncio.Event()
        try:
            response = await self._answer(request, asked, self._chooser.reply(asked))
        except (asyncio.CancelledError, ConnectionResetError):
            asked.left = loop.time()
            raise
        else:
            asked.ended = loop.time()
            return response
        finally:
            asked.over.set()

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        reply = self.embeddings.reply(orjson.loads(await request.read()))
        if reply.fault in _SILENT:
            return await _silent(request, reply.fault)
        return web.Response(status=reply.status, text=reply.body, content_type="application/json")

    def _admit(self, request: web.Request) -> None:
        given = request.headers.get("x-api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._key is None or given == self._key:
            return
        error = {"message": "Incorrect API key provided.", "code": "invalid_api_key"}
        raise web.HTTPUnauthorized(text=encode({"error": error}).decode(), content_type="application/json")

    async def _answer(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
        if reply.fault in _SILENT:
            return await _silent(request, reply.fault)
        if reply.status != 200 or reply.body:
            return web.Response(
                status=reply.status,
                text=reply.body,
                content_type="application/json",
                headers=reply.headers,
            )
        if reply.fault is Fault.HTML:
            page = "<html><body><h1>Welcome to the proxy</h1></body></html>"
            return web.Response(text=page, content_type="text/html")
        writer = AnthropicWriter(asked, reply) if request.path == "/v1/messages" else _Writer(asked, reply)
        if not asked.body.get("stream") or not reply.streams:
            await _turn(reply)
            return _json_response(writer.whole())
        return await _stream(request, writer, reply)


async def _silent(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault is Fault.HANG_BEFORE_HEADERS:
        await asyncio.sleep(_LONG)
    transport = request.transport
    if transport is not None:
        if fault is Fault.GARBAGE:
            transport.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n" + bytes(range(256)))
        transport.close()
    raise ConnectionResetError("the script closes the connection")


async def _turn(reply: Reply) -> None:
    """Wait until an answer may begin."""
    await asyncio.sleep(reply.first_delay)
    if reply.gate is not None:
        await reply.gate.wait()


async def _stream(request: web.Request, writer: _Writer | AnthropicWriter, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(headers=reply.headers)
    response.content_type = "text/event-stream"
    await response.prepare(request)
    if reply.fault in {Fault.HANG_AFTER_HEADERS, Fault.KEEPALIVE, Fault.HUGE_LINE}:
        await _never_an_event(response, reply.fault)
    await _turn(reply)
    for event in writer.events():
        await response.write(event)
        await asyncio.sleep(reply.delay)
    if reply.fault is Fault.CUT and request.transport is not None:
        request.transport.abort()
        raise ConnectionResetError("the script cuts the stream")
    if reply.fault in {Fault.HANG_MIDWAY, Fault.NO_END}:
        await asyncio.sleep(_LONG)
    await response.write_eof()
    return response


async def _never_an_event(response: web.StreamResponse, fault: Fault) -> None:
    if fault is Fault.HUGE_LINE:
        await response.write(b"data: ")
    while True:
        if fault is Fault.HANG_AFTER_HEADERS:
            await asyncio.sleep(_LONG)
        elif fault is Fault.KEEPALIVE:
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.01)
        else:
            await response.write(b"x" * 65_536)
            await asyncio.sleep(0)


class _Writer:
    """Makes the events, or the one document, of a reply."""

    def __init__(self, asked: Asked, reply: Reply) -> None:
        self._reply = reply
        self._model = str(asked.body.get("model", "scripted"))
        self._wants_usage = bool((asked.body.get("stream_options") or {}).get("include_usage"))
        self._id = f"chatcmpl-{asked.hash[:12]}"
        self._prompt = sum(len(str(message.get("content") or "")) for message in asked.messages)

    def whole(self) -> dict[str, Any]:
        """Return the reply as one `chat.completion`."""
        reply = self._reply
        message: dict[str, Any] = {"role": "assistant", "content": self._text()}
        if reply.reasoning and reply.reasoning_field != "think":
            message[reply.reasoning_field] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [_call(at, call) for at, call in enumerate(reply.tool_calls)]
        finish = None if reply.fault is Fault.NO_FINISH else self._finish()
        choice = {"index": 0, "message": message, "finish_reason": finish}
        value = self._envelope("chat.completion", [choice])
        if reply.usage != "none":
            value["usage"] = self._usage()
        return value

    def events(self) -> Iterator[bytes]:
        """Yield the reply as events, up to where its fault strikes."""
        yield self._delta({"role": "assistant", "content": ""})
        while self._reply.fault is Fault.ENDLESS_REASONING:
            yield self._delta({"reasoning_content": "Let me think about it once more. "})
        deltas = self._deltas()
        if self._reply.fault in HALVED:
            deltas = deltas[: max(1, len(deltas) // 2)]
        for delta in deltas:
            yield self._delta(delta)
        yield from self._ending()

    def _ending(self) -> Iterator[bytes]:
        fault = self._reply.fault
        if fault is Fault.WRONG_JSON:
            yield b'data: {"choices": [{"delta": {"content": "\n\n'
        if fault is Fault.ERROR_EVENT:
            yield _event({"error": {"message": "engine died", "type": "server_error"}})
        if fault not in {*HALVED, Fault.NO_FINISH}:
            yield self._delta({}, finish=self._finish())
            if self._wants_usage and self._reply.usage != "none" and fault is not Fault.NO_END:
                envelope = self._envelope("chat.completion.chunk", [])
                yield _event(envelope | {"usage": self._usage()})
        if fault in {Fault.NONE, Fault.ERROR_EVENT, Fault.NO_FINISH}:
            yield b"data: [DONE]\n\n"

    def _deltas(self) -> list[dict[str, Any]]:
        reply = self._reply
        deltas: list[dict[str, Any]] = []
        if reply.reasoning_field != "think":
            deltas += [{reply.reasoning_field: piece} for piece in self._cut(reply.reasoning)]
        deltas += [{"content": piece} for piece in self._cut(self._text())]
        for at, call in enumerate(reply.tool_calls):
            whole = _call(at, call)
            arguments = whole["function"]["arguments"]
            deltas.append({"tool_calls": [whole | {"function": {"name": call.name, "arguments": ""}}]})
            deltas += [
                {"tool_calls": [{"index": at, "function": {"arguments": piece}}]} for piece in self._cut(arguments)
            ]
        return deltas

    def _cut(self, text: str) -> list[str]:
        size = max(1, self._reply.chunk)
        return [text[at : at + size] for at in range(0, len(text), size)]

    def _text(self) -> str:
        reply = self._reply
        if reply.reasoning and reply.reasoning_field == "think":
            return f"<think>{reply.reasoning}</think>\n{reply.text}"
        return reply.text

    def _finish(self) -> str:
        return self._reply.finish or ("tool_calls" if self._reply.tool_calls else "stop")

    def _delta(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(self._envelope("chat.completion.chunk", [choice]))

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": 0,
            "model": self._model,
            "choices": choices,
        }

    def _usage(self) -> dict[str, Any] | None:
        reply = self._reply
        if reply.usage == "null":
            return None
        written = len(self._text()) + len(reply.reasoning)
        prompt, completion = self._prompt // 4 + 1, written // 4 + 1
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": min(reply.cached_tokens, prompt)},
        }


def _peer(request: web.Request) -> str:
    name = request.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else ""


def _call(at: int, call: ToolCall) -> dict[str, Any]:
    arguments = encode(call.arguments).decode()
    return {
        "index": at,
        "id": call.id or f"call_{at}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def _json_response(value: dict[str, Any]) -> web.Response:
    return web.Response(body=encode(value), content_type="application/json")


async def _serve(script: Script, port: int) -> None:
    async with ScriptedServer(script, port=port) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main(arguments: list[str] | None = None) -> None:
    """Run the server until it is killed."""
    parser = argparse.ArgumentParser(prog="leadline.testing.server", description=__doc__)
    parser.add_argument("script", type=Path, help="JSON file with `replies` or `rules`")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(load_script(given.script), given.port))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
