"""One tool's service, as its clients see it: `POST {address}/{tool}` with a deadline and a key.

The deadline travels as the milliseconds that are left, so that clocks need not agree. A call that
is cancelled closes its connection, which the service takes for a cancel of the work. A service
that is down is left alone for a while: pages and providers fail one by one inside a call, so that
the breaker of the call itself would never learn of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from leadline import codec
from leadline.errors import LimitReached, ProviderBroken, ProviderUnavailable
from leadline.ports.correlation import outgoing_headers
from leadline.resilience import Breaker
from leadline.wire.http import Http, Reply, Request
from leadline.wire.own_keys import HEADER as OWN_KEYS
from leadline.wire.problems import failure_from

DEADLINE: Final = "Leadline-Deadline-Ms"
"""Header of a request: the milliseconds that are left for it."""

TENANT: Final = "Leadline-Tenant"
"""Header of a request: whose it is, where answers that are not public are kept apart."""

PORTS: Final[Mapping[str, int]] = {"search": 8001, "visit": 8002, "scholar": 8003, "python": 8004, "summarize": 8005}
"""The tools that can be services of their own, with the ports that they listen on unless told otherwise."""

# What the way to the service and back may take beyond the work's own time.
_WAY_SECONDS: Final = 0.25
# Of its own time, so that it is the client who says that the service was late.
_OWN_SECONDS: Final = 0.05
# Larger answers are decoded beside the event loop.
_SMALL: Final = 1 << 18


class ToolClient:
    """Asks the service of `tool` at `address`. `key` is sent as a bearer token.

    `path` is put behind `address` instead of the tool's name; it may be empty. Clients of one
    service share its `breaker`.
    """

    def __init__(
        self,
        http: Http,
        address: str,
        *,
        tool: str,
        key: str = "",
        path: str | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self.name = f"the {tool} service"
        self._http = http
        self._url = f"{address.rstrip('/')}{f'/{tool}' if path is None else path}"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._breaker = breaker or Breaker()

    async def ask(
        self,
        body: Mapping[str, Any],
        *,
        deadline: float,
        tenant: str = "",
        own_keys: str = "",
        large: bool = False,
    ) -> dict[str, Any]:
        """Return the answer's JSON object. `large` bodies are encoded beside the event loop.

        `own_keys` are the tenant's own, as their header has them.

        Raises what the service told of as a kind of `ToolFailed`; `ProviderUnavailable` where it
        cannot be reached or is late, `LimitReached` while it is left alone, `ProviderDenied` where
        it refuses the key, `ProviderBroken` for an answer of another shape.
        """
        left = max(1, int((deadline - min(_WAY_SECONDS, deadline / 10)) * 1000))
        named = {TENANT: tenant, OWN_KEYS: own_keys}
        headers = {**self._headers, DEADLINE: str(left), **{k: v for k, v in named.items() if v}, **outgoing_headers()}
        data = await asyncio.to_thread(codec.encode, body) if large else codec.encode(body)
        request = Request(url=self._url, method="POST", headers=headers, data=data)
        reply, answer = await self._exchange(request, deadline - min(_OWN_SECONDS, deadline / 20))
        if reply.status != 200:
            raise failure_from(answer or {}, service=self.name, status=reply.status)
        if answer is None:
            raise ProviderBroken(f"{self.name} answered in a wrong shape")
        return answer

    async def _exchange(self, request: Request, deadline: float) -> tuple[Reply, dict[str, Any] | None]:
        """Send it and learn whether the service is there; what it says of the work is no verdict on itself."""
        if not self._breaker.allow():
            wait = self._breaker.retry_in()
            raise LimitReached(f"{self.name} kept failing and is left alone for {wait:.3g} s", retry_after=wait)
        try:
            reply = await self._http.send(request, deadline=deadline)
            answer = await self._read(reply.body)
        except ProviderUnavailable:
            self._breaker.failed()
            raise
        except BaseException:  # cancelled or broken off: no verdict, and the trial is free again
            self._breaker.abandoned()
            raise
        if reply.status >= 500 and "code" not in (answer or {}):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return reply, answer

    async def _read(self, body: bytes) -> dict[str, Any] | None:
        try:
            value = orjson.loads(body) if len(body) < _SMALL else await asyncio.to_thread(orjson.loads, body)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None
