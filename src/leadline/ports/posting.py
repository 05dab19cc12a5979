"""Telling addresses that are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Posted(NamedTuple):
    """An answer: its status, and after how many seconds to come again, where it says so."""

    status: int
    retry_after: float | None


class Posts(Protocol):
    """Sends bodies to addresses that tenants name."""

    def check(self, url: str) -> None:
        """Raise `Forbidden` for an address that is refused as it is written; its host is looked at when it is told."""
        ...

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Posted:
        """Send JSON and return the answer, whatever its status; nothing is followed.

        Raises `Forbidden`, `NotFound` and `FetchFailed`.
        """
        ...
