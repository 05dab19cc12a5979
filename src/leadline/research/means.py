"""What the engine is given for a run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from leadline.ports import Cpu, Model, Run, Tools


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What the engine is given for a run; the same for all its branches.

    `recall` brings the evidence of an earlier run; it is never offered to a model.
    """

    tools: Tools
    cpu: Cpu
    recall: Tools | None = None
    model: Model | None = None
    judge: Model | None = None


class Provides(Protocol):
    """Gives a run what it works with."""

    def __call__(self, run: Run) -> AbstractAsyncContextManager[Means]:
        """Return the run's means for as long as it is held."""
        ...
