"""The live screen on a terminal: a few lines that change in place, and vanish at the end."""

from __future__ import annotations

import time
from collections import deque
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from leadline.cli.engine import Indexing
from leadline.cli.shell import clean
from leadline.cli.story import Story, clock, money, plural
from leadline.domain import Budget
from leadline.events import Progress, Record

_LINES = 5


class Screen:
    """Shows what is searched, read and found, the budget and the time, eight times a second.

    Rich draws from a thread of its own; it only reads what the event loop's thread writes.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False)
        self._live = Live(self, console=self._console, refresh_per_second=8, transient=True, redirect_stdout=False)
        self._spinner = Spinner("dots")
        self._story = Story(run_id="")
        self._recent: deque[str] = deque(maxlen=_LINES)
        self._index: Indexing | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def indexing(self, progress: Indexing) -> None:
        """Show how far the index is."""
        self._index = progress

    def begin(self, run_id: str) -> None:
        """Show the run from now on."""
        self._story = Story(run_id=run_id)
        self._index = None
        self.say(f"run {run_id}")

    def take(self, item: Record | Progress) -> None:
        """Take what happened; the last lines of it are seen."""
        lines = self._story.take(item)
        if self._story.ended is not None:
            for line in lines:
                self.say(line)
        else:
            self._recent.extend(clean(line) for line in lines)

    def say(self, text: str) -> None:
        """Show a line that stays above the live ones."""
        self._console.print(Text(clean(text)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw: what it does, the last lines, the budget."""
        if self._index is not None:
            yield self._row(
                f"indexing: {self._index.done:,} of {self._index.found:,} {self._index.what}  {clean(self._index.name)}"
            )
            return
        doing = clean(self._story.doing)
        yield self._row(doing)
        for line in (line for line in tuple(self._recent) if line != doing):
            yield Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis")
        yield Text(
            f"  {spent(self._story, time.monotonic() - self._began)}",
            no_wrap=True,
            overflow="ellipsis",
        )

    def _row(self, text: str) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(no_wrap=True, overflow="ellipsis")
        row.add_row(self._spinner, Text(text))
        return row


def spent(story: Story, seconds: float) -> str:
    """Return what a run has used of its budget so far, in one line."""
    budget: Budget = story.budget
    parts = [
        clock(seconds) + ("" if budget.seconds is None else f" of {clock(budget.seconds)}"),
        plural(story.steps, "step") + ("" if budget.steps is None else f" of {budget.steps}"),
        plural(story.sources, "source"),
    ]
    if story.model_calls:
        limit = "" if budget.tokens is None else f" of {budget.tokens:,}"
        parts.append(f"{story.tokens:,}{limit} tokens")
    if story.usd or budget.usd is not None:
        limit = "" if budget.usd is None else f" of {money(budget.usd)}"
        parts.append(f"{money(story.usd)}{limit}")
    if story.verdicts:
        parts.append(story.checked())
    return " · ".join(parts)


class StatusLine:
    """One line that changes in place, with others above it that stay."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False)
        self._status = self._console.status(Text(""))

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def update(self, text: str) -> None:
        """Show another text."""
        self._status.update(Text(clean(text), no_wrap=True, overflow="ellipsis"))

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(Text(clean(text)))
