"""Pages as a browser builds them: headless Chromium, confined, behind the guarded proxy.

One browser a process, started at the first page that needs it. Each page has a context of its own
(no cookies, no storage of others) and a proxy of its own, which ends with it: what the page costs
is bounded there, and where it goes is decided there, whatever its scripts do. The browser's network
has no other way out; see `Cage`. Needs the extra `browser`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from socket import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from leadline.errors import FetchFailed, FetchTimeout, FetchTooLarge, ToolMissing
from leadline.fetch.guard import Guard
from leadline.fetch.http import Page
from leadline.fetch.proxy import USER, GuardedProxy, ProxyLimits
from leadline.fetch.rendering import ARGUMENTS, RenderLimits
from leadline.fetch.tab import Tab
from leadline.fetch.urls import Target, shortened
from leadline.resilience import Deadline, Monotonic, Owned

if TYPE_CHECKING:
    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, Playwright

_WATCH_SECONDS: Final = 0.25
_LOOKS: Final = 2
_GOODBYE: Final = 3.0
_START_SECONDS: Final = 20.0
_AGAIN: Final = 60.0  # seconds after a start that failed
_MOST_REASON: Final = 300
_VIEW: Final = {"width": 1280, "height": 4000}  # high, so that what is shown when scrolled to is shown

Admit = Callable[[str], Awaitable[Target]]
"""Decides on the address of a page that is to be loaded. Raises `ToolFailed`."""


class Cell(Protocol):
    """One browser's processes: what to start, the doors of its network, its memory and its end."""

    @property
    def program(self) -> str:
        """What to start."""
        ...

    @property
    def arguments(self) -> tuple[str, ...]:
        """With which arguments."""
        ...

    async def doors(self) -> Sequence[socket]:
        """Return the sockets that listen in the browser's network, once it runs; they stay the cell's.

        Raises `ToolMissing`.
        """
        ...

    def memory(self) -> int:
        """Return the bytes that nothing else bounds; blocks."""
        ...

    def out_of_memory(self) -> bool:
        """Whether the kernel killed one of its processes for want of memory; blocks."""
        ...

    def kill(self, *, driver: bool) -> None:
        """End the browser at once, and what drives it too."""
        ...

    def close(self) -> None:
        """Take everything away; blocks."""
        ...


class Cage(Protocol):
    """Confines a browser: no files, and no network but what comes to its doors."""

    async def cell(self, arguments: Sequence[str]) -> Cell:
        """Return a cell for a Chromium that is started with `arguments`; it must be closed."""
        ...


class _Running:
    """A browser that was started: how many pages it serves and has served, and why it is of no more use."""

    def __init__(self, cell: Cell, driver: Playwright, chromium: Chromium, doors: Sequence[socket]) -> None:  # noqa: PLR0917 one constructor call
        self.cell = cell
        self.driver = driver
        self.chromium = chromium
        self.doors = list(doors)
        self.served = 0
        self.busy = 0
        self.free = asyncio.Event()
        self.free.set()
        self.lost: asyncio.Future[FetchFailed] = asyncio.get_running_loop().create_future()

    def lose(self, why: FetchFailed) -> None:
        """Note that it is gone; the first reason stands."""
        if not self.lost.done():
            self.lost.set_result(why)


class Browser:
    """Renders pages; an asynchronous context manager whose end ends the browser.

    `admit` decides on each page that is loaded as a whole, robots.txt included; everything else
    that a page loads is the guard's affair. `agent` is sent as User-Agent. `pages` are rendered at
    a time: the cage must have as many doors.
    """

    def __init__(
        self,
        cage: Cage,
        guard: Guard,
        *,
        admit: Admit,
        agent: str,
        pages: int = 1,
        limits: RenderLimits | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._cage = cage
        self._guard = guard
        self._admit = admit
        self._agent = agent
        self._limits = limits or RenderLimits()
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(pages)
        self._opening = asyncio.Lock()
        self._running: _Running | None = None
        self._starting: asyncio.Task[_Running] | None = None
        self._failed_at: float | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._work = Owned("browser", failed=_told_elsewhere)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._work.close()
        async with self._opening:
            await self._stop()

    async def render(self, page: Page, *, deadline: float) -> Page:
        """Return `page` as its scripts make it, within `deadline` seconds and the limits.

        Its body is the tree as HTML, and it has no validators: that the file which the scripts are
        in has not changed says nothing. Raises `Forbidden`, `NotFound`, `FetchFailed`, and
        `ToolMissing` where no confined browser can be had.
        """
        limit = Deadline(min(deadline, self._limits.seconds))
        try:
            async with asyncio.timeout(limit.left()), self._slots, self._lent() as running:
                return await self._rendered(running, page, limit)
        except TimeoutError as error:
            raise FetchTimeout(f"{shortened(page.final_url)} took too long in the browser") from error

    async def _rendered(self, running: _Running, page: Page, limit: Deadline) -> Page:
        reading = self._work.spawn(self._read(running, page, limit), name="page")
        try:
            either: set[asyncio.Future[Any]] = {reading, running.lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            failed = not reading.done() or reading.exception() is not None
            if failed and await asyncio.to_thread(running.cell.out_of_memory):
                running.lose(self._too_large())
                raise self._too_large()
            if reading.done() and not (failed and running.lost.done()):
                return reading.result()
            raise running.lost.result()
        finally:
            # Its context is closed before its door is another page's; that takes no longer than `_GOODBYE`.
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self, running: _Running, page: Page, limit: Deadline) -> Page:
        costs = self._limits
        bounds = ProxyLimits(
            seconds=costs.seconds, idle=costs.seconds, connections=costs.connections, total=costs.bytes
        )
        door = running.doors.pop()
        try:
            async with GuardedProxy(self._guard, limits=bounds, door=door) as proxy, self._tab(running, proxy) as tab:
                tree = await tab.read(page.final_url, limit=limit)
                target = await self._admit(tree.url)
                kept = {name: value for name, value in page.headers.items() if name in {"cache-control", "age"}}
                return replace(
                    page,
                    final_url=target.url,
                    body=tree.html.encode("utf-8", "replace"),
                    headers={**kept, "content-type": "text/html; charset=utf-8"},
                    media_type="text/html",
                    truncated=tree.cut or proxy.exhausted,
                )
        finally:
            running.doors.append(door)

    @asynccontextmanager
    async def _tab(self, running: _Running, proxy: GuardedProxy) -> AsyncIterator[Tab]:
        """Lend a page in a context of its own; one that will not close takes the browser with it."""
        from playwright.async_api import Error  # noqa: PLC0415 an extra

        try:
            context = await running.chromium.new_context(
                accept_downloads=False,
                permissions=[],
                proxy={"server": proxy.server, "username": USER, "password": proxy.token},
                service_workers="block",
                user_agent=self._agent,
                viewport={"width": _VIEW["width"], "height": _VIEW["height"]},
            )
            tab = Tab(context, admit=self._admit, limits=self._limits)
            try:
                yield tab
            finally:
                if tab.has_crashed:  # what it held may be held for a while
                    running.lose(FetchFailed("a page took its process down in the browser"))
                await _forgotten(running, context)
        except Error as error:
            raise FetchFailed(f"the browser could not read the page: {_line(error)}") from error

    def _too_large(self) -> FetchTooLarge:
        return FetchTooLarge(f"the page took more than {self._limits.memory >> 20} MiB in the browser")

    # --- the browser -------------------------------------------------------------------------

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Running]:
        """Lend the browser, started if need be; the last to leave starts the clock of its end."""
        async with self._opening:
            running = await self._current()
            running.served += 1
            running.busy += 1
            running.free.clear()
        try:
            yield running
        finally:
            running.busy -= 1
            if not running.busy:
                running.free.set()
                self._end_later()

    async def _current(self) -> _Running:
        """Return the browser; one that is lost or has served enough is replaced when nobody uses it."""
        running = self._running
        if running is not None and (running.lost.done() or running.served >= self._limits.pages):
            await running.free.wait()
            await self._stop()
        return self._running or await self._started()

    async def _started(self) -> _Running:
        """Start the browser. Who has no time to wait for it leaves it to the next page."""
        if self._starting is None or self._starting.done():
            if self._failed_at is not None and self._monotonic() - self._failed_at < _AGAIN:
                raise ToolMissing("the browser could not be started a moment ago")
            self._starting = self._work.spawn(self._start(), name="start")
        return await asyncio.shield(self._starting)

    async def _start(self) -> _Running:
        await asyncio.to_thread(import_module, "playwright.async_api")  # it takes a quarter of a second
        from playwright.async_api import Error, async_playwright  # noqa: PLC0415 an extra

        cell = await self._cage.cell(ARGUMENTS)
        driver: Playwright | None = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                driver = await async_playwright().start()
                running = await self._launched(cell, driver)
        except (Error, ToolMissing, TimeoutError) as error:
            self._failed_at = self._monotonic()
            await _ended(cell, driver)
            raise ToolMissing(f"no confined browser can be had here: {_line(error)}") from error
        except BaseException:
            await _ended(cell, driver)
            raise
        self._failed_at = None
        running.chromium.on("disconnected", lambda _: running.lose(FetchFailed("the browser ended")))
        self._work.start(self._watch(running), name="memory")
        self._running = running
        self._end_later()
        return running

    async def _launched(self, cell: Cell, driver: Playwright) -> _Running:
        launching = self._work.spawn(
            driver.chromium.launch(
                executable_path=cell.program,
                args=cell.arguments,
                ignore_default_args=True,
                env={},
                timeout=_START_SECONDS * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            ),
            name="launch",
        )
        waiting = self._work.spawn(cell.doors(), name="doors")
        try:
            await asyncio.wait({launching, waiting}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (launching, waiting):
                if task.done():
                    task.result()  # what failed is raised, before the other is waited for
            return _Running(cell, driver, launching.result(), waiting.result())
        finally:
            for task in (launching, waiting):
                task.cancel()

    async def _watch(self, running: _Running) -> None:
        """Kill a browser that takes more memory than it may, where the kernel does not.

        Two looks decide: a process that is just being made may hide what it shares, and look larger.
        """
        above = 0
        while not running.lost.done():
            await asyncio.sleep(_WATCH_SECONDS)
            larger = running.busy > 0 and await asyncio.to_thread(running.cell.memory) > self._limits.memory
            above = above + 1 if larger else 0
            if above == _LOOKS:
                running.lose(self._too_large())
                running.cell.kill(driver=False)

    def _end_later(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(
            self._limits.idle, lambda: self._work.start(self._end_if_idle(), name="idle")
        )

    async def _end_if_idle(self) -> None:
        async with self._opening:
            if self._running is not None and not self._running.busy:
                await self._stop()

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        running.lose(FetchFailed("the browser was ended"))
        with contextlib.suppress(Exception):  # a driver that fails at its end is killed below
            async with asyncio.timeout(_GOODBYE):
                await running.chromium.close()
        await _ended(running.cell, running.driver)


async def _forgotten(running: _Running, context: BrowserContext) -> None:
    """Close a page with all that it kept; a browser that cannot is of no more use."""
    try:
        async with asyncio.timeout(_GOODBYE):
            await context.close()
    except TimeoutError:
        running.lose(FetchFailed("the browser had to be ended"))


async def _ended(cell: Cell, driver: Playwright | None) -> None:
    """Take a browser's processes away; a driver that does not go is killed."""
    cell.kill(driver=False)
    try:
        async with asyncio.timeout(_GOODBYE):
            if driver is not None:
                await driver.stop()
    except Exception:  # noqa: BLE001 whatever its end was, its process must go
        cell.kill(driver=True)
    await asyncio.to_thread(cell.close)


def _line(error: BaseException) -> str:
    """Return what a foreign error says, in one line: the last words of the program where it quotes them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line.partition("[err]")[2].strip() for line in lines if "[err]" in line]
    return shortened((said or lines or [type(error).__name__])[-1 if said else 0][:_MOST_REASON])


def _told_elsewhere(_name: str, _error: BaseException) -> None:
    """Leave a failure to whoever waits for the task."""
