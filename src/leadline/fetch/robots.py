"""robots.txt (RFC 9309): what a host asks of programs, fetched once and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, NamedTuple, Protocol, Self

from protego import Protego

from leadline.errors import FetchFailed, FetchUnavailable, NotFound
from leadline.fetch.urls import Target
from leadline.resilience import Monotonic, SingleFlight

RobotsPolicy = Literal[
    "obey",  # what robots.txt forbids is not read
    "ignore",  # robots.txt is not asked for
]

MOST_BYTES: Final = 500 * 1024  # what RFC 9309 section 2.5 demands of a parser
_KEPT: Final = 3_600.0  # seconds; RFC 9309 allows a day
_KEPT_FORBIDDEN: Final = 300.0
_KEPT_UNREACHABLE: Final = 60.0
_MOST_HOSTS: Final = 1_024
_AT_ONCE: Final = 8 * 1024  # bytes; a longer file is parsed and asked beside the event loop


class Verdict(NamedTuple):
    """Whether an address may be read, and how many seconds the host wants between requests."""

    allowed: bool
    delay: float | None = None
    reason: str = ""


ALLOWED: Final = Verdict(allowed=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rules:
    """What is known until a monotonic time: parsed rules, or a verdict or failure for all addresses."""

    until: float
    parsed: Protego | None = None
    size: int = 0
    verdict: Verdict = ALLOWED
    failure: str = ""


class Kept(Protocol):
    """The files that other processes have fetched, by origin."""

    async def through(self, origin: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the file that is kept, else what `load` brings, and keep it. Raises what `load` raises."""
        ...


class Robots:
    """The robots.txt files of the hosts that are read; an asynchronous context manager.

    `load` fetches the one for a page, past what `kept` has. `agent` is the product name that rules may name. A file
    that the server has not (4xx) allows all; one that it cannot give (5xx) forbids all, for five
    minutes; for a minute, a host that cannot be reached at all is not tried again.
    """

    def __init__(
        self,
        load: Callable[[Target], Awaitable[bytes]],
        *,
        agent: str,
        kept: Kept | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._load = load
        self._agent = agent
        self._shared = kept
        self._monotonic = monotonic
        self._kept: OrderedDict[str, _Rules] = OrderedDict()
        self._flights: SingleFlight[str, _Rules] = SingleFlight("robots")

    async def __aenter__(self) -> Self:
        await self._flights.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._flights.__aexit__(kind, error, trace)

    async def ask(self, target: Target) -> Verdict:
        """Return what the host of `target` says about reading it.

        Raises `FetchUnavailable` where it cannot be reached, `Forbidden` where the guard refuses it.
        """
        rules = self._kept.get(target.origin)
        if rules is None or rules.until <= self._monotonic():
            rules = await self._flights.run(target.origin, lambda: self._learn(target))
        if rules.failure:
            raise FetchUnavailable(rules.failure)
        if rules.parsed is None:
            return rules.verdict
        if rules.size <= _AT_ONCE:
            return _judge(rules.parsed, target.url, self._agent)
        return await asyncio.to_thread(_judge, rules.parsed, target.url, self._agent)

    async def _learn(self, target: Target) -> _Rules:
        rules = await self._read(target)
        self._kept[target.origin] = rules
        self._kept.move_to_end(target.origin)
        while len(self._kept) > _MOST_HOSTS:
            self._kept.popitem(last=False)
        return rules

    async def _read(self, target: Target) -> _Rules:
        try:
            body = await self._file(target)
        except NotFound:
            return _Rules(until=self._monotonic() + _KEPT)
        except FetchFailed as error:
            return self._without(error)
        text = body[:MOST_BYTES].decode("utf-8", "replace")
        parsed = Protego.parse(text) if len(body) <= _AT_ONCE else await asyncio.to_thread(Protego.parse, text)
        return _Rules(until=self._monotonic() + _KEPT, parsed=parsed, size=len(body))

    async def _file(self, target: Target) -> bytes:
        if self._shared is None:
            return await self._load(target)
        return await self._shared.through(target.origin, lambda: self._load(target))

    def _without(self, error: FetchFailed) -> _Rules:
        """Return what holds where there is no file to read (RFC 9309 section 2.3.1)."""
        now = self._monotonic()
        if error.status is None:
            return _Rules(until=now + _KEPT_UNREACHABLE, failure=str(error))
        if error.status >= 500:
            verdict = Verdict(allowed=False, reason=f"its robots.txt is out of order (HTTP {error.status})")
            return _Rules(until=now + _KEPT_FORBIDDEN, verdict=verdict)
        return _Rules(until=now + _KEPT)


def _judge(rules: Protego, url: str, agent: str) -> Verdict:
    allowed = rules.can_fetch(url, agent)
    return Verdict(allowed, delay=rules.crawl_delay(agent), reason="" if allowed else "its robots.txt asks not to")
