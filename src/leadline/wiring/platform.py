"""Settings -> a running platform on one exit stack, entered in order and left in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from leadline.blobs.directory import DirectoryBlobs
from leadline.cpu import ProcessCpu
from leadline.errors import SettingsError
from leadline.extract.children import ExtractPool
from leadline.extract.types import Limits
from leadline.ports import Blobs, Clock, Cpu, Model, Run, RunStore, Wake
from leadline.research.study import Means, Provides
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.tools import python, scholar
from leadline.tools.gateway import Doors
from leadline.wiring.corpora import Corpora
from leadline.wiring.held_tools import HeldTools
from leadline.wiring.models import Models
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.programs import Programs, has_sandbox
from leadline.wiring.provider import Provider
from leadline.wiring.remote import Reach
from leadline.wiring.scholarly import Scholarly
from leadline.wiring.store import run_store, wake_of
from leadline.wiring.summaries import Summing
from leadline.wiring.warming import Warming
from leadline.wiring.web import Web

MOST_CPU_WORKERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What a process of Leadline stands on while it runs. `can_compute`: programs may be run, by a first look."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    models: Models
    wake: Wake
    can_compute: bool
    warming: Warming
    means: Provides
    past_means: Callable[[Run, Model], Means]
    outgoing: Outgoing
    tools: HeldTools


@asynccontextmanager
async def platform(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Platform]:
    """Build everything that `settings` choose, and take it down on leaving.

    Raises `SettingsError` for what cannot work, `StoreError` where data cannot be kept.
    """
    clock = clock or SystemClock()
    folder = await asyncio.to_thread(data_folder, settings)
    limits = Limits(seconds=settings.extract.seconds, memory=settings.extract.memory, bytes=settings.extract.max_bytes)
    cores = os.cpu_count() or 1
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(run_store(settings, folder))
        blobs = await stack.enter_async_context(DirectoryBlobs(_place(settings.blobs, folder / "blobs")))
        cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or min(cores, MOST_CPU_WORKERS)))
        parser = await stack.enter_async_context(ExtractPool(workers=min(cores, MOST_CPU_WORKERS), limits=limits))
        corpora = Corpora(
            folder / "corpora", parser=parser, clock=clock, limits=limits, embed=settings.embed, stack=stack
        )
        models = await asyncio.to_thread(Models, settings, stack, clock=clock)
        outgoing = await stack.enter_async_context(Outgoing(settings, clock=clock, folder=folder))
        web = Web(settings, clock=clock, parser=parser, outgoing=outgoing)
        programs = Programs(settings, folder=folder, stack=stack)
        summing = Summing(settings, models=models, outgoing=outgoing, cpu=cpu)
        reach = Reach(
            settings,
            web=web,
            scholarly=Scholarly(settings, outgoing=outgoing),
            outgoing=outgoing,
            blobs=blobs,
        )
        provider = Provider(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            programs=programs,
            summing=summing,
            doors=Doors(
                rooms={python.NAME: programs.at_once},
                same={python.TONGYI_NAME: python.NAME, scholar.NAMES[1]: scholar.NAMES[0]},
            ),
            reach=reach,
        )
        yield Platform(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            wake=wake_of(store),
            can_compute=await asyncio.to_thread(has_sandbox, settings),
            warming=Warming(settings, web=web, outgoing=outgoing, now=clock.now),
            means=provider.means,
            past_means=provider.past_means,
            outgoing=outgoing,
            tools=HeldTools(settings, cpu=cpu, places=reach, programs=programs, summing=summing),
        )


def data_folder(settings: Settings) -> Path:
    """Return the data folder, made for this user alone. Raises `SettingsError`."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"cannot make the data folder {folder}: {error.strerror}; set LEADLINE_DATA_DIR") from error
    return folder


def _place(url: str, default: Path) -> Path:
    path = urlsplit(url).path
    return Path(path) if path else default
