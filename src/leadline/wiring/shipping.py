"""Shipping to the event log by hand: without models, tools and workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leadline.errors import InputError
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.wiring.eventlog import EventLog, event_log
from leadline.wiring.folders import data_folder
from leadline.wiring.store import run_store


@asynccontextmanager
async def opened_log(settings: Settings) -> AsyncIterator[EventLog]:
    """Open the store and yield its event log. Raises `InputError` where there is none, `StoreError`."""
    folder = await asyncio.to_thread(data_folder, settings)
    async with run_store(settings, folder) as store:
        log = event_log(settings, store=store, clock=SystemClock(), folder=folder)
        if log is None:
            raise InputError("there is no event log: set LEADLINE_EVENT_LOG, for example to jsonl://")
        yield log
