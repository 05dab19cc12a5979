"""Ways to show a run while it lasts: JSON lines, plain lines, or nothing. `live` has the screen."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, Self

from leadline.cli.engine import Indexing
from leadline.cli.shell import Shell, write_error
from leadline.cli.story import Story, clock
from leadline.codec import orjson_tree
from leadline.events import Progress, Record

_EVERY: Final = 2.0
"""Seconds between two lines about the same index."""


class View(Protocol):
    """Shows a run. Entered before it begins; what it shows for the moment vanishes at the end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def indexing(self, progress: Indexing) -> None:
        """Show how far an index is."""
        ...

    def begin(self, run_id: str) -> None:
        """Show that a run exists."""
        ...

    def take(self, item: Record | Progress) -> None:
        """Show what happened."""
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def indexing(self, progress: Indexing) -> None:
        """Show nothing."""

    def begin(self, run_id: str) -> None:
        """Show nothing."""

    def take(self, item: Record | Progress) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


class IndexLines:
    """Plain lines about an index: one every few seconds while it is made, however long one document takes."""

    def __init__(self, say: Callable[[str], None], *, every: float = _EVERY) -> None:
        self._say = say
        self._every = every
        self._progress: Indexing | None = None
        self._timer: asyncio.TimerHandle | None = None

    def note(self, progress: Indexing) -> None:
        """Note how far it is, on the event loop."""
        self._progress = progress
        if self._timer is None:
            self._arm()

    def rest(self) -> None:
        """Say nothing more: the index is made."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._tick)

    def _tick(self) -> None:
        if self._progress is not None:
            self._say(f"indexing: {self._progress.done:,} of {self._progress.found:,} {self._progress.what}")
        self._arm()


class Lines(Silent):
    """Plain lines, for a log or a pipe: one for each search, document and phase."""

    def __init__(self) -> None:
        self._story = Story(run_id="")
        self._index = IndexLines(write_error)

    def __exit__(self, *_: object) -> None:
        """End."""
        self._index.rest()

    def indexing(self, progress: Indexing) -> None:
        """Write a line now and then."""
        self._index.note(progress)

    def begin(self, run_id: str) -> None:
        """Note the run's name for its first line."""
        self._index.rest()
        self._story = Story(run_id=run_id)

    def take(self, item: Record | Progress) -> None:
        """Write the lines that the event is worth."""
        for line in self._story.take(item):
            write_error(f"[{clock(self._story.seconds)}] {line}")

    def say(self, text: str) -> None:
        """Write the line."""
        write_error(text)


class Events(Silent):
    """JSON lines for a program: the journal's events as they are, and what is not in it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._run_id = ""
        self._spoke = 0.0

    def indexing(self, progress: Indexing) -> None:
        """Write `{"type": "indexing", "found", "done", "name", "what"}`, ten a second at most."""
        now = time.monotonic()
        if now - self._spoke < 0.1 and progress.done != progress.found:
            return
        self._spoke = now
        self._shell.event(
            {
                "type": "indexing",
                "found": progress.found,
                "done": progress.done,
                "name": progress.name,
                "what": progress.what,
            }
        )

    def begin(self, run_id: str) -> None:
        """Remember the run's name: every event carries it."""
        self._run_id = run_id

    def take(self, item: Record | Progress) -> None:
        """Write the event."""
        if isinstance(item, Progress):
            self._shell.event(
                {
                    "type": "progress",
                    "run_id": item.run_id,
                    "branch": item.branch,
                    "kind": item.kind,
                    "text": item.text,
                }
            )
        else:
            self._shell.event(event_json(self._run_id, item))

    def say(self, text: str) -> None:
        """Write `{"type": "message", "text"}`."""
        self._shell.event({"type": "message", "text": text})


def event_json(run_id: str, record: Record) -> dict[str, Any]:
    """Return a record of the journal as the JSON object that `--json-events` and `--raw` print."""
    return {
        "type": record.event.type,
        "run_id": run_id,
        "seq": record.seq,
        "at": record.at,
        "branch": record.branch,
        **orjson_tree(record.event),
    }


def view_for(shell: Shell) -> View:
    """Return the view that options and terminal ask for."""
    if shell.events:
        return Events(shell)
    if shell.quiet:
        return Silent()
    if sys.stderr.isatty():
        from leadline.cli.live import Screen  # noqa: PLC0415 rich is imported where it is seen

        return Screen()
    return Lines()
