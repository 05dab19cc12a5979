"""Settings -> a running platform on one exit stack, entered in order and left in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from leadline.cpu import ProcessCpu
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Blobs, Clock, Cpu, Model, Run, Signals, Store, Wake
from leadline.research.study import Means, Provides
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.tools import parse_file, python, scholar, visit
from leadline.tools.gateway import Doors
from leadline.wiring.accounts import Accounts, are_kept
from leadline.wiring.blobs import blob_store
from leadline.wiring.corpora import Corpora
from leadline.wiring.eventlog import EventLog, event_log
from leadline.wiring.external import External
from leadline.wiring.folders import data_folder
from leadline.wiring.held_tools import HeldTools
from leadline.wiring.hosted import HostedCorpora
from leadline.wiring.loaded import loaded
from leadline.wiring.models import Models
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.own_keys import VaultKeys
from leadline.wiring.programs import Programs, has_sandbox
from leadline.wiring.provider import Provider
from leadline.wiring.ranking import Ranking
from leadline.wiring.remote import Reach
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.store import run_store, wake_of
from leadline.wiring.summaries import Summing
from leadline.wiring.telemetry import Telemetry, breaker_told, call_told, health_told, tool_breaker_told
from leadline.wiring.warming import Warming
from leadline.wiring.watched import watched_parts
from leadline.wiring.web import Web

MOST_CPU_WORKERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What a process of Leadline stands on while it runs. `can_compute`: programs may be run, by a first look."""

    settings: Settings
    store: Store
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    hosted: HostedCorpora
    models: Models
    wake: Wake
    can_compute: bool
    warming: Warming
    means: Provides
    past_means: Callable[[Run, Model], Means]
    outgoing: Outgoing
    tools: HeldTools
    external: External
    event_log: EventLog | None

    def shipping(self) -> AbstractAsyncContextManager[None]:
        """Ship to the event log, where there is one, while the context is open: for processes that stay."""
        return self.event_log.shipping() if self.event_log is not None else nullcontext()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ground:
    """What everything else stands on, open."""

    store: Store
    blobs: Blobs
    cpu: Cpu
    parser: ExtractPool
    corpora: Corpora
    hosted: HostedCorpora
    models: Models
    outgoing: Outgoing


@asynccontextmanager
async def platform(
    settings: Settings, *, clock: Clock | None = None, telemetry: Telemetry | None = None
) -> AsyncIterator[Platform]:
    """Build everything that `settings` choose, and take it down on leaving; `telemetry` hears what its parts do.

    Raises `SettingsError` for what cannot work, `StoreError` where data cannot be kept.
    """
    clock = clock or SystemClock()
    telemetry = telemetry or Telemetry()
    folder = await asyncio.to_thread(data_folder, settings)
    async with AsyncExitStack() as stack:
        ground = await _opened(settings, stack, folder=folder, clock=clock, signals=telemetry.signals)
        log = event_log(settings, store=ground.store, clock=clock, folder=folder)
        telemetry.watch(ground.store, log, folder)
        telemetry.watch_parts(watched_parts(settings))
        outgoing = ground.outgoing
        owns = VaultKeys(_accounts_of(settings, ground.hosted))
        web = Web(settings, clock=clock, parser=ground.parser, outgoing=outgoing, owns=owns)
        programs = Programs(settings, folder=folder, stack=stack)
        summing = Summing(settings, models=ground.models, outgoing=outgoing, cpu=ground.cpu)
        scholarly = Scholarly(settings, outgoing=outgoing, owns=owns)
        reach = Reach(settings, web=web, scholarly=scholarly, outgoing=outgoing, blobs=ground.blobs, owns=owns)
        external = External(settings, outgoing=outgoing, clock=clock, folder=folder)
        provider = Provider(
            settings=settings,
            store=ground.store,
            blobs=ground.blobs,
            cpu=ground.cpu,
            clock=clock,
            corpora=ground.corpora,
            hosted=ground.hosted,
            models=ground.models,
            ranking=Ranking(settings, stack, clock=clock, signals=telemetry.signals),
            programs=programs,
            external=external,
            summing=summing,
            doors=_doors(programs, telemetry.signals),
            reach=reach,
        )
        yield Platform(
            settings=settings,
            store=ground.store,
            blobs=ground.blobs,
            cpu=ground.cpu,
            clock=clock,
            corpora=ground.corpora,
            hosted=ground.hosted,
            models=ground.models,
            wake=wake_of(settings, ground.store),
            can_compute=await asyncio.to_thread(has_sandbox, settings),
            warming=Warming(settings, web=web, outgoing=outgoing, now=clock.now),
            means=provider.means,
            past_means=provider.past_means,
            outgoing=outgoing,
            tools=HeldTools(settings, cpu=ground.cpu, places=reach, programs=programs, summing=summing),
            external=external,
            event_log=log,
        )


async def _opened(
    settings: Settings, stack: AsyncExitStack, *, folder: Path, clock: Clock, signals: Signals
) -> _Ground:
    limits = Limits(seconds=settings.extract.seconds, memory=settings.extract.memory, bytes=settings.extract.max_bytes)
    cores = min(os.cpu_count() or 1, MOST_CPU_WORKERS)
    store = await stack.enter_async_context(run_store(settings, folder, signals=signals))
    blobs = await stack.enter_async_context(blob_store(settings, folder))
    cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or cores))
    parser = await stack.enter_async_context(ExtractPool(workers=cores, limits=limits))
    models = await asyncio.to_thread(
        Models,
        settings,
        stack,
        clock=clock,
        on_health=health_told(signals),
        on_call=call_told(signals),
        on_budgets=breaker_told(signals, "budgets"),
    )
    return _Ground(
        store=store,
        blobs=blobs,
        cpu=cpu,
        parser=parser,
        corpora=Corpora(
            folder / "corpora", parser=parser, clock=clock, limits=limits, embed=settings.embed, stack=stack
        ),
        hosted=HostedCorpora(settings, folder=folder, blobs=blobs, parser=parser, clock=clock, stack=stack),
        models=models,
        outgoing=await stack.enter_async_context(Outgoing(settings, clock=clock, folder=folder, signals=signals)),
    )


def _accounts_of(settings: Settings, hosted: HostedCorpora) -> Callable[[], Awaitable[Accounts | None]]:
    """Return what opens the accounts, once somebody ever kept any here."""

    async def accounts() -> Accounts | None:
        if not await asyncio.to_thread(are_kept, settings):
            return None
        await loaded("leadline.accounts.database", "leadline.accounts.sealing", "leadline.accounts.webhooks")
        return await hosted.accounts()

    return accounts


def _doors(programs: Programs, signals: Signals) -> Doors:
    return Doors(
        rooms={python.NAME: programs.at_once},
        same={python.TONGYI_NAME: python.NAME, scholar.NAMES[1]: scholar.NAMES[0], parse_file.NAME: visit.NAME},
        changed=tool_breaker_told(signals),
    )
