"""The file of vectors beside a corpus index: one for each model, length of vectors and text version.

Vectors are found by the hash of what was embedded, so that nothing is embedded twice: not what
stands in several documents, nor what a new index holds again. Which passages a text is cut into
is kept by what determines it (bytes, suffix, parser), never by the index's own row numbers.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from leadline.search import corpus_schema

# Raise when what is embedded of a passage, or how a vector is packed, changes.
TEXT_VERSION: Final = "1"
KEY: Final = 16
_TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
-- The keys of a text's passages in their order, joined.
CREATE TABLE IF NOT EXISTS texts (text BLOB PRIMARY KEY, keys BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, v BLOB NOT NULL);
COMMIT;
"""


class Facts(NamedTuple):
    """What a file of vectors says of itself. `made` is Unix time, of the latest file the largest."""

    made: float
    dimensions: int
    path: Path


def passage_text(title: str, place: str, text: str) -> str:
    """Return what is embedded of a passage: the document's title, the headings above, the text."""
    heads = (place,) if place.startswith(title) else (title, place)
    return "\n".join(part for part in (*heads, text) if part)


def passage_key(embedded: str) -> bytes:
    """Return what a passage's vector is found by."""
    return _hash(embedded)


def text_key(raw_sha256: str, suffix: str, extractor: str) -> bytes:
    """Return what the passages of a text are found by: all that decides which they are."""
    return _hash(corpus_schema.VERSION, raw_sha256, suffix, extractor)


def split_keys(joined: bytes) -> Iterator[bytes]:
    """Yield the keys that were joined."""
    return (joined[at : at + KEY] for at in range(0, len(joined), KEY))


def place_of(index: Path, *, model: str, dimensions: int) -> Path:
    """Return where the vectors of an index lie."""
    which = _hash(model, str(dimensions), TEXT_VERSION)
    return index.with_name(f"{index.stem}.vectors.{which.hex()}.db")


def beside(index: Path) -> list[Path]:
    """Return all files of vectors of an index."""
    prefix = f"{index.stem}.vectors."
    with suppress(FileNotFoundError):
        return sorted(path for path in index.parent.iterdir() if path.name.startswith(prefix) and path.suffix == ".db")
    return []


def newest(index: Path, *, model: str) -> Facts | None:
    """Return the latest usable file of a model's vectors, `None` where there is none."""
    found = [facts for path in beside(index) if (facts := _facts(index, path, model)) is not None]
    return max(found, default=None)


class VectorFile:
    """An open file of vectors; used from one thread at a time."""

    def __init__(self, path: Path, *, dimensions: int, connection: sqlite3.Connection) -> None:
        self.path = path
        self.dimensions = dimensions
        self._db = connection

    @classmethod
    def open(cls, path: Path, *, dimensions: int) -> Self:
        """Open a file that is there."""
        return cls(path, dimensions=dimensions, connection=corpus_schema.connect(path))

    @classmethod
    def make(cls, index: Path, *, model: str, dimensions: int, now: float) -> Self:
        """Open the file of these vectors as the latest one, made where it is missing or damaged."""
        path = place_of(index, model=model, dimensions=dimensions)
        if _facts(index, path, model) is None:
            unlink(path)
        connection = corpus_schema.connect(path)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES)
        connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            (("model", model), ("dimensions", dimensions), ("made", now)),
        )
        return cls(path, dimensions=dimensions, connection=connection)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def changes(self) -> int:
        """Return a number that differs once another connection has changed the file."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def texts(self) -> dict[bytes, bytes]:
        """Return the joined keys of every text's passages."""
        return dict(self._db.execute("SELECT text, keys FROM texts"))

    def keys(self) -> set[bytes]:
        """Return the keys of all vectors."""
        return {key for (key,) in self._db.execute("SELECT key FROM vectors")}

    def vectors(self, size: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and packed vector of all that have `size` bytes, in the order they came."""
        yield from self._db.execute("SELECT key, v FROM vectors WHERE length(v) = ? ORDER BY rowid", (size,))

    def put_texts(self, texts: Mapping[bytes, bytes]) -> None:
        """Store which passages texts have."""
        with corpus_schema.transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?)", texts.items())

    def put_vectors(self, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Store packed vectors by key, all or none."""
        with corpus_schema.transaction(self._db):
            self._db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", vectors)

    def sweep(self, used: Iterable[bytes]) -> int:
        """Forget texts that are not among `used`, and vectors that no text has; return how many of these."""
        keep = set(used)
        known = self.texts()
        gone = [(text,) for text in known if text not in keep]
        if not gone:
            return 0
        needed = {key for text in keep & known.keys() for key in split_keys(known[text])}
        idle = [(key,) for key in self.keys() if key not in needed]
        with corpus_schema.transaction(self._db):
            self._db.executemany("DELETE FROM texts WHERE text = ?", gone)
            self._db.executemany("DELETE FROM vectors WHERE key = ?", idle)
        return len(idle)


def superseded(index: Path, *, model: str, by: Path) -> Sequence[Path]:
    """Return this model's other files: vectors of another length or of another text version."""
    return [path for path in beside(index) if path != by and _model_of(path) == model]


def unlink(path: Path) -> None:
    """Remove a file of vectors and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _facts(index: Path, path: Path, model: str) -> Facts | None:
    meta = _meta(path)
    made, dimensions = meta.get("made"), meta.get("dimensions")
    if meta.get("model") != model or not isinstance(made, float) or not isinstance(dimensions, int):
        return None
    return Facts(made, dimensions, path) if place_of(index, model=model, dimensions=dimensions) == path else None


def _model_of(path: Path) -> object:
    return _meta(path).get("model")


def _meta(path: Path) -> dict[str, object]:
    """Return what a file says of itself, nothing where it is missing, damaged or none of ours."""
    if not path.exists():
        return {}
    try:
        with closing(corpus_schema.connect(path)) as connection:
            connection.execute("SELECT key FROM vectors LIMIT 1").fetchone()
            return dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        if corpus_schema.is_damage(error):
            return {}
        raise


def _hash(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=KEY).digest()
