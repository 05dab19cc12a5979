"""How a batch is shown: a line for each answer, and on a terminal one that changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, Self

from leadline.cli.batch_files import RowId, cost_of, is_failed
from leadline.cli.engine import Indexing
from leadline.cli.shell import Shell
from leadline.cli.story import clock, money
from leadline.cli.views import IndexLines


class Status(Protocol):
    """One line that changes in place."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, text: str) -> None:
        """Show another text."""
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...


class Board:
    """Counts a batch's answers and shows them; `before` rows of `total` had theirs already."""

    def __init__(self, shell: Shell, status: Status, *, total: int, before: int) -> None:
        self._shell = shell
        self._status = status
        self._total = total
        self._done = before
        self._failed = 0
        self._working = 0
        self._usd = 0.0
        self._index = IndexLines(self.say)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._status.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._index.rest()
        self._status.__exit__(*_)

    def indexing(self, progress: Indexing) -> None:
        """Show how far the index is."""
        if self._shell.events:
            self._shell.event(
                {
                    "type": "indexing",
                    "found": progress.found,
                    "done": progress.done,
                    "name": progress.name,
                    "what": progress.what,
                }
            )
            return
        self._status.update(f"indexing: {progress.done:,} of {progress.found:,} {progress.what}")
        if not sys.stderr.isatty():
            self._index.note(progress)

    def working(self, count: int) -> None:
        """Show how many rows are at work."""
        self._index.rest()
        self._working = count
        self._status.update(self._line())

    def done(self, id: RowId, body: Mapping[str, Any] | None) -> None:
        """Show that a row has its answer or failed; `None` is a row that was stopped."""
        if body is None:
            return
        self._done += 1
        self._working = max(0, self._working - 1)
        failed = is_failed(body)
        self._failed += failed
        self._usd += cost_of(body)
        stop = str(body.get("stop_reason", ""))
        if self._shell.events:
            self._shell.event({"type": "row", "id": id, "ok": not failed, "state": _state(body, stop)})
        else:
            self.say(f"[{self._done:,}/{self._total:,}] {id}: {_state(body, stop.replace('_', ' '))}")
        self._status.update(self._line())

    def say(self, text: str) -> None:
        """Show a line that stays."""
        if self._shell.events or self._shell.quiet:
            self._shell.say(text)
        else:
            self._status.say(text)

    def _line(self) -> str:
        parts = [f"{self._done:,} of {self._total:,} done", f"{self._working:,} at work"]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if self._usd:
            parts.append(money(self._usd))
        return " · ".join([*parts, clock(time.monotonic() - self._began)])


def _state(body: Mapping[str, Any], stop: str) -> str:
    """Return how a row ended; `stop` is why its run did."""
    if "error" in body:
        return f"failed: {body['error']['message']}"
    if "failure" not in body:
        return stop
    return f"{stop}: this report is what could be done after a failure: {body['failure']['message']}"


class Still:
    """No line that changes: for logs, pipes and programs."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def update(self, text: str) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Write the line."""
        self._shell.say(text)


def board_for(shell: Shell, *, total: int, before: int) -> Board:
    """Return the board that options and terminal ask for."""
    if shell.events or shell.quiet or not sys.stderr.isatty():
        return Board(shell, Still(shell), total=total, before=before)
    from leadline.cli.live import StatusLine  # noqa: PLC0415 rich is imported where it is seen

    return Board(shell, StatusLine(), total=total, before=before)
