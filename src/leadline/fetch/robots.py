"""robots.txt (RFC 9309): what a host asks of programs, fetched once and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from protego import Protego

from leadline.errors import FetchFailed, FetchUnavailable, Forbidden, NotFound, ToolFailed
from leadline.fetch.urls import Target
from leadline.resilience import Monotonic, SingleFlight

RobotsPolicy = Literal[
    "obey",  # what robots.txt forbids is not read
    "ignore",  # robots.txt is not asked for
]

MOST_BYTES: Final = 500 * 1024  # what RFC 9309 section 2.5 demands of a parser
_KEPT: Final = 3_600.0  # seconds; RFC 9309 allows a day
_KEPT_UNREACHABLE: Final = 300.0
_MOST_HOSTS: Final = 1_024
_AT_ONCE: Final = 8 * 1024  # bytes; a longer file is parsed and asked beside the event loop


class Verdict(NamedTuple):
    """Whether an address may be read, and how many seconds the host wants between requests."""

    allowed: bool
    delay: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Rules:
    until: float
    rules: Protego | None  # `None`: `otherwise` holds for all
    otherwise: bool
    size: int = 0
    reason: str = ""


class Robots:
    """The robots.txt files of the hosts that are read; an asynchronous context manager.

    `load` fetches one, an address to its text. `agent` is the product name that rules may name.
    A file that is missing allows all; one that cannot be reached forbids all for five minutes.
    """

    def __init__(
        self, load: Callable[[Target], Awaitable[bytes]], *, agent: str, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._load = load
        self._agent = agent
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
        """Return what the host of `target` says about reading it."""
        rules = self._kept.get(target.origin)
        if rules is None or rules.until <= self._monotonic():
            rules = await self._flights.run(target.origin, lambda: self._learn(target))
        if rules.rules is None:
            return Verdict(rules.otherwise, reason=rules.reason)
        if rules.size <= _AT_ONCE:
            return _judge(rules.rules, target.url, self._agent)
        return await asyncio.to_thread(_judge, rules.rules, target.url, self._agent)

    async def _learn(self, target: Target) -> _Rules:
        rules = await self._read(target)
        self._kept[target.origin] = rules
        self._kept.move_to_end(target.origin)
        while len(self._kept) > _MOST_HOSTS:
            self._kept.popitem(last=False)
        return rules

    async def _read(self, target: Target) -> _Rules:
        now = self._monotonic()
        try:
            body = await self._load(target)
        except FetchUnavailable as error:
            if error.status is None or error.status >= 500:  # noqa: PLR2004 HTTP code
                return _Rules(now + _KEPT_UNREACHABLE, None, otherwise=False, reason=str(error))
            return _Rules(now + _KEPT, None, otherwise=True)
        except Forbidden:
            raise
        except (NotFound, FetchFailed) as error:
            if getattr(error, "status", 404) is None:
                return _Rules(now + _KEPT_UNREACHABLE, None, otherwise=False, reason=str(error))
            return _Rules(now + _KEPT, None, otherwise=True)
        text = body[:MOST_BYTES].decode("utf-8", "replace")
        parsed = Protego.parse(text) if len(body) <= _AT_ONCE else await asyncio.to_thread(Protego.parse, text)
        return _Rules(now + _KEPT, parsed, otherwise=True, size=len(body))


def _judge(rules: Protego, url: str, agent: str) -> Verdict:
    allowed = rules.can_fetch(url, agent)
    return Verdict(allowed, delay=rules.crawl_delay(agent), reason="" if allowed else "its robots.txt asks not to")
