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
from leadline.ports import Blobs, Clock, Cpu, Model, Run, RunStore
from leadline.research.study import Means, Provides
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.tasks.sqlite.store import SqliteStore
from leadline.wiring.corpora import Corpora
from leadline.wiring.models import Models
from leadline.wiring.provider import Provider
from leadline.wiring.web import Web

MOST_CPU_WORKERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What a process of Leadline stands on while it runs."""

    settings: Settings
    store: RunStore
    blobs: Blobs
    cpu: Cpu
    clock: Clock
    corpora: Corpora
    models: Models
    means: Provides
    past_means: Callable[[Run, Model], Means]


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
        store = await stack.enter_async_context(SqliteStore.open(_place(settings.store, folder / "runs.db")))
        blobs = await stack.enter_async_context(DirectoryBlobs(_place(settings.blobs, folder / "blobs")))
        cpu = await stack.enter_async_context(ProcessCpu(settings.cpu.workers or min(cores, MOST_CPU_WORKERS)))
        parser = await stack.enter_async_context(ExtractPool(workers=min(cores, MOST_CPU_WORKERS), limits=limits))
        corpora = Corpora(
            folder / "corpora", parser=parser, clock=clock, limits=limits, embed=settings.embed, stack=stack
        )
        models = await asyncio.to_thread(Models, settings, stack)
        provider = Provider(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            web=Web(settings, clock=clock, parser=parser, stack=stack),
        )
        yield Platform(
            settings=settings,
            store=store,
            blobs=blobs,
            cpu=cpu,
            clock=clock,
            corpora=corpora,
            models=models,
            means=provider.means,
            past_means=provider.past_means,
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
