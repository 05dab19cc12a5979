"""What a refresh found, put into the index: a batch a transaction, counted as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

from leadline.errors import ExtractError
from leadline.extract.types import Extracted
from leadline.search import corpus_scan as scan
from leadline.search.corpus_index import Known, Seen, Writer
from leadline.search.corpus_schema import connect, prepare, translated
from leadline.search.corpus_types import FailedFile

T = TypeVar("T")

TextKey: TypeAlias = tuple[str, str]
"""What a text is found by: the hash of its bytes and the suffix that they were read under."""

_REMOVE_AT_ONCE: Final = 500


class Done(NamedTuple):
    """A candidate with its result: parsed just now, failed, or `None` for what is at hand."""

    look: scan.Looked | scan.Missed
    result: Extracted | ExtractError | None


@dataclass(slots=True)
class Counts:
    """What was found so far, in documents."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    parsed: int = 0
    failed: list[FailedFile] = field(default_factory=list)


class Store:
    """Puts batches into the index; lives in the writer's thread."""

    def __init__(self, writer: Writer, *, fetched_at: str, name: Callable[[str], str]) -> None:
        self.counts = Counts()
        self._writer = writer
        self._fetched_at = fetched_at
        self._name = name
        self._parsers = scan.parsers_in_force()
        self._failures: dict[TextKey, tuple[str, ExtractError]] = {}

    def keep(self, kept: Sequence[scan.Candidate]) -> None:
        """Count what is left as it is; what failed before is reported again."""
        for at in kept:
            row = at.known
            if row is None or row.text_id is not None:
                self.counts.unchanged += 1
            else:
                self.report(at.path, row.code or "", row.reason or "")

    def apply(self, batch: Sequence[Done]) -> None:
        """Commit a batch, all of it or none."""
        with self._writer.transaction():
            for done in batch:
                if isinstance(done.look, scan.Missed):
                    self._miss(done.look)
                else:
                    self._put(done.look, done.result)

    def remove(self, uris: Sequence[str]) -> None:
        """Forget documents that are no longer there."""
        for first in range(0, len(uris), _REMOVE_AT_ONCE):
            with self._writer.transaction():
                for uri in uris[first : first + _REMOVE_AT_ONCE]:
                    self._writer.remove_file(uri)
        self.counts.removed += len(uris)

    def _miss(self, missed: scan.Missed) -> None:
        if missed.candidate.known is not None:
            self._writer.remove_file(missed.candidate.uri)
            self.counts.removed += 1
        if missed.reason:
            self.report(missed.candidate.path, scan.UNREADABLE, missed.reason)

    def _put(self, looked: scan.Looked, result: Extracted | ExtractError | None) -> None:
        seen, known = looked.seen, looked.candidate.known
        key = (seen.raw_sha256, seen.suffix)
        if isinstance(result, ExtractError) and seen.raw_sha256:
            self._failures[key] = (seen.name, result)
        if isinstance(result, ExtractError):
            self._fail(looked, result.code, str(result))
        elif key in self._failures:  # the same bytes under another name, which the reason must not have
            first, failure = self._failures[key]
            self._fail(looked, failure.code, str(failure).replace(f"`{first}`", f"`{seen.name}`", 1))
        elif isinstance(result, Extracted):
            text_id = self._writer.put_text(seen, result, fetched_at=self._fetched_at)
            self.counts.parsed += 1
            self._point(seen, known, text_id=text_id, anew=True)
        elif (stored := self._writer.text_of(*key)) is not None:
            self._point(seen, known, text_id=stored[0], anew=False)
        elif known is not None:
            self._fail(looked, known.code or "", known.reason or "")

    def _point(self, seen: Seen, known: Known | None, *, text_id: int, anew: bool) -> None:
        if known is not None and known.text_id == text_id:
            self._writer.touch(seen.uri, seen.stamp, seen.checked)
        else:
            self._writer.put_file(seen, text_id)
        if known is None:
            self.counts.added += 1
        elif anew or known.raw_sha256 != seen.raw_sha256:
            self.counts.changed += 1
        else:
            self.counts.unchanged += 1

    def _fail(self, looked: scan.Looked, code: str, reason: str) -> None:
        self._writer.put_failure(looked.seen, parsers=self._parsers, code=code, reason=reason)
        self.report(looked.candidate.path, code, reason)

    def report(self, path: str, code: str, reason: str) -> None:
        """Name a document that gives no text."""
        self.counts.failed.append(FailedFile(self._name(path), code, reason))


class WriterThread:
    """The one thread in which an index is written, with its connection."""

    def __init__(self, index: Path) -> None:
        self._index = index
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="corpus-write")
        self._writer: Writer | None = None

    def start(self, function: Callable[[Writer], T]) -> asyncio.Future[T]:
        """Begin `function(writer)` and return its future. It raises `StoreError`."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, partial(self._call, function))

    async def close(self) -> None:
        """Wait for what was begun, and close the connection."""
        await asyncio.to_thread(self._close)

    def _call(self, function: Callable[[Writer], T]) -> T:
        with translated(self._index):
            if self._writer is None:
                prepare(self._index)
                self._writer = Writer(connect(self._index))
            return function(self._writer)

    def _close(self) -> None:
        self._threads.shutdown()
        if self._writer is not None:
            self._writer.close()
