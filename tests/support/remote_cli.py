"""What a call of the program gave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Told(NamedTuple):
    code: int
    out: str
    err: str


Program = Callable[..., Awaitable[Told]]
