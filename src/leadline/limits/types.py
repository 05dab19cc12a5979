"""What a limit is, who keeps it, and what a store of reservations must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

HOLD_SECONDS: Final = 1.0
"""How long a key is held where a server asked to wait but not for how long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """`rate` units a second under `key`; after a pause `burst` units may pass at once.

    A call has weight 1; where tokens are counted its weight is their number.
    """

    key: str
    rate: float
    burst: float = 1.0

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.burst > 0:
            raise ValueError(f"a limit needs a positive rate and burst: {self}")


class Limiter(Protocol):
    """Makes callers wait until all limits that apply to a call let it pass."""

    async def acquire(self, limits: Sequence[Limit], *, deadline: float, weight: float = 1.0) -> float:
        """Return the seconds waited, once every limit lets the call pass.

        First come, first served for each key. Raises `LimitReached` at once when that would take
        longer than `deadline` seconds, and then nothing was used up; a caller that is cancelled
        while it waits gives back what it had reserved.
        """
        ...

    async def limited(self, key: str, *, retry_after: float | None = None) -> None:
        """Report that a server asked to wait: nobody passes `key` for so long, then more slowly.

        The rate under `key` is halved, at most once a second, and grows back steadily: additive
        increase, multiplicative decrease (Chiu and Jain, 1989).
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A place in a key's queue: its time by the ledger's clock, and how long it is, in seconds."""

    at: float
    span: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """What a ledger gave: how long to wait, and the slots that are taken now.

    `refused` means that the wait is longer than allowed; nothing was taken.
    """

    wait: float
    refused: bool = False
    taken: Mapping[str, Slot]


class Ledger(Protocol):
    """Reservations for each key, by one clock.

    The generic cell rate algorithm, reserving (ITU-T I.371; a key's state is the time at which
    it would next be idle). A key that alone would let the call pass much earlier than the slowest
    one does is not taken yet, so that a queue at one host or tenant holds up nobody else: it is
    asked for again when the time has come.
    """

    async def reserve(
        self, limits: Sequence[Limit], *, taken: Mapping[str, Slot], weight: float, within: float
    ) -> Reserved:
        """Take slots under the limits that are not in `taken`, or whose key was held since.

        The reply's `taken` names all that the call holds now. All passed when it names every
        limit and `wait` is 0.
        """
        ...

    async def refund(self, slots: Mapping[str, Slot]) -> None:
        """Give back slots that will not be used; those of the past are lost."""
        ...

    async def limited(self, key: str, *, seconds: float) -> None:
        """Hold `key` for `seconds` and halve its rate."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapting:
    """How a key's rate reacts to a server that asks to wait.

    Each report halves it, down to the share `floor`, at most once in `pause` seconds; it grows
    back by `recovery` of the full rate a second.
    """

    floor: float = 0.1
    pause: float = 1.0
    recovery: float = 1 / 60
