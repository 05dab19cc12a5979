"""A tool's service in this process, over canned parts: real HTTP, real uvicorn, nothing of the web."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from leadline.cpu import InlineCpu
from leadline.domain import Fetched, Options
from leadline.ports import CallContext, Program, Ran, Reader, Said, Sandbox, Search, Summarizer
from leadline.service.server import Server
from leadline.service.serving import Leaving, bound
from leadline.service.tools.app import tool_app
from leadline.service.tools.host import Holder
from leadline.testing import CannedReader, CannedSearch
from leadline.tools.visit import VisitTool
from leadline.wire.own_keys import OwnKeys
from leadline.wire.papers import Papers, Scholar
from leadline.wiring.telemetry import Telemetry


class NoPapers:
    """A library without works."""

    async def papers(self, query: object, *, deadline: float) -> Papers:
        return Papers(papers=())


class NoSandbox:
    """A sandbox that echoes the code."""

    async def run(self, program: Program) -> Ran:
        return Ran(stdout=program.code, stderr="", exit=0)


class Short:
    """A summariser that says that it was asked."""

    name = "short"

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        return Said(summary=f"about {goal}", evidence=(content[:40],))


@dataclass
class CannedHost:
    """The parts of every tool's service, each of them the test's."""

    searching: Search = field(default_factory=lambda: CannedSearch({}, name="web"))
    reading: Reader = field(default_factory=lambda: CannedReader({}))
    scholar: Scholar = field(default_factory=NoPapers)
    sandbox: Sandbox = field(default_factory=NoSandbox)
    summarizer: Summarizer = field(default_factory=Short)
    tenants: list[str] = field(default_factory=list)
    held: list[OwnKeys] = field(default_factory=list)

    async def search(self, tenant: str) -> Search:
        self.tenants.append(tenant)
        return self.searching

    async def reader(self, tenant: str) -> Reader:
        self.tenants.append(tenant)
        return self.reading

    async def library(self, tenant: str) -> Scholar:
        self.tenants.append(tenant)
        return self.scholar

    def holding(self, keys: OwnKeys) -> CannedHost:
        self.held.append(keys)
        return self

    async def run(self, program: Program) -> Ran:
        return await self.sandbox.run(program)

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        return await self.summarizer.summarise(content, goal, language=language, deadline=deadline)

    async def content(self, fetched: Fetched, goal: str, *, language: str, deadline: float) -> str:
        tool = VisitTool([self.reading], cpu=InlineCpu())
        context = CallContext(
            run_id="", tenant="", deadline=deadline, goal=goal, language=language, options=Options(web=True)
        )
        result = await tool.call({"url": fetched.source.uri, "goal": goal}, context)
        return tool.render(result.value, {fetched.source.id: fetched.text})


@asynccontextmanager
async def tool_service(
    tool: str,
    host: Holder,
    *,
    key: str = "",
    leaving: Leaving | None = None,
    telemetry: Telemetry | None = None,
) -> AsyncIterator[str]:
    """Yield the address of a service that is up, and take it down."""
    ready = asyncio.Event()
    app = tool_app(host, tool, key=key, leaving=leaving or Leaving(), telemetry=telemetry)
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = Server(app, drain=1, at_once=None, started=ready.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([listener]))
            await ready.wait()
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                server.should_exit = True
