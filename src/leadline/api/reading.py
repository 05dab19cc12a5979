"""Documents of tenants, beside runs: read as they come, and forgotten after they were deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from leadline.api.keeping import FRESH, named_by_runs
from leadline.domain import RunState
from leadline.errors import LeadlineError, StoreError
from leadline.ports import Cursor
from leadline.wiring import Platform
from leadline.wiring.hosted import SIGN

log = logging.getLogger("leadline.corpora")

LOOK_SECONDS: Final = 2.0
"""Seconds after which a process looks for documents that others took in."""

PAUSE_SECONDS: Final = 10.0
_LIVE: Final = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
_PAGE: Final = 500


async def keep_reading(running: Platform) -> None:
    """Read documents as they come, several side by side, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for place in range(running.settings.corpora.readers):
            group.create_task(_reader(running), name=f"reader {place}")


@asynccontextmanager
async def reading(running: Platform) -> AsyncIterator[None]:
    """Read documents while the context is open; where there are no accounts, there are none."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keep_reading(running), name="reading")
        try:
            yield
        finally:
            task.cancel()


async def _reader(running: Platform) -> None:
    while True:
        try:
            found = await running.hosted.read_one()
        except StoreError as error:
            log.warning("documents_not_read", extra={"reason": str(error)})
            await running.clock.sleep(PAUSE_SECONDS)
        except LeadlineError as error:  # no accounts on this machine, and there will be none
            log.info("documents_rest", extra={"reason": str(error)})
            return
        else:
            if not found:
                await running.hosted.rung(LOOK_SECONDS)


async def forget_deleted(running: Platform) -> int:
    """Forget what tenants deleted: rows of versions that no run works with, and bodies; return the bytes freed.

    Bodies that were stored within the last hour stay until the next time: a run may be about to
    name them. Indexes of this machine go as well. Raises `StoreError`.
    """
    accounts = await running.hosted.accounts()
    freed = 0
    for tenant in await accounts.leftovers.tenants():
        oldest = await running.hosted.newest(tenant)  # before runs are listed: who starts later has these or newer ones
        for corpus, version in (await _in_use(running, tenant)).items():
            if corpus in oldest:
                oldest[corpus] = min(oldest[corpus], version)
        await accounts.leftovers.forget(tenant, oldest)
        begun = running.clock.now() - FRESH
        keep = await named_by_runs(running, tenant) | await accounts.leftovers.blobs(tenant)
        freed += await running.blobs.sweep(tenant, frozenset(keep), older_than=begun)
        await accounts.leftovers.swept(tenant, begun=begun)
    newest: dict[str, int] = {}
    for tenant_ in await accounts.tenants.list():
        newest |= await running.hosted.newest(tenant_.id)
    return freed + await running.hosted.tidy(newest)


async def _in_use(running: Platform, tenant: str) -> dict[str, int]:
    """Return the oldest version of each corpus that a run of the tenant has still to search."""
    found: dict[str, int] = {}
    async for name in _searched(running, tenant):
        corpus, sign, version = name.partition(SIGN)
        if sign:
            found[corpus] = min(int(version), found.get(corpus, int(version)))
    return found


async def _searched(running: Platform, tenant: str) -> AsyncIterator[str]:
    """Yield the corpora that runs of a tenant have still to search, as they name them."""
    for state in _LIVE:
        before: Cursor | None = None
        while page := await running.store.runs(tenant=tenant, state=state, before=before, limit=_PAGE):
            before = page[-1].cursor
            for name in [name for run in page for name in run.options.corpora]:
                yield name
