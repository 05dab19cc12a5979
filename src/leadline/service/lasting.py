"""Whether who asked a while ago is still let in: what answers that go on for long ask again and again."""

from __future__ import annotations

import time
from typing import Final

from leadline.errors import AccessError, LeadlineError
from leadline.resilience import Monotonic
from leadline.service.asgi import Scope
from leadline.service.door import Door

MOST_SECONDS: Final = 15.0
"""Seconds for which a stream may outlive its key."""


class Lasting:
    """The credential of one request, which is looked at again at most every so many `seconds`."""

    def __init__(self, door: Door, scope: Scope, *, seconds: float, monotonic: Monotonic = time.monotonic) -> None:
        self._door = door
        self._scope = scope
        self._seconds = min(seconds, MOST_SECONDS)
        self._monotonic = monotonic
        self._asked_at = monotonic()

    async def check(self) -> None:
        """Raise `AccessError` where it is not accepted any more; where nobody can tell now, it is."""
        now = self._monotonic()
        if now - self._asked_at < self._seconds:
            return
        self._asked_at = now
        try:
            await self._door.caller(self._scope)
        except AccessError:
            raise
        except LeadlineError:
            return
