"""What one tool's service stands on: the same parts as a run's own tools, and nothing that is kept but the cache."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from leadline.cpu import ProcessCpu
from leadline.errors import SettingsError
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Clock, Cpu, Program, Quiet, Reader, Search, Signals
from leadline.resilience import SystemClock
from leadline.settings import LOCAL, Settings, ToolsSettings
from leadline.wire.own_keys import Given, OwnKeys
from leadline.wire.papers import Scholar
from leadline.wiring.folders import data_folder
from leadline.wiring.held_tools import HeldTools
from leadline.wiring.models import Models
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.platform import MOST_CPU_WORKERS
from leadline.wiring.programs import Programs
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.summaries import Summing
from leadline.wiring.telemetry import call_told, health_told
from leadline.wiring.web import Web

PROOF_SECONDS = 20.0
"""Seconds that the first program may take, which proves the sandbox before the service is ready."""


class ToolHost(HeldTools):
    """The parts of one tool. Each opens what it needs at its first use."""

    def __init__(self, settings: Settings, *, cpu: Cpu, here: _Here, programs: Programs, summing: Summing) -> None:
        super().__init__(settings, cpu=cpu, places=here, programs=programs, summing=summing)
        self._of = partial(ToolHost, settings, cpu=cpu, programs=programs, summing=summing)
        self._here = here

    def holding(self, keys: OwnKeys) -> HeldTools:
        """Return the same parts for one request, which brought these keys of its tenant's own."""
        return self._of(here=replace(self._here, owns=Given(keys))) if keys else self

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
            await self.summarizer()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Here:
    """The tools of this process alone."""

    web: Web
    scholarly: Scholarly
    owns: Given = field(default_factory=Given)

    async def search(self, tenant: str) -> Search:
        return await self.web.search(tenant, owns=self.owns)

    async def reader(self, tenant: str) -> Reader:
        return await self.web.reader(tenant, owns=self.owns)

    async def library(self, tenant: str) -> Scholar:
        return await self.scholarly.library(tenant, owns=self.owns)


@asynccontextmanager
async def tool_host(
    settings: Settings, tool: str, *, clock: Clock | None = None, signals: Signals | None = None
) -> AsyncIterator[ToolHost]:
    """Build what the service of `tool` stands on, and take it down on leaving; `signals` hear what its parts do.

    Whatever the settings say of tools elsewhere, it does its work itself. Raises `SettingsError`
    for what cannot work.
    """
    signals = signals or Quiet()
    settings = at_home(settings, tool)
    clock = clock or SystemClock()
    folder = await asyncio.to_thread(data_folder, settings)
    extract = settings.extract
    cores = min(os.cpu_count() or 1, MOST_CPU_WORKERS)
    async with AsyncExitStack() as stack:
        cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or cores))
        limits = Limits(seconds=extract.seconds, memory=extract.memory, bytes=extract.max_bytes)
        parser = await stack.enter_async_context(ExtractPool(workers=cores, limits=limits))
        models = await asyncio.to_thread(
            Models, settings, stack, clock=clock, on_health=health_told(signals), on_call=call_told(signals)
        )
        outgoing = await stack.enter_async_context(Outgoing(settings, clock=clock, folder=folder, signals=signals))
        here = _Here(
            web=Web(settings, clock=clock, parser=parser, outgoing=outgoing),
            scholarly=Scholarly(settings, outgoing=outgoing),
        )
        yield ToolHost(
            settings,
            cpu=cpu,
            here=here,
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
