"""Who may read metrics: they name servers, providers and money, so not everybody who reaches the port."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from leadline.wire.hosts import is_loopback, is_own_host

REFUSED: Final = "metrics are shown to who sends their key as a bearer token"
"""What others are told, where there is a key."""

REFUSED_WITHOUT_KEY: Final = "without LEADLINE_METRICS__KEY metrics are shown to programs of this machine alone"
"""What others are told, where there is none."""

_FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class Gate:
    """Lets in whoever shows one of the keys; without any, a program of this machine that asks directly.

    Keys are told here and not looked up: metrics must be there when the store is not.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys if key]

    @property
    def refusal(self) -> str:
        """What is told to whoever is not let in."""
        return REFUSED if self._keys else REFUSED_WITHOUT_KEY

    def lets_in(self, peer: str, headers: Mapping[str, str]) -> bool:
        """Whether who asks from the address `peer` may read; names of headers are in lower case."""
        if self._keys:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            shown = given.strip().encode("utf-8", "surrogateescape")  # some servers decode headers so
            return any(hmac.compare_digest(shown, key) for key in self._keys) and scheme.lower() == "bearer"
        # What a balancer on this machine passes on comes from loopback, and is not this machine's.
        direct = not any(name in headers for name in _FORWARDED)
        return direct and is_loopback(peer) and is_own_host(headers.get("host", ""))
