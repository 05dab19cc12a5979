"""The HTTP service in this process: real uvicorn, real store and accounts, one's own small web and model."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import FastAPI

from leadline.api.asking import new_run_id
from leadline.domain import Options, Question, StrategyName
from leadline.ports import NewRun, Run
from leadline.ports.access import Action, Role
from leadline.service.app import create_app, wrapped
from leadline.service.server import Server
from leadline.service.services import Services
from leadline.service.serving import Leaving, bound
from leadline.settings import Settings, load
from leadline.testing import SmallWeb, WebPage

QUESTION = "When was the lighthouse at Skerryvore first lit, and who designed it?"


def page(title: str, *paragraphs: str) -> WebPage:
    """Return a page of the small web."""
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    html = f"<html lang='en'><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    return WebPage(body=html.encode())


PAGES: Mapping[str, WebPage] = {
    "/skerryvore": page(
        "Skerryvore",
        "The lighthouse at Skerryvore was first lit in 1844. It stands on a reef in the Atlantic.",
        "It was designed by Alan Stevenson, and building it took six years.",
    ),
    "/bell-rock": page("Bell Rock", "The lighthouse on the Bell Rock was first lit in 1811."),
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)


@dataclass
class Event:
    """One event of a stream; `data` is parsed."""

    id: str = ""
    event: str = ""
    data: Any = None


@dataclass
class Stream:
    """A stream of events that is read piece by piece; `retry` are the hints that came, `beats` the comments."""

    reply: aiohttp.ClientResponse
    retry: list[int] = field(default_factory=list)
    beats: int = 0

    async def next(self) -> Event | None:
        """Return the next event, `None` at the end."""
        found = Event()
        async for raw in self.reply.content:
            text = raw.decode().rstrip("\n")
            name, _, value = text.partition(": ")
            if not text and found.event:
                return found
            if text.startswith(":"):
                self.beats += 1
            elif name == "retry":
                self.retry.append(int(value))
            elif name == "id":
                found.id = value
            elif name == "event":
                found.event = value
            elif name == "data":
                found.data = json.loads(value)
        return None

    async def all(self) -> list[Event]:
        """Return the events until the end."""
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events


class Client:
    """Asks a service with a key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str = "") -> None:
        self._session = session
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; `body` is JSON unless it is bytes."""
        named = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        sent = None if data is None else io.BytesIO(data)
        async with self._session.request(method, self.url + path, data=sent, headers=named) as reply:
            return Answer(reply.status, reply.headers, await reply.read())

    async def get(self, path: str, **headers: str) -> Answer:
        """Send a GET."""
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a POST."""
        return await self.ask("POST", path, body, **headers)

    @asynccontextmanager
    async def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Stream]:
        """Follow a run."""
        headers = {**self._headers, **({"Last-Event-ID": str(after)} if after else {})}
        path = f"{self.url}/v1/research/{run_id}/events"
        async with self._session.get(path, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as reply:
            assert reply.status in {200, 204}, await reply.text()  # 204: it has ended, and nothing follows
            yield Stream(reply)

    async def research(self, question: str = QUESTION, **fields: Any) -> str:
        """Start a run and return its id."""
        answer = await self.post("/v1/research", {"question": question, **fields})
        assert answer.status == 202, answer.raw
        return str(answer.body["id"])

    async def ended(self, run_id: str) -> Any:
        """Follow a run to its end and return it."""
        async with self.stream(run_id) as stream:
            await stream.all()
        return (await self.get(f"/v1/research/{run_id}")).body


@dataclass
class Running:
    """A service that takes requests."""

    url: str
    api: FastAPI
    leaving: Leaving
    session: aiohttp.ClientSession

    @property
    def services(self) -> Services:
        """What its routes stand on."""
        found: Services = self.api.state.services
        return found

    def client(self, key: str = "") -> Client:
        """Return who asks with this key."""
        return Client(self.session, self.url, key)

    async def key(self, tenant: str, role: Role = Role.RESEARCHER, *, scopes: frozenset[Action] | None = None) -> str:
        """Make a key of a tenant, which is made as well."""
        accounts = self.services.accounts
        await accounts.tenants.ensure(tenant, name=tenant)
        made = await accounts.keys.create(tenant, name="test", role=role, made_by="test", scopes=scopes)
        return made.credential

    async def held_elsewhere(self, tenant: str, *, lease: float = 300.0) -> Run:
        """Make a run that another worker of this machine holds, and does nothing with.

        A store that tests share would refuse folders of bodies while one of another machine does.
        """
        platform = self.services.platform
        new = NewRun(
            id=new_run_id(platform.clock.now()),
            tenant=tenant,
            question=Question(text=QUESTION, language="en"),
            options=Options(strategy=StrategyName.EXTRACTIVE),
            seed=1,
        )
        return await platform.store.create(new, owner=f"{socket.gethostname()}:elsewhere", lease=lease)

    async def caller(self, tenant: str, role: Role = Role.RESEARCHER) -> Client:
        """Return who asks with a new key of a tenant."""
        return self.client(await self.key(tenant, role))


@asynccontextmanager
async def serving(settings: Settings, *, local: bool = True) -> AsyncIterator[Running]:
    """Yield a service on a free port."""
    leaving = Leaving()
    api = await asyncio.to_thread(create_app, settings, leaving=leaving, local=local)
    many = aiohttp.TCPConnector(limit=0)
    async with (
        api.router.lifespan_context(api),
        aiohttp.ClientSession(connector=many) as session,
        listening(api, leaving) as url,
    ):
        yield Running(url, api, leaving, session)


@asynccontextmanager
async def listening(api: FastAPI, leaving: Leaving) -> AsyncIterator[str]:
    """Serve an application whose lifespan is open already."""
    ready = asyncio.Event()
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = Server(wrapped(api), drain=1, at_once=None, started=ready.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([listener]))
            await ready.wait()
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                leaving.begin()
                server.should_exit = True


@asynccontextmanager
async def small_service(
    folder: Path, flags: Mapping[str, str], *, pages: Mapping[str, WebPage] = PAGES
) -> AsyncIterator[Running]:
    """Yield a service over a small web; `flags` are more of its settings."""
    async with SmallWeb(pages) as web:
        found = {name.removeprefix("LEADLINE_").lower(): value for name, value in web.environment.items()}
        async with serving(await settings_for(folder, **{**found, **flags})) as running:
            yield running


async def settings_for(folder: Path, **flags: str) -> Settings:
    """Return settings over a folder; `__` stands for the dot in a name."""
    given = {"data_dir": str(folder), "sandbox": "off", "admission__key_rate": "none", **flags}
    named = {name.replace("__", "."): value for name, value in given.items()}
    return await asyncio.to_thread(lambda: load(flags=named, environ={}))
