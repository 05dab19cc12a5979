"""Passages to vectors after a refresh: what is new, in batches, within a budget.

Each batch is committed by itself, so that a fill that stops - its budget spent, its endpoint gone,
its process killed - goes on where it was at the next refresh. Nothing here fails a refresh: what
goes wrong is a warning in its report, and the passages wait.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

from leadline.errors import ContextOverflow, ModelBroken, ModelError, ModelTimeout, StoreError
from leadline.ports import Clock, Embedder
from leadline.resilience import Deadline
from leadline.search import corpus_vector_file as files
from leadline.search.corpus_index import stored_part, stored_text
from leadline.search.corpus_schema import connect, locked, snapshot, translated
from leadline.search.corpus_types import EmbedLimits, IndexProgress
from leadline.search.corpus_vector_file import VectorFile
from leadline.search.corpus_vectors import pack_vectors
from leadline.text.offsets import Span

T = TypeVar("T")
Vectors: TypeAlias = Sequence[Sequence[float]]

# Batches on their way at a time: one waits for the network while another is computed.
_AT_ONCE: Final = 4
# How long one batch may take, in seconds.
_BATCH_SECONDS: Final = 30.0
# Bytes of UTF-8 to a token: 4 letters of English, 1.3 Chinese characters.
_BYTES_A_TOKEN: Final = 4
# A text that is still too long for the model at this many characters is given up.
_SHORTEST: Final = 100


class Filled(NamedTuple):
    """What a fill did, in passages that differ: embedded now, and without a vector still."""

    embedded: int
    pending: int
    warnings: tuple[str, ...]


class _Piece(NamedTuple):
    """A passage without a vector: where it stands, and what is embedded with it."""

    key: bytes
    text_id: int
    start: int
    end: int
    title: str
    place: str


class _Batch(NamedTuple):
    """Texts to embed, with their keys."""

    keys: list[bytes]
    texts: list[str]


class Fill:
    """One fill of one index's vectors; used once."""

    def __init__(
        self,
        index: Path,
        *,
        embedder: Embedder,
        limits: EmbedLimits,
        clock: Clock,
        progress: Callable[[IndexProgress], None] | None = None,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._limits = limits
        self._clock = clock
        self._progress = progress
        self._deadline = Deadline(limits.seconds)
        self._tokens = limits.tokens
        self._embedded = 0
        self._switches = 0
        self._skipped = False  # pieces went out and came back without a vector
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="corpus-embed")
        self._shelf = _Shelf(index, model=embedder.name)

    async def run(self) -> Filled:
        """Embed what is missing, as far as the budget goes; never raises for what can fail."""
        missing: list[_Piece] = []
        warnings: list[str] = []
        try:
            async with AsyncExitStack() as stack:
                mine = await self._mine(stack)
                missing = await self._do(self._shelf.missing)
                if mine:
                    missing = await self._work(missing)
                    await self._do(partial(self._shelf.tidy, whole=not missing))
                elif missing:
                    warnings.append("another process is embedding these documents; passages wait for it")
        except (ModelError, StoreError) as error:
            missing = await self._left(missing)
            warnings.append(f"passages are not all found by vectors yet: {error}")
        finally:
            await asyncio.to_thread(self._end)
        return Filled(self._embedded, len(missing), tuple(warnings))

    async def _mine(self, stack: AsyncExitStack) -> bool:
        """Become the only one who fills, waiting for another one as long as the budget allows."""
        try:
            async with asyncio.timeout(self._deadline.left()):
                await stack.enter_async_context(locked(self._index.with_name(f"{self._index.stem}.vectors")))
        except TimeoutError:
            return False
        return True

    async def _work(self, missing: list[_Piece]) -> list[_Piece]:
        """Embed wave by wave; return what is left. Raises the first failure, others' work kept."""
        total = len(missing)
        while missing and not self._deadline.expired:
            taken, wave = await self._do(partial(self._wave, missing))
            if not taken:
                break
            switched = await self._embed(wave)
            missing = await self._do(self._shelf.missing) if switched else missing[taken:]
            total = len(missing) + self._embedded if switched else total
            self._tell(total, total - len(missing))
        return await self._do(self._shelf.missing) if self._skipped else missing

    def _wave(self, missing: Sequence[_Piece]) -> tuple[int, list[_Batch]]:
        """Return how many pieces go out together, and their texts, as far as the tokens go."""
        taken = 0
        fresh: list[_Batch] = [_Batch([], [])]
        with closing(connect(self._index)) as connection, snapshot(connection):
            for piece in missing[: self._limits.batch * _AT_ONCE]:
                text = _text_of(connection, piece)
                tokens = math.ceil(len(text.encode()) / _BYTES_A_TOKEN)
                if tokens > self._tokens:
                    break
                self._tokens -= tokens
                taken += 1
                # Another process may have changed the index since it was looked at.
                if files.passage_key(text) == piece.key:
                    _add(fresh, piece.key, text, size=self._limits.batch)
                else:
                    self._skipped = True
        return taken, [batch for batch in fresh if batch.keys]

    async def _embed(self, wave: Sequence[_Batch]) -> bool:
        """Embed and store batches side by side; return whether the vectors are of a new length."""
        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(self._try(batch)) for batch in wave]
        outcomes = [task.result() for task in tasks]
        before = self._switches
        for batch, outcome in zip(wave, outcomes, strict=True):
            if not isinstance(outcome, ModelError):
                await self._do(partial(self._store, batch, outcome))
                self._embedded += len(batch.keys)
        if self._switches > 1:
            raise ModelBroken(f"`{self._embedder.name}` gives vectors now of one length, now of another")
        failures = [outcome for outcome in outcomes if isinstance(outcome, ModelError)]
        self._skipped |= bool(failures)
        # An endpoint that gave vectors and then ran out of the budget's time did not fail.
        if failures and not (self._deadline.expired and self._embedded and isinstance(failures[0], ModelTimeout)):
            raise failures[0]
        return self._switches > before

    async def _try(self, batch: _Batch) -> Vectors | ModelError:
        """Return vectors, or what went wrong: others in the wave must not suffer from it."""
        try:
            return await self._vectors(batch.texts)
        except ModelError as error:
            return error

    async def _vectors(self, texts: Sequence[str]) -> Vectors:
        """Return vectors; where a request or a text is too long for the endpoint, of halves."""
        deadline = self._deadline.cut(_BATCH_SECONDS).left()
        try:
            vectors = await self._embedder.embed(texts, deadline=deadline)
        except ContextOverflow:
            if len(texts) > 1:
                half = len(texts) // 2
                return [*await self._vectors(texts[:half]), *await self._vectors(texts[half:])]
            if len(texts[0]) <= _SHORTEST:
                raise
            return await self._vectors([texts[0][: len(texts[0]) // 2]])
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
            raise ModelBroken(f"`{self._embedder.name}` gave vectors that do not fit {len(texts)} texts")
        return vectors

    def _store(self, batch: _Batch, vectors: Vectors) -> None:
        self._switches += self._shelf.fit(len(vectors[0]), now=self._clock.now())
        self._shelf.put(zip(batch.keys, pack_vectors(vectors), strict=True))

    async def _left(self, missing: list[_Piece]) -> list[_Piece]:
        """Return what is missing after a failure, as far as that can still be told."""
        try:
            return await self._do(self._shelf.missing)
        except StoreError:
            return missing

    async def _do(self, work: Callable[[], T]) -> T:
        """Return `work()`, done in the thread of this fill. Raises `StoreError`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._translated, work))

    def _translated(self, work: Callable[[], T]) -> T:
        with translated(self._index):
            return work()

    def _end(self) -> None:
        self._thread.shutdown()
        self._shelf.close()

    def _tell(self, found: int, done: int) -> None:
        if self._progress is not None:
            self._progress(IndexProgress(found=found, done=done, name=self._embedder.name, what="passages"))


class _Shelf:
    """An index and its file of vectors, which is made when the first vector tells how long they are."""

    def __init__(self, index: Path, *, model: str) -> None:
        self._index = index
        self._model = model
        self._file: VectorFile | None = None
        self._texts: dict[bytes, bytes] = {}

    def missing(self) -> list[_Piece]:
        """Return the passages that have no vector, each content once, in the order of the index."""
        if self._file is None:
            facts = files.newest(self._index, model=self._model)
            self._file = facts and VectorFile.open(facts.path, dimensions=facts.dimensions)
        known = self._file.texts() if self._file else self._texts
        have = self._file.keys() if self._file else set()
        self._texts = {}
        missing: list[_Piece] = []
        with closing(connect(self._index)) as connection, snapshot(connection):
            rows = connection.execute("SELECT id, raw_sha256, suffix, extractor, title FROM texts ORDER BY id")
            for text_id, raw_sha256, suffix, extractor, title in rows.fetchall():
                name = files.text_key(raw_sha256, suffix, extractor)
                keys = known.get(name) or _keys_of(connection, text_id, title)
                self._texts[name] = keys
                for piece in _pieces(connection, text_id, title, keys=keys, have=have):
                    have.add(piece.key)
                    missing.append(piece)
        if self._file is not None:
            self._file.put_texts({name: keys for name, keys in self._texts.items() if name not in known})
        return missing

    def fit(self, dimensions: int, *, now: float) -> bool:
        """Take the file of vectors of this length; return whether it took the place of another."""
        if self._file is not None and self._file.dimensions == dimensions:
            return False
        before, self._file = self._file, VectorFile.make(self._index, model=self._model, dimensions=dimensions, now=now)
        self._file.put_texts(self._texts)
        if before is not None:
            before.close()
        return before is not None

    def put(self, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Store vectors by key."""
        if self._file is not None:
            self._file.put_vectors(vectors)

    def tidy(self, *, whole: bool) -> None:
        """Forget what no document needs; once all is there, also the files that this one replaced."""
        if self._file is None:
            return
        self._file.sweep(self._texts)
        if whole:
            for path in files.superseded(self._index, model=self._model, by=self._file.path):
                files.unlink(path)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _add(batches: list[_Batch], key: bytes, text: str, *, size: int) -> None:
    if len(batches[-1].keys) == size:
        batches.append(_Batch([], []))
    batches[-1].keys.append(key)
    batches[-1].texts.append(text)


def _keys_of(connection: sqlite3.Connection, text_id: int, title: str) -> bytes:
    text = stored_text(connection, text_id)
    return b"".join(
        files.passage_key(files.passage_text(title, place, text[start:end]))
        for start, end, place in connection.execute(
            'SELECT start, "end", place FROM passages WHERE text_id = ? ORDER BY id', (text_id,)
        )
    )


def _pieces(
    connection: sqlite3.Connection, text_id: int, title: str, *, keys: bytes, have: set[bytes]
) -> Iterable[_Piece]:
    if all(key in have for key in files.split_keys(keys)):
        return
    rows = connection.execute('SELECT start, "end", place FROM passages WHERE text_id = ? ORDER BY id', (text_id,))
    for key, (start, end, place) in zip(files.split_keys(keys), rows.fetchall(), strict=False):
        if key not in have:
            yield _Piece(key, text_id, start, end, title, place)


def _text_of(connection: sqlite3.Connection, piece: _Piece) -> str:
    part = stored_part(connection, piece.text_id, Span(piece.start, piece.end))
    return files.passage_text(piece.title, piece.place, part)
