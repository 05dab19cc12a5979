"""Questions to passages by vectors: embedded once, compared with all vectors in a thread.

The vectors lie in memory, loaded anew when the index or their file changed. What is not embedded
yet is simply not found this way; words find it meanwhile.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from leadline.errors import ModelError, StoreError
from leadline.ports import Clock, Embedder
from leadline.resilience import Breaker, Deadline
from leadline.search import corpus_vector_file as files
from leadline.search.corpus_embed import Fill, Filled
from leadline.search.corpus_schema import connect, snapshot, translated
from leadline.search.corpus_types import MOST_QUERY, EmbedLimits, IndexProgress, Near
from leadline.search.corpus_vector_file import VectorFile
from leadline.search.corpus_vectors import Matrix, packed_size

T = TypeVar("T")

MOST_NEAR: Final = 100
# A question waits this long for its vector, in seconds, and at most this share of its time.
_QUESTION_SECONDS: Final = 3.0
_QUESTION_SHARE: Final = 0.4
# An endpoint that failed this often in a row is left alone for so many seconds.
_FAILURES: Final = 2
_COOLDOWN: Final = 30.0


class VectorIndex:
    """The vectors of one corpus: filled after its refreshes, asked beside its words."""

    def __init__(self, index: Path, *, embedder: Embedder, limits: EmbedLimits, clock: Clock) -> None:
        self._index = index
        self._embedder = embedder
        self._limits = limits
        self._clock = clock
        self._whole = False
        self._breaker = Breaker(threshold=_FAILURES, cooldown=_COOLDOWN)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="corpus-vectors")
        self._loaded = _Loaded(index, model=embedder.name)

    async def fill(self, progress: Callable[[IndexProgress], None] | None, *, changed: bool) -> Filled:
        """Embed what is new in the index, within the limits; never raises for what can fail.

        Where nothing `changed` since a fill of this object that left nothing, there is no look.
        """
        if self._whole and not changed:
            return Filled(0, 0, ())
        fill = Fill(self._index, embedder=self._embedder, limits=self._limits, clock=self._clock, progress=progress)
        filled = await fill.run()
        self._whole = not filled.pending and not filled.warnings
        return filled

    async def near(self, text: str, *, deadline: float) -> tuple[Near, ...] | None:
        """Return passages near `text`, nearest first, `None` where vectors could not be asked."""
        limit = Deadline(deadline)
        text = text[:MOST_QUERY].encode("utf-8", "replace").decode()
        if not text.strip():
            return ()
        try:
            async with asyncio.timeout(deadline):
                dimensions = await self._do(self._loaded.refresh)
                if not dimensions:
                    return ()
                question = await self._question(text, limit.left() * _QUESTION_SHARE)
                if question is None:
                    return None
                if len(question) != dimensions:
                    self._whole = False
                    await self._do(partial(self._expect, len(question)))
                    return None
                return await self._do(partial(self._loaded.nearest, question))
        except (TimeoutError, StoreError):
            return None

    async def close(self) -> None:
        """Forget the vectors and close their file."""
        await asyncio.to_thread(self._close)

    async def _question(self, text: str, seconds: float) -> Sequence[float] | None:
        if not self._breaker.allow():
            return None
        try:
            (vector,) = await self._embedder.embed([text], deadline=min(seconds, _QUESTION_SECONDS))
        except ModelError:
            self._breaker.failed()
            return None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return vector

    def _expect(self, dimensions: int) -> None:
        """Make the file that the next refresh shall fill: the model's vectors have a new length."""
        made = VectorFile.make(self._index, model=self._embedder.name, dimensions=dimensions, now=self._clock.now())
        made.close()

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._translated, work))

    def _translated(self, work: Callable[[], T]) -> T:
        with translated(self._index):
            return work()

    def _close(self) -> None:
        self._thread.shutdown()
        self._loaded.close()


class _State(NamedTuple):
    """What the loaded vectors were loaded from: files there are, by inode, and changes to index and vectors."""

    files: tuple[tuple[Path, int], ...]
    index_changes: int
    vector_changes: int


class _Loaded:
    """Vectors in memory with the passages that they stand for; lives in one thread."""

    def __init__(self, index: Path, *, model: str) -> None:
        self._index = index
        self._model = model
        self._db: sqlite3.Connection | None = None
        self._file: VectorFile | None = None
        self._state: _State | None = None
        self._matrix: Matrix | None = None
        self._rows: list[list[Near]] = []

    def refresh(self) -> int:
        """Load what changed; return the length of the vectors, 0 where there are none."""
        if self._db is None:
            self._db = connect(self._index)
        there = tuple((path, path.stat().st_ino) for path in files.beside(self._index))
        if self._file is None or self._state is None or self._state.files != there:
            self._reopen()
        state = _State(there, _changes(self._db), self._file.changes() if self._file else 0)
        if state != self._state:
            self._load(self._db)
            self._state = state
        return self._matrix.dimensions if self._matrix else 0

    def nearest(self, question: Sequence[float]) -> tuple[Near, ...]:
        """Return the passages nearest to a question, nearest first."""
        if self._matrix is None:
            return ()
        found = [near for at in self._matrix.nearest(question, MOST_NEAR) for near in self._rows[at.row]]
        return tuple(found[:MOST_NEAR])

    def close(self) -> None:
        """Close what is open."""
        if self._db is not None:
            self._db.close()
        if self._file is not None:
            self._file.close()

    def _reopen(self) -> None:
        if self._file is not None:
            self._file.close()
        facts = files.newest(self._index, model=self._model)
        self._file = facts and VectorFile.open(facts.path, dimensions=facts.dimensions)

    def _load(self, connection: sqlite3.Connection) -> None:
        self._matrix, self._rows = None, []
        if self._file is None:
            return
        places = self._places(connection, self._file.texts())
        packed: list[bytes] = []
        for key, vector in self._file.vectors(packed_size(self._file.dimensions)):
            if key in places:
                self._rows.append(places[key])
                packed.append(vector)
        if packed:
            self._matrix = Matrix(packed, self._file.dimensions)

    def _places(self, connection: sqlite3.Connection, texts: dict[bytes, bytes]) -> dict[bytes, list[Near]]:
        """Return the passages in the index now, by the key of what they say."""
        places: dict[bytes, list[Near]] = {}
        with snapshot(connection):
            keys = {
                text_id: files.split_keys(texts.get(files.text_key(raw_sha256, suffix, extractor), b""))
                for text_id, raw_sha256, suffix, extractor in connection.execute(
                    "SELECT id, raw_sha256, suffix, extractor FROM texts"
                )
            }
            for row in connection.execute('SELECT id, text_id, start, "end" FROM passages ORDER BY id'):
                near = Near(*row)
                key = next(keys[near.text_id], None)
                if key is not None:
                    places.setdefault(key, []).append(near)
        return places


def _changes(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
