"""One page in the browser: loaded, left to settle, stopped, and read from an isolated world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leadline.errors import FetchFailed, FetchUnreadable, ToolFailed
from leadline.fetch.failures import of_status
from leadline.fetch.rendering import NOTHING, QUIET, SERIALISED, WANTED, RenderLimits
from leadline.fetch.urls import Target, shortened
from leadline.resilience import Deadline

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Frame, Page, Request, Response, Route

_OK: Final = frozenset({200, 203})
_WORLD: Final = "leadline"
_AGAIN_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 2.0
_KEPT_BACK: Final = 0.4  # of the time: for stopping and reading what a page has become


class Tree(NamedTuple):
    """A page's tree as HTML, its address, and whether some of it is missing."""

    html: str
    url: str
    cut: bool


class Tab:
    """The one page of a context. What its scripts open besides is closed."""

    def __init__(
        self, context: BrowserContext, *, admit: Callable[[str], Awaitable[Target]], limits: RenderLimits
    ) -> None:
        self._context = context
        self._admit = admit
        self._limits = limits
        self._page: Page | None = None
        self._requests = 0
        self._under_way = 0
        self._calm = asyncio.Event()
        self._over = False
        self._refused: ToolFailed | None = None
        self.has_crashed = False
        self._reading: asyncio.Timeout | None = None
        self._settling: asyncio.Timeout | None = None

    async def read(self, url: str, *, limit: Deadline) -> Tree:
        """Return what the page at `url` becomes.

        Raises `ToolFailed` subclasses, and what playwright raises when the page or browser goes away.
        """
        page = self._page = await self._context.new_page()
        page.on("crash", self._crashed)
        await self._listen()
        try:
            async with asyncio.timeout(limit.left()) as self._reading:
                return await self._read(page, url, limit)
        except TimeoutError:
            if self.has_crashed:
                raise FetchFailed("the page took its process down in the browser") from None
            raise

    def _crashed(self, _: Page) -> None:
        """Wait for nothing any more: not every command is answered where there is no page."""
        self.has_crashed = True
        _reschedule(self._reading, 0.0)

    async def _listen(self) -> None:
        context = self._context
        context.on("request", self._begun)
        context.on("requestfinished", self._ended)
        context.on("requestfailed", self._ended)
        context.on("page", self._opened)
        await context.route("**/*", self._decide)

    async def _read(self, page: Page, url: str, limit: Deadline) -> Tree:
        session = await self._context.new_cdp_session(page)
        world = _World(session)
        await self._loaded(page, url, limit)
        await self._settled(page, world, limit)
        await _stopped(session)
        value = await world.run(SERIALISED % self._limits.chars)
        html = value.get("html") if isinstance(value, dict) else None
        if not isinstance(html, str):
            raise FetchUnreadable(f"{shortened(url)} could not be read from the browser")
        return Tree(html=html, url=page.url, cut=bool(value.get("cut")) or self._over)

    async def _loaded(self, page: Page, url: str, limit: Deadline) -> None:
        """Load the page. Raises what an error status means, and what refused it."""
        from playwright.async_api import Error  # noqa: PLC0415 an extra

        try:
            response = await page.goto(url, wait_until="commit", timeout=limit.left() * 1000)
        except Error:
            if self._refused is not None:
                raise self._refused from None
            raise
        if response is None:
            raise FetchFailed(f"{shortened(url)} gave the browser no page")
        _check(url, response)

    async def _settled(self, page: Page, world: _World, limit: Deadline) -> None:
        """Wait until nothing is loaded and nothing changes any more; not longer than it may take."""
        most = min(self._limits.settle, limit.left() * (1 - _KEPT_BACK))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most) as self._settling:
                await page.wait_for_load_state("load", timeout=0)
                while not self._over and not await self._is_calm(world):
                    await self._loads()
        self._settling = None

    async def _is_calm(self, world: _World) -> bool:
        """Wait until the tree is left alone; whether it holds something then, and nothing is being loaded."""
        from playwright.async_api import Error  # noqa: PLC0415 an extra

        quiet = round(self._limits.quiet * 1000)
        try:
            letters = await world.run(QUIET % (quiet, quiet))
        except Error:  # the page went on to another while it was looked at
            return False
        return self._under_way <= 0 and isinstance(letters, int) and letters >= NOTHING

    async def _loads(self) -> None:
        """Wait until nothing is being loaded."""
        if self._under_way > 0:
            self._calm.clear()
            await self._calm.wait()

    # --- what the page does meanwhile ----------------------------------------------------------

    def _begun(self, _: Request) -> None:
        self._under_way += 1

    def _ended(self, _: Request) -> None:
        self._under_way -= 1
        if self._under_way <= 0:
            self._calm.set()

    async def _opened(self, page: Page) -> None:
        from playwright.async_api import Error  # noqa: PLC0415 an extra

        if page is not self._page:
            with contextlib.suppress(Error):
                await page.close()

    async def _decide(self, route: Route) -> None:
        """Let a request go on or not. Where it goes is the proxy's affair; this bounds how many, and of what kind."""
        from playwright.async_api import Error  # noqa: PLC0415 an extra

        self._requests += 1
        if self._requests > self._limits.requests:
            self._over = True
            _reschedule(self._settling, 0.0)
        if self._over:
            return  # it waits until the page is closed: an answer to each of a flood would cost more than the page
        with contextlib.suppress(Error):  # the page is gone, and its request with it
            if await self._wanted(route.request):
                await route.continue_()
            else:
                await route.abort("aborted")

    async def _wanted(self, request: Request) -> bool:
        if request.resource_type not in WANTED:
            return False
        if not request.is_navigation_request():
            return True
        frame = _frame(request)
        if frame is None or frame.page is not self._page:
            return False
        if frame.parent_frame is not None:
            return True
        try:
            await self._admit(request.url)
        except ToolFailed as error:
            self._refused = error
            _reschedule(self._settling, self._limits.quiet)  # it stays where it is, and waits for nothing
            return False
        return True


class _World:
    """Runs programs in a world of the main frame that the page's scripts cannot reach."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        self._frame: str | None = None

    async def run(self, program: str) -> Any:  # noqa: ANN401 JSON of a stranger's page
        """Return the program's value. Raises what playwright raises where the page went away meanwhile."""
        if self._frame is None:
            # The id of a page's target is that of its main frame.
            self._frame = (await self._session.send("Target.getTargetInfo"))["targetInfo"]["targetId"]
        where = {"frameId": self._frame, "worldName": _WORLD}
        world = await self._session.send("Page.createIsolatedWorld", where)
        how = {"contextId": world["executionContextId"], "returnByValue": True, "awaitPromise": True}
        reply = await self._session.send("Runtime.evaluate", {"expression": program, **how})
        return reply["result"].get("value")


async def _stopped(session: CDPSession) -> None:
    """Let no script of the page run any more, those that never end included.

    Switching scripts off waits for the one that runs, and each end lets the next one begin.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS), asyncio.TaskGroup() as tasks:
            off = tasks.create_task(_sent(session, "Emulation.setScriptExecutionDisabled", value=True))
            while not off.done():
                await _sent(session, "Runtime.terminateExecution")
                await asyncio.wait({off}, timeout=_AGAIN_SECONDS)


async def _sent(session: CDPSession, command: str, **parameters: bool) -> None:
    """Send a command; where the page is gone there is nothing left to stop."""
    from playwright.async_api import Error  # noqa: PLC0415 an extra

    with contextlib.suppress(Error):
        await session.send(command, dict(parameters))


def _reschedule(timeout: asyncio.Timeout | None, seconds: float) -> None:
    """Let a time limit end after so many seconds, where it does not end sooner."""
    at = asyncio.get_running_loop().time() + seconds
    if timeout is not None and not timeout.expired() and (timeout.when() or at) >= at:
        with contextlib.suppress(RuntimeError):  # it has just ended by itself
            timeout.reschedule(at)


def _frame(request: Request) -> Frame | None:
    from playwright.async_api import Error  # noqa: PLC0415 an extra

    try:
        return request.frame
    except Error:  # of a window that is being opened
        return None


def _check(url: str, response: Response) -> None:
    if response.status not in _OK:
        raise of_status(url, response.status)
    if "html" not in response.headers.get("content-type", ""):
        raise FetchUnreadable(f"{shortened(url)} gave the browser something else than a page")
