"""A confined browser over a hostile web, for tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from leadline.fetch.browser import Browser
from leadline.fetch.browser import Cage as AnyCage
from leadline.fetch.guard import Guard
from leadline.fetch.hosts import Hosts
from leadline.fetch.http import Fetcher, Page
from leadline.fetch.rendering import RenderLimits
from leadline.resilience import SystemClock
from leadline.sandbox.chromium import cage
from leadline.testing import HostileWeb

MiB = 1 << 20
LIMITS = RenderLimits(seconds=20.0, settle=3.0, quiet=0.2)


@dataclass(frozen=True, kw_only=True)
class Browsing:
    """A browser, the fetcher before it, and the web that both meet."""

    browser: Browser
    fetcher: Fetcher
    web: HostileWeb

    async def rendered(self, path: str) -> Page:
        """Fetch a page and render it."""
        page = await self.fetcher.fetch(self.web.url(path), deadline=10)
        return await self.browser.render(page, deadline=30)

    async def shown(self, path: str) -> str:
        """Return the tree that a page becomes."""
        return (await self.rendered(path)).body.decode()


@asynccontextmanager
async def browsing(
    web: HostileWeb, *, limits: RenderLimits = LIMITS, pages: int = 1, within: AnyCage | None = None
) -> AsyncIterator[Browsing]:
    """Open a browser over `web`, in a cage of its own unless another is given."""
    guard = Guard(allow_private=web.networks, resolve=web.resolve)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        fetcher = await stack.enter_async_context(Fetcher(guard, clock=clock, hosts=Hosts(clock=clock, delay=0.0)))
        confined = within
        if confined is None:
            confined = await asyncio.to_thread(cage, None, memory=limits.memory, doors=pages)
        browser = Browser(confined, guard, admit=fetcher.admit, agent="Leadline/0 (test)", pages=pages, limits=limits)
        yield Browsing(browser=await stack.enter_async_context(browser), fetcher=fetcher, web=web)


def browsers() -> list[int]:
    """Return the processes of the confined browsers that this process has started; others' are theirs."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "--user-data-dir=/tmp/profile" in command and "chrom" in command:
                found.append(process.pid)
    return found


def gone(processes: list[int], *, seconds: float = 5.0) -> bool:
    """Wait until none of the processes is left; whether that came about."""
    until = time.monotonic() + seconds
    while any(Path(f"/proc/{process}").exists() for process in processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
