"""A service of others that answers small requests: turns, keys, verdicts, all errors typed."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

import orjson

from leadline.errors import ProviderBroken, ProviderDenied, ProviderFailed, ProviderLimited, ProviderUnavailable
from leadline.resilience import Deadline
from leadline.wire.http import Http, Reply, Request
from leadline.wire.keys import KeyRing

MOST_WAIT: Final = 3_600.0


class Turns(Protocol):
    """The outgoing limits of one service, as its client sees them."""

    async def turn(self, key: str, *, deadline: float) -> None:
        """Return once a request with `key` (its public name) may be sent. Raises `LimitReached`."""
        ...

    async def limited(self, key: str, *, retry_after: float | None) -> None:
        """Report that the service asked to wait."""
        ...


class NoTurns:
    """No limits."""

    async def turn(self, key: str, *, deadline: float) -> None:
        """See `Turns.turn`."""

    async def limited(self, key: str, *, retry_after: float | None) -> None:
        """See `Turns.limited`."""


Verdict = Callable[[str, Reply], ProviderFailed | None]
"""Returns what a reply means as a failure of the service named first, or `None` for a good one."""


class Service:
    """Sends requests to one service within its limits, with one of its keys, and judges the replies.

    A key that is refused or told to wait makes way for the next. `seconds` bounds one request.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        keys: KeyRing | None = None,
        turns: Turns | None = None,
        seconds: float = 10.0,
        verdict: Verdict | None = None,
    ) -> None:
        self.name = name
        self._http = http
        self._keys = keys or KeyRing(name)
        self._turns = turns or NoTurns()
        self._seconds = seconds
        self._verdict = verdict or failure_of

    async def ask(self, build: Callable[[str | None], Request], *, deadline: float) -> Reply:
        """Return the good reply to `build(key)`.

        Raises `ProviderFailed` subclasses and `LimitReached`; of several keys the last one's.
        """
        left = Deadline(deadline)
        last: ProviderFailed | None = None
        for _ in range(len(self._keys)):
            try:
                key = self._keys.next()
            except ProviderFailed as error:
                raise last or error from last
            known_as = self._keys.name(key)
            await self._turns.turn(known_as, deadline=left.left())
            reply = await self._http.send(build(key), deadline=min(self._seconds, left.left()))
            last = self._verdict(self.name, reply)
            if isinstance(last, ProviderDenied):
                self._keys.denied(key)
            elif isinstance(last, ProviderLimited):
                self._keys.limited(key, retry_after=last.retry_after)
                await self._turns.limited(known_as, retry_after=last.retry_after)
            elif last is not None:
                raise last
            else:
                return reply
        raise last or ProviderDenied(f"`{self.name}` has no key")


def failure_of(service: str, reply: Reply) -> ProviderFailed | None:
    """Return what a status means; bodies are not read."""
    status = reply.status
    if status == 200:
        return None
    told = f"`{service}` answered {status}"
    if status in {401, 402, 403}:
        return ProviderDenied(f"{told}: the key is wrong, has no permission or no quota left")
    if status == 429 or (status == 503 and "retry-after" in reply.headers):
        return ProviderLimited(f"{told}: it asks to wait", retry_after=retry_after(reply))
    if status == 408 or status >= 500:
        return ProviderUnavailable(f"{told}: it is down or overloaded")
    return ProviderBroken(f"{told}: it does not take the request")


def retry_after(reply: Reply) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110, section 10.2.3), a number or a date; `None` without."""
    told = reply.headers.get("retry-after", "").strip()
    if told.isascii() and told.replace(".", "", 1).isdigit():
        return min(MOST_WAIT, float(told))
    try:
        date = parsedate_to_datetime(told)
        now = parsedate_to_datetime(reply.headers["date"]).timestamp()
        return min(MOST_WAIT, max(0.0, date.timestamp() - now))
    except (ValueError, KeyError, OverflowError):
        return None


def json_object(service: str, reply: Reply) -> dict[str, Any]:
    """Return the reply's JSON object. Raises `ProviderBroken` for anything else, an HTML page above all."""
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        kind = reply.headers.get("content-type", "without a type")
        raise ProviderBroken(f"`{service}` answered no JSON ({kind[:60]})") from error
    if not isinstance(value, dict):
        raise ProviderBroken(f"`{service}` answered JSON in an unknown shape")
    return value


def objects(service: str, value: object, *, at: str) -> list[dict[str, Any]]:
    """Return the objects of a list that may be null; what is no object in it is passed over."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProviderBroken(f"`{service}` answered no list at `{at}`")
    return [item for item in value if isinstance(item, dict)]


def text_of(value: object) -> str:
    """Return a string as it is and anything else as nothing."""
    return value if isinstance(value, str) else ""
