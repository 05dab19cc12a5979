"""The fence around data in a prompt: a mark that no page can foresee, drawn anew for each run.

A page that writes of itself as the system, the user or another tool result stays inside: only a
line with the run's own mark ends the data. The mark comes from the branch's random, so that resume
and replay draw the same; the run's seed is drawn by chance, so that nobody else can. Where a
model's own words carried the mark outside and it came back in a page, it is taken out of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from leadline.research.prompts import prompt
from leadline.text.clean import neutralise

MARK_BITS = 64


class Chance(Protocol):
    """Repeatable chance, as a branch has it."""

    def getrandbits(self, k: int, /) -> int:
        """Return a number of so many bits."""
        ...


@dataclass(frozen=True, slots=True)
class Fence:
    """Marks data; `mark` is what its lines carry, empty where the dialect has no place for a fence."""

    mark: str = ""

    @classmethod
    def drawn(cls, chance: Chance) -> Self:
        """Return a fence with a new mark."""
        return cls(f"{chance.getrandbits(MARK_BITS):0{MARK_BITS // 4}x}")

    @property
    def opening(self) -> str:
        """The line before data."""
        return f"<<data {self.mark}>>"

    @property
    def closing(self) -> str:
        """The line after data."""
        return f"<<end of data {self.mark}>>"

    @property
    def notice(self) -> str:
        """What a model must know of the fence, empty without a mark."""
        return prompt("fence").format(opening=self.opening, closing=self.closing) if self.mark else ""

    def around(self, text: str, *, inert: bool = False) -> str:
        """Return `text`, made inert unless it is, between the fence's lines; without a mark only inert."""
        text = text if inert else neutralise(text)
        if not self.mark:
            return text
        known = text.replace(self.mark, "…")  # never by nothing: the pieces left could make it anew
        return f"{self.opening}\n{known}\n{self.closing}"

    def without(self, text: str) -> str:
        """Return what `around` made, without the fence's lines."""
        if not self.mark:
            return text
        return text.replace(f"{self.opening}\n", "").replace(f"\n{self.closing}", "")
