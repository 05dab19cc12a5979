"""What one tool's service stands on: the same parts as a run's own tools, and nothing that is kept but the cache."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadline.cpu import ProcessCpu
from leadline.domain import Fetched, Options
from leadline.errors import NotFound, SettingsError
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import CallContext, Clock, Program, Ran, Reader, Said, Search, Summarizer
from leadline.resilience import SystemClock
from leadline.settings import LOCAL, Settings, ToolsSettings
from leadline.wire.papers import Scholar
from leadline.wiring.models import Models
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.platform import MOST_CPU_WORKERS, data_folder
from leadline.wiring.programs import Programs
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.summaries import Summing
from leadline.wiring.web import Web

if TYPE_CHECKING:
    from leadline.tools.summary import Summaries

PROOF_SECONDS = 20.0
"""Seconds that the first program may take, which proves the sandbox before the service is ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolHost:
    """The parts of one tool. Each opens what it needs at its first use."""

    settings: Settings
    cpu: ProcessCpu
    web: Web
    scholarly: Scholarly
    programs: Programs
    summing: Summing

    async def search(self, tenant: str) -> Search:
        """Return what searches the web."""
        return await self.web.search(tenant)

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages."""
        return await self.web.reader(tenant)

    async def library(self, tenant: str) -> Scholar:
        """Return what searches scholarly works."""
        return await self.scholarly.library(tenant)

    async def run(self, program: Program) -> Ran:
        """Run a program in the sandbox."""
        return await self.programs.run(program)

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """Sum a text up; of a long one what serves the goal. Raises as `Summarizer` does."""
        from leadline.tools.summary import excerpt  # noqa: PLC0415 only where a summariser is set

        summarizer = await self._summarizer()
        most = self.settings.summarizer.max_content
        shown = await self.cpu.run(excerpt, content, goal, most, size=len(content))
        return await summarizer.summarise(shown, goal, language=language, deadline=deadline)

    async def content(self, fetched: Fetched, goal: str, *, language: str, deadline: float) -> str:
        """Return a page as `visit` shows it to a model: its passages for the goal, or its summary with them."""
        from leadline.tools.visit import VisitTool  # noqa: PLC0415 only where pages are shown

        summaries: Summaries | None = await self.summing.of()
        limit = self.settings.visit.max_content
        tool = VisitTool([_Given(fetched)], cpu=self.cpu, limit=limit, summaries=summaries)
        context = CallContext(
            run_id="", tenant="", deadline=deadline, goal=goal, language=language, options=Options(web=True)
        )
        result = await tool.call({"url": fetched.source.uri, "goal": goal}, context)
        return tool.render(result.value, {fetched.source.id: fetched.text})

    async def prove(self, tool: str) -> None:
        """Open what `tool` needs, so that a service that cannot do its work does not start.

        Raises `SettingsError`, `ToolFailed`.
        """
        if tool == "search":
            await self.search("")
        elif tool == "visit":
            await self.reader("")
        elif tool == "scholar":
            await self.library("")
        elif tool == "python":
            await self.run(Program(code="print(1)", timeout=PROOF_SECONDS))
        else:
            await self._summarizer()

    async def _summarizer(self) -> Summarizer:
        found = await self.summing.summarizer()
        if found is None:
            raise SettingsError("nothing sums up here: set `summarizer.use` and a model")
        return found


@dataclass(frozen=True, slots=True)
class _Given:
    """A reader of one page that was read before."""

    fetched: Fetched

    def reads(self, uri: str) -> bool:
        return uri == self.fetched.source.uri

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        del deadline
        if not self.reads(uri):
            raise NotFound("only one page is given")
        return self.fetched


@asynccontextmanager
async def tool_host(settings: Settings, tool: str, *, clock: Clock | None = None) -> AsyncIterator[ToolHost]:
    """Build what the service of `tool` stands on, and take it down on leaving.

    Whatever the settings say of tools elsewhere, it does its work itself. Raises `SettingsError`
    for what cannot work.
    """
    settings = at_home(settings, tool)
    clock = clock or SystemClock()
    folder = await asyncio.to_thread(data_folder, settings)
    extract = settings.extract
    cores = min(os.cpu_count() or 1, MOST_CPU_WORKERS)
    async with AsyncExitStack() as stack:
        cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or cores))
        limits = Limits(seconds=extract.seconds, memory=extract.memory, bytes=extract.max_bytes)
        parser = await stack.enter_async_context(ExtractPool(workers=cores, limits=limits))
        models = await asyncio.to_thread(Models, settings, stack, clock=clock)
        outgoing = await stack.enter_async_context(Outgoing(settings, clock=clock, folder=folder))
        yield ToolHost(
            settings=settings,
            cpu=cpu,
            web=Web(settings, clock=clock, parser=parser, outgoing=outgoing),
            scholarly=Scholarly(settings, outgoing=outgoing),
            programs=Programs(settings, folder=folder, stack=stack),
            summing=Summing(settings, models=models, outgoing=outgoing, cpu=cpu),
        )


def at_home(settings: Settings, tool: str) -> Settings:
    """Return the settings of a service, which asks no other for its own work. Raises `SettingsError`."""
    if tool == "python" and "://" in settings.sandbox:
        raise SettingsError(f"`sandbox` is {settings.sandbox}: a service runs programs itself, set `auto` here")
    if tool == "summarize" and settings.summarizer.kind == "service":
        raise SettingsError("`summarizer.kind` is `service`: a service sums up itself, name a model here")
    here = ToolsSettings(search=LOCAL, visit=LOCAL, scholar=LOCAL, python=LOCAL, key=settings.tools.key)
    return replace(settings, tools=here)
