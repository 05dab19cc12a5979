"""A service on loopback that answers what it is told to and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Answer:
    """A reply: `body` is JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any


class FakeService:
    """Answers from `answers`, the last one again and again; by path where `paths` names it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer({})]
        self.paths: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer."""
        text = await request.text()
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query)
        self.asked.append(Asked(request.method, request.path, query, headers, json.loads(text) if text else None))
        answer = self.paths.get(request.path)
        if answer is None:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        raw = isinstance(answer.body, bytes)
        body = answer.body if raw else json.dumps(answer.body).encode()
        kind = {} if raw else {"Content-Type": "application/json"}
        return web.Response(body=body, status=answer.status, headers={**kind, **answer.headers})


@asynccontextmanager
async def fake_service() -> AsyncIterator[FakeService]:
    """Yield a service that listens on a free port."""
    service = FakeService()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()
