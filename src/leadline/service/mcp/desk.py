"""What a host of the protocol may ask for, wherever it is done: in this process, in a service, behind a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from leadline.domain import RunState


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A question and how it is to be researched; `web` is `None` where the desk decides."""

    question: str
    strategy: str = "auto"
    web: bool | None = None
    corpora: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    length: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a run stands. `waits_for` says what a person must decide first."""

    run_id: str
    state: RunState
    question: str
    stop_reason: str | None = None
    failure: str | None = None
    waits_for: str | None = None
    model_calls: int = 0
    tool_calls: int = 0
    cost_usd: float = 0.0


class Desk(Protocol):
    """Does what the tools say. All methods raise `LeadlineError`."""

    async def start(self, wish: Wish) -> Standing:
        """Start a run."""
        ...

    async def standing(self, run_id: str) -> Standing:
        """Return where a run stands. Raises `UnknownRun`."""
        ...

    async def wait(self, run_id: str, seconds: float) -> Standing:
        """Return where a run stands once it has ended or waits, or after so long."""
        ...

    async def report(self, run_id: str, form: str) -> str:
        """Return an ended run's report as `md` or `json`. Raises `WrongState`, `RunFailed`, `RunCancelled`."""
        ...

    async def cancel(self, run_id: str) -> Standing:
        """Stop a run. Raises `WrongState`."""
        ...

    async def search(self, query: str, limit: int) -> str:
        """Return hits, as text: of the web, or of documents of this machine."""
        ...

    async def visit(self, url: str, goal: str) -> str:
        """Return what of a page or document serves the goal, as text."""
        ...
