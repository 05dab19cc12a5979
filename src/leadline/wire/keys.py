"""Several keys of one service, taken in turn; one that is refused or exhausted rests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leadline.errors import ProviderDenied, ProviderLimited
from leadline.resilience import Monotonic

DENIED_SECONDS: Final = 900.0
"""How long a key that was refused is left out: it may have been renewed or paid for since."""

LIMITED_SECONDS: Final = 5.0
"""How long a key rests that was told to wait, but not how long."""


@dataclass(slots=True)
class _State:
    denied_until: float = 0.0
    limited_until: float = 0.0


class KeyRing:
    """The keys of one service; without keys it holds one, `None`."""

    def __init__(self, service: str, keys: Sequence[str] = (), *, monotonic: Monotonic = time.monotonic) -> None:
        self._service = service
        self._states: dict[str | None, _State] = {key: _State() for key in keys or (None,)}
        self._order: list[str | None] = list(self._states)
        self._monotonic = monotonic

    def __len__(self) -> int:
        return len(self._order)

    def next(self) -> str | None:
        """Return the key that rested longest.

        Raises `ProviderDenied` when all are refused, `ProviderLimited` when the others were told
        to wait.
        """
        now = self._monotonic()
        for key in self._order:
            state = self._states[key]
            if max(state.denied_until, state.limited_until) <= now:
                self._order.remove(key)
                self._order.append(key)
                return key
        waits = [state.limited_until - now for state in self._states.values() if state.denied_until <= now]
        if not waits:
            raise ProviderDenied(f"`{self._service}` refuses every key it was given; check them and their quota")
        raise ProviderLimited(f"`{self._service}` asked every key to wait", retry_after=min(waits))

    def denied(self, key: str | None) -> None:
        """Report that the service refused `key`."""
        self._states[key].denied_until = self._monotonic() + DENIED_SECONDS

    def limited(self, key: str | None, *, retry_after: float | None) -> None:
        """Report that the service asked `key` to wait."""
        wait = LIMITED_SECONDS if retry_after is None else max(0.0, retry_after)
        self._states[key].limited_until = self._monotonic() + wait

    @staticmethod
    def name(key: str | None) -> str:
        """Return what a key is called where it may be seen."""
        return "none" if key is None else hashlib.blake2b(key.encode(), digest_size=4).hexdigest()
