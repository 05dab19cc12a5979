"""One refresh of a corpus index: walk, look, parse, store.

Reading and parsing run ahead of storing by a bounded amount. Storing keeps the order of the walk,
so that equal folders give equal indexes, and commits whole documents, so that a refresh that is
killed goes on next time where it was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

from leadline.errors import ExtractError, TooLarge
from leadline.extract.types import Extracted, Limits
from leadline.extract.walk import Walk, walk
from leadline.ports import Clock
from leadline.search import corpus_scan as scan
from leadline.search.addresses import Addresses
from leadline.search.corpus_index import Writer
from leadline.search.corpus_schema import locked
from leadline.search.corpus_store import Done, Store, TextKey, WriterThread
from leadline.search.corpus_types import IndexProgress, IndexReport, Parser

Look: TypeAlias = scan.Looked | scan.Missed
Result: TypeAlias = Extracted | ExtractError | None
Window: TypeAlias = deque[tuple[Look, asyncio.Task[Result] | None]]

# Documents whose parsing may be under way or whose text waits to be stored.
_AHEAD: Final = 16
_COMMIT_FILES: Final = 256
_COMMIT_CHARS: Final = 8_000_000
# Joining the index's segments takes time: it pays when at least this share of the texts is new.
_MERGE_SHARE: Final = 0.05


class Refresh:
    """One refresh of one index; used once."""

    def __init__(
        self,
        index: Path,
        roots: Sequence[str],
        *,
        addresses: Addresses,
        parser: Parser,
        clock: Clock,
        limits: Limits,
        progress: Callable[[IndexProgress], None] | None = None,
    ) -> None:
        self._index = index
        self._roots = roots
        self._addresses = addresses
        self._parser = parser
        self._clock = clock
        self._limits = limits
        self._progress = progress
        self._parsers = scan.parsers_in_force()
        # Texts that need no parsing: stored ones that are current, and those given out already.
        self._at_hand: set[TextKey] = set()
        self._found = 0
        self._taken = 0

    async def run(self) -> IndexReport:
        """Bring the index up to date. Raises `MissingPath`, `StoreError`."""
        begun = monotonic()
        async with locked(self._index) as lock:
            thread = WriterThread(self._index)
            try:
                report = await self._run(thread, lock)
            finally:
                await thread.close()
        return replace(report, seconds=monotonic() - begun)

    async def _run(self, thread: WriterThread, lock: int) -> IndexReport:
        walked = await asyncio.to_thread(walk, self._roots, max_file_bytes=self._limits.bytes)
        store = await thread.start(self._store)
        plan = await thread.start(lambda writer: scan.plan(walked, writer.known(), addresses=self._addresses))
        self._found = len(plan.candidates) + len(plan.kept)
        self._taken = len(plan.kept)
        store.keep(plan.kept)
        for path, code, reason in scan.refused(walked):
            store.report(path, code, reason)
        self._tell("")
        if plan.candidates:
            await self._work(plan.candidates, lock, Sink(thread, store))
        if plan.gone:
            await thread.start(lambda _: store.remove(plan.gone))
        return await thread.start(lambda writer: self._finish(writer, store, walked))

    def _store(self, writer: Writer) -> Store:
        self._at_hand = {key for key, extractor in writer.extractors().items() if scan.is_current(extractor)}
        writer.set_roots(self._roots)
        fetched_at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="seconds")
        return Store(writer, fetched_at=fetched_at, name=self._addresses.name)

    def _finish(self, writer: Writer, store: Store, walked: Walk) -> IndexReport:
        documents, size = writer.size()
        counts = store.counts
        if counts.parsed > documents * _MERGE_SHARE:
            writer.merge()
        return IndexReport(
            added=counts.added,
            changed=counts.changed,
            removed=counts.removed,
            unchanged=counts.unchanged,
            skipped={str(entry.reason): entry.count for entry in walked.skipped},
            failed=tuple(counts.failed),
            documents=documents,
            bytes=size,
        )

    async def _work(self, candidates: Sequence[scan.Candidate], lock: int, sink: Sink) -> None:
        """Look at the candidates, parse what must be, and store it all in order."""
        window: Window = deque()
        try:
            async with asyncio.TaskGroup() as parsing:
                async for look in self._looks(candidates, lock):
                    task = parsing.create_task(self._parse(look)) if self._new(look) else None
                    window.append((look, task))
                    await self._take(window, sink, leave=_AHEAD)
                await self._take(window, sink, leave=0)
            await sink.flush()
        except BaseExceptionGroup as group:
            raise _first_of(group) from group
        finally:
            await sink.settle()

    async def _looks(self, candidates: Sequence[scan.Candidate], lock: int) -> AsyncIterator[Look]:
        """Read and hash, a batch at a time."""
        look = partial(scan.look, addresses=self._addresses, most_bytes=self._limits.bytes, clock_file=lock)
        for batch in scan.batches(candidates):
            for found in await asyncio.to_thread(look, batch):
                yield found

    def _new(self, look: Look) -> bool:
        """Whether these bytes must be parsed; each is given out once."""
        if isinstance(look, scan.Missed):
            return False
        known, seen = look.candidate.known, look.seen
        key = (seen.raw_sha256, seen.suffix)
        if key in self._at_hand:
            return False
        if known and known.raw_sha256 == seen.raw_sha256 and known.parsers == self._parsers:
            return False
        if seen.raw_sha256:
            self._at_hand.add(key)
        return True

    async def _parse(self, look: Look) -> Result:
        if isinstance(look, scan.Missed):
            return None
        if look.raw is None:
            return TooLarge(f"{look.seen.stamp.size} bytes; at most {self._limits.bytes} are read")
        try:
            return await self._parser.extract(look.raw, name=look.seen.name)
        except ExtractError as error:
            if type(error) is ExtractError:  # the pool failed, not the document
                raise
            return error

    async def _take(self, window: Window, sink: Sink, *, leave: int) -> None:
        """Hand results on, in order, until `leave` are under way."""
        while len(window) > leave:
            look, task = window.popleft()
            await sink.put(Done(look, await task if task is not None else None))
            self._taken += 1
            self._tell(self._addresses.name(look.candidate.path))

    def _tell(self, name: str) -> None:
        if self._progress is not None:
            self._progress(IndexProgress(found=self._found, done=self._taken, name=name))


class Sink:
    """Collects results and commits them in the writer's thread while the next are made."""

    def __init__(self, thread: WriterThread, store: Store) -> None:
        self._thread = thread
        self._store = store
        self._ready: list[Done] = []
        self._chars = 0
        self._storing: asyncio.Future[None] | None = None

    async def put(self, done: Done) -> None:
        """Take a result; returns late when storing is behind. Raises `StoreError`."""
        self._ready.append(done)
        self._chars += len(done.result.text) if isinstance(done.result, Extracted) else 0
        if len(self._ready) >= _COMMIT_FILES or self._chars >= _COMMIT_CHARS:
            await self._begin()

    async def flush(self) -> None:
        """Commit what is left. Raises `StoreError`."""
        await self._begin()
        if self._storing is not None:
            await self._storing

    async def settle(self) -> None:
        """Wait for what is being stored, whatever becomes of it."""
        if self._storing is not None:
            await asyncio.wait([self._storing])

    async def _begin(self) -> None:
        if self._storing is not None:
            await self._storing
        batch, self._ready, self._chars = self._ready, [], 0
        self._storing = self._thread.start(lambda _: self._store.apply(batch))


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
