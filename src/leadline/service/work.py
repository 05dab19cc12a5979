"""What a service does beside requests: carry runs, count what they used, tidy up. Each ends when the process leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final, TypeAlias

from leadline.api.reading import forget_deleted, keep_reading
from leadline.api.scheduling import keep_firing, scheduler_of
from leadline.api.slots import Slots
from leadline.errors import StoreError
from leadline.service.hooks import Sender
from leadline.service.services import Services
from leadline.wiring.hooks import noting

log = logging.getLogger("leadline.service")

Work: TypeAlias = Callable[[Services], Coroutine[Any, Any, None]]

TIDY_SECONDS: Final = 3_600.0


async def carrying(services: Services) -> None:
    """Take runs from the queue, where the engine is embedded; on leaving hand back what is held, at once."""
    if not services.carries:
        return
    running = services.platform
    places = services.settings.worker.concurrency
    slots = Slots(worker=services.worker, store=running.store, wake=running.wake, count=places)
    await slots.serve(services.leaving.told)


async def accounting(services: Services) -> None:
    """Count what runs of this process used as soon as they end."""
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(services.settling.work(), name="settling")
        await services.leaving.wait()
        counting.cancel()
    await services.settling.settle()


async def upkeep(services: Services) -> None:
    """Count what runs of other processes used, and forget what is over."""
    clock = services.platform.clock
    tidied = clock.now()
    while not await rested(services, services.settings.service.upkeep_seconds):
        try:
            await services.door.reconcile()
            if clock.now() - tidied >= TIDY_SECONDS:
                tidied = clock.now()
                await services.accounts.tidy()
                await forget_deleted(services.platform)
        except StoreError as error:
            log.warning("upkeep_failed", extra={"reason": str(error)})


async def delivering(services: Services) -> None:
    """Tell webhooks: note what happened, and send it; what is cut off on leaving is sent again elsewhere."""
    running, accounts = services.platform, services.accounts
    sender = Sender(
        deliveries=accounts.deliveries,
        webhooks=accounts.webhooks,
        posts=services.posts,
        clock=running.clock,
        random=Random(),  # noqa: S311 spreads attempts, guards nothing
        owner=services.worker.owner,
    )
    async with asyncio.TaskGroup() as group:
        tasks = (
            group.create_task(noting(running, accounts.deliveries).run(), name="note deliveries"),
            group.create_task(sender.run(), name="send deliveries"),
        )
        await services.leaving.wait()
        for task in tasks:
            task.cancel()


async def shipping(services: Services) -> None:
    """Ship to the event log, where there is one; whether this process carries runs or not."""
    async with services.platform.shipping():
        await services.leaving.wait()


async def scheduling(services: Services) -> None:
    """Make runs of schedules that are due; of all processes one makes each."""
    scheduler = await scheduler_of(services.settings, services.accounts, services.platform)
    async with asyncio.TaskGroup() as group:
        firing = group.create_task(keep_firing(scheduler), name="schedules")
        await services.leaving.wait()
        firing.cancel()


async def reading(services: Services) -> None:
    """Read documents that were uploaded; what is cut off on leaving is read elsewhere."""
    async with asyncio.TaskGroup() as group:
        readers = group.create_task(keep_reading(services.platform), name="readers")
        await services.leaving.wait()
        readers.cancel()


WORK: Final[Sequence[Work]] = (carrying, accounting, upkeep, delivering, shipping, scheduling, reading)
"""All of it, a task each; a failure that gets out of one ends the process."""


async def rested(services: Services, seconds: float) -> bool:
    """Wait so long; return at once, and true, when the process leaves."""
    try:
        async with asyncio.timeout(seconds):
            await services.leaving.wait()
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def beside(services: Services, works: Sequence[Work] = WORK) -> AsyncIterator[None]:
    """Do all of it while the context is open; then the process leaves, if it had not begun to."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work(services), name=work.__name__)
            yield
            services.leaving.begin()
    finally:
        services.leaving.begin()
