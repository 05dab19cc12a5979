"""What the commands ask of an engine: `leadline.api.Leadline` in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias, overload

from leadline.domain import Json, Options, Report, RunState
from leadline.events import Progress, Record
from leadline.ports import Run

TextFormat: TypeAlias = Literal["md", "html", "json", "bibtex", "ris", "csl"]
BinaryFormat: TypeAlias = Literal["docx", "pdf"]
Format: TypeAlias = TextFormat | BinaryFormat
Form: TypeAlias = Format | Literal["text"]
"""A form of a report here: an engine's, or text for a terminal, which is made of the report alone."""


class Failed(Protocol):
    """A document that gives no text."""

    @property
    def name(self) -> str:
        """What the document is called."""
        ...

    @property
    def reason(self) -> str:
        """Why it gives none."""
        ...


class Indexing(Protocol):
    """How far an index is: how many were found, are done with, and the one at hand."""

    @property
    def found(self) -> int:
        """How many were found so far."""
        ...

    @property
    def done(self) -> int:
        """How many are done with."""
        ...

    @property
    def name(self) -> str:
        """The document at hand, or the model that embeds."""
        ...

    @property
    def what(self) -> str:
        """What is counted: `documents`, then `passages` where they are embedded."""
        ...


class Indexed(Protocol):
    """What an index holds, and what changed in it."""

    @property
    def added(self) -> int:
        """Documents that are new."""
        ...

    @property
    def changed(self) -> int:
        """Documents whose bytes changed."""
        ...

    @property
    def removed(self) -> int:
        """Documents that are gone."""
        ...

    @property
    def unchanged(self) -> int:
        """Documents that are as before."""
        ...

    @property
    def skipped(self) -> Mapping[str, int]:
        """Files passed over on purpose, by reason."""
        ...

    @property
    def failed(self) -> Sequence[Failed]:
        """Documents that give no text."""
        ...

    @property
    def documents(self) -> int:
        """Documents that can be searched."""
        ...

    @property
    def seconds(self) -> float:
        """The time it took."""
        ...

    @property
    def embedded(self) -> int:
        """Passages that got a vector."""
        ...

    @property
    def pending(self) -> int:
        """Passages that wait for one."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without harm to the index."""
        ...


class Verified(Protocol):
    """How a report stands against its stored sources."""

    @property
    def ok(self) -> bool:
        """Whether every quote and hash stands."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not stand, one line each."""
        ...

    @property
    def claims(self) -> int:
        """Claims looked at."""
        ...

    @property
    def quotes(self) -> int:
        """Quotes looked at."""
        ...


class Estimated(Protocol):
    """What a run is expected to use; US dollars are `None` where no price is known."""

    @property
    def steps(self) -> int | None:
        """Rounds at most."""
        ...

    @property
    def model_calls(self) -> int:
        """Calls of a model at most."""
        ...

    @property
    def tokens_low(self) -> int:
        """Tokens of a short run."""
        ...

    @property
    def tokens_high(self) -> int:
        """Tokens at most."""
        ...

    @property
    def usd_low(self) -> float | None:
        """Cost of a short run."""
        ...

    @property
    def usd_high(self) -> float | None:
        """Cost at most."""
        ...

    @property
    def strategy(self) -> str:
        """How evidence would be gathered."""
        ...

    @property
    def chosen(self) -> str:
        """Why that is the strategy."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the figures stand on."""
        ...


class Swept(Protocol):
    """What a collection freed."""

    @property
    def runs(self) -> int:
        """Runs deleted."""
        ...

    @property
    def bytes(self) -> int:
        """Bytes freed."""
        ...


class Engine(Protocol):
    """Runs, reports and what is kept of them."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def options(self, **overrides: object) -> Options:
        """Return the options of a run: the settings', with overrides."""
        ...

    async def start(
        self,
        question: str,
        *,
        docs: Sequence[Path] = (),
        options: Options | None = None,
        language: str | None = None,
        servers: Sequence[str] = (),
        indexing: Callable[[Indexing], None] | None = None,
        indexed: Callable[[Indexed], None] | None = None,
    ) -> str:
        """Begin a run and return its id. Raises `InputError`, `BudgetError`, `StoreError`."""
        ...

    def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Record | Progress]:
        """Yield what happens in a run until it has ended."""
        ...

    async def result(self, run_id: str) -> Report:
        """Wait for a run's end and return its report. Raises the run's failure."""
        ...

    async def finish(self, run_id: str) -> None:
        """Ask a run to stop gathering and write."""
        ...

    async def cancel(self, run_id: str) -> None:
        """Ask a run to stop."""
        ...

    async def resume(self, run_id: str) -> None:
        """Take a run up where its journal ends. Raises `UnknownRun`, `WrongState`."""
        ...

    async def reply(self, run_id: str, reply: Mapping[str, Json]) -> None:
        """Answer a run that waits for a person, and take it up. Raises `UnknownRun`, `WrongState`, `InputError`."""
        ...

    async def run(self, run_id: str) -> Run:
        """Return a run's row. Raises `UnknownRun`."""
        ...

    async def runs(self, *, state: RunState | None = None, limit: int = 50) -> Sequence[Run]:
        """Return runs, newest first."""
        ...

    async def report(self, run_id: str) -> Report:
        """Return an ended run's report. Raises `UnknownRun`, `WrongState`."""
        ...

    def check_format(self, format: Format) -> None:
        """Raise `MissingExtra` where this form could not be made."""
        ...

    @overload
    async def render(self, report: Report, format: TextFormat) -> str: ...

    @overload
    async def render(self, report: Report, format: BinaryFormat) -> bytes: ...

    @overload
    async def render(self, report: Report, format: Format) -> str | bytes: ...

    async def beside(self, report: Report) -> Mapping[str, bytes]:
        """Return what a Markdown report names and does not hold, by its place beside the file."""
        ...

    async def records(self, run_id: str) -> Sequence[Record]:
        """Return a run's journal."""
        ...

    async def replay(self, run_id: str) -> Report:
        """Run again over the record. Raises `ReplayError`."""
        ...

    async def verify(self, target: str | Path) -> Verified:
        """Check a run, an exported file or a report against the stored sources."""
        ...

    async def export(self, run_id: str, path: Path) -> None:
        """Write one file that holds all of a run."""
        ...

    async def index(self, paths: Sequence[Path], progress: Callable[[Indexing], None] | None = None) -> Indexed:
        """Bring the index of these files and folders up to date."""
        ...

    async def estimate(self, question: str, *, docs: Sequence[Path], options: Options) -> Estimated:
        """Return what a run is expected to use; nothing is asked of a model."""
        ...

    async def gc(self, *, older_than_days: float | None) -> Swept:
        """Delete ended runs above an age, and what nothing refers to."""
        ...
