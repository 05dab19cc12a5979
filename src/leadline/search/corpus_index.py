"""The writer's side of a corpus index: rows of documents, texts and passages.

Everything here is synchronous, runs in one thread under the lock between processes, and leaves
the index whole: a transaction holds whole documents only, so a killed refresh goes on next time.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote

import orjson
import zstandard

from leadline import codec
from leadline.domain import Mark, sha256
from leadline.extract.marks import marks
from leadline.extract.types import Extracted, Locator
from leadline.search import passages
from leadline.search.addresses import file_path, file_uri
from leadline.search.corpus_schema import transaction
from leadline.text.offsets import Span
from leadline.text.tokens import fts_tokens

# Code points a compressed block holds: small enough to be unpacked for one passage.
BLOCK: Final = 8_192
_LEVEL: Final = 3
_MOST_PLACE: Final = 200
# What ends the reach of the headings before it.
_PARTS: Final = frozenset({"page", "sheet", "slide", "part"})


class Stamp(NamedTuple):
    """What tells cheaply whether a file may have changed; times in nanoseconds."""

    size: int
    mtime: int
    ctime: int
    inode: int


class Words(NamedTuple):
    """What the full-text tables are given for one passage, cut for them."""

    row: int
    title: str
    place: str
    body: str


class Known(NamedTuple):
    """What the index holds of a document."""

    stamp: Stamp
    checked: int
    raw_sha256: str
    text_id: int | None
    parsers: str
    code: str | None
    reason: str | None
    extractor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A document as it was read just now. `path` is absolute, `name` what a person calls it."""

    uri: str
    path: bytes
    name: str
    stamp: Stamp
    checked: int
    raw_sha256: str
    suffix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """A source's metadata that no statement selects by."""

    authors: tuple[str, ...] = ()
    language: str | None = None
    content_type: str
    truncated: bool = False
    fetched_at: str
    marks: tuple[Mark, ...] = ()


class Writer:
    """Statements that change the index, on a connection of their own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is done inside, or nothing of it."""
        return transaction(self._db)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def known(self) -> dict[str, Known]:
        """Return all documents by address."""
        rows = self._db.execute(
            "SELECT f.uri, f.size, f.mtime, f.ctime, f.inode, f.checked, f.raw_sha256, f.text_id,"
            " f.parsers, f.code, f.reason, t.extractor"
            " FROM files f LEFT JOIN texts t ON t.id = f.text_id"
        )
        return {row[0]: Known(Stamp(*row[1:5]), *row[5:]) for row in rows}

    def text_of(self, raw_sha256: str, suffix: str) -> tuple[int, str] | None:
        """Return id and extractor of the text of these bytes, where it is stored."""
        found: tuple[int, str] | None = self._db.execute(
            "SELECT id, extractor FROM texts WHERE raw_sha256 = ? AND suffix = ?",
            (raw_sha256, suffix),
        ).fetchone()
        return found

    def extractors(self) -> dict[tuple[str, str], str]:
        """Return what made each text, by the hash of its bytes and its suffix."""
        rows = self._db.execute("SELECT raw_sha256, suffix, extractor FROM texts")
        return {(raw, suffix): extractor for raw, suffix, extractor in rows}

    def size(self) -> tuple[int, int]:
        """Return how many documents can be found, and their bytes."""
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM files WHERE text_id IS NOT NULL"
        ).fetchone()
        return count, size

    def put_file(self, seen: Seen, text_id: int) -> None:
        """Say that a document has a stored text."""
        self._put_row(seen, text_id, ("", None, None))

    def put_failure(self, seen: Seen, *, parsers: str, code: str, reason: str) -> None:
        """Say that a document gives no text, until its bytes or the parsers change."""
        self._put_row(seen, None, (parsers, code, reason))

    def touch(self, uri: str, stamp: Stamp, checked: int) -> None:
        """Note that a document was hashed again and is the same."""
        self._db.execute(
            "UPDATE files SET size = ?, mtime = ?, ctime = ?, inode = ?, checked = ? WHERE uri = ?",
            (*stamp, checked, uri),
        )

    def remove_file(self, uri: str) -> None:
        """Forget a document, and its text where no other document holds it."""
        before = self._text_id(uri)
        self._db.execute("DELETE FROM files WHERE uri = ?", (uri,))
        self._release(before)

    def put_text(self, seen: Seen, extracted: Extracted, *, fetched_at: str) -> int:
        """Store the text of a document, or replace what was stored for the same bytes."""
        old = self.text_of(seen.raw_sha256, seen.suffix)
        if old is not None:
            self._forget_text(old[0])
        about = About(
            authors=extracted.authors,
            language=extracted.language,
            content_type=extracted.content_type,
            truncated=extracted.truncated,
            fetched_at=fetched_at,
            marks=marks(extracted.locators),
        )
        title = extracted.title or ""
        named = _named(title, seen.uri)
        cursor = self._db.execute(
            "INSERT INTO texts (id, raw_sha256, suffix, bytes, sha256, chars, extractor, holder,"
            " named, title, published, about) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                old[0] if old is not None else None,
                seen.raw_sha256,
                seen.suffix,
                seen.stamp.size,
                sha256(extracted.text.encode()),
                len(extracted.text),
                extracted.extractor,
                seen.uri,
                named,
                title,
                extracted.published,
                pack(codec.encode(about)),
            ),
        )
        text_id = cursor.lastrowid or 0
        self._put_blocks(text_id, extracted.text)
        self._put_passages(text_id, named, extracted)
        return text_id

    def set_roots(self, roots: Sequence[str]) -> None:
        """Store what the corpus is made of, so that it can be opened by its id alone."""
        self._db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('roots', ?)",
            (orjson.dumps([file_uri(root) for root in roots]).decode(),),
        )

    def merge(self) -> None:
        """Join the index's segments, so that queries look into few."""
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")

    def _put_row(self, seen: Seen, text_id: int | None, failure: tuple[str, str | None, str | None]) -> None:
        before = self._text_id(seen.uri)
        self._db.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(seen.uri, seen.path, *seen.stamp, seen.checked, seen.raw_sha256),
                *(text_id, *failure),
            ),
        )
        if before != text_id:
            self._release(before)

    def _text_id(self, uri: str) -> int | None:
        row = self._db.execute("SELECT text_id FROM files WHERE uri = ?", (uri,)).fetchone()
        return row[0] if row else None

    def _release(self, text_id: int | None) -> None:
        """Forget a text that no document holds; name it anew where its holder is gone."""
        if text_id is None:
            return
        title, holder, heir = self._db.execute(
            "SELECT title, (SELECT uri FROM files WHERE uri = texts.holder AND text_id = texts.id),"
            " (SELECT min(uri) FROM files WHERE text_id = texts.id) FROM texts WHERE id = ?",
            (text_id,),
        ).fetchone()
        if heir is None:
            self._forget_text(text_id)
        elif holder is None:
            self._rename(text_id, heir, _named(title, heir))

    def _put_blocks(self, text_id: int, text: str) -> None:
        self._db.executemany(
            "INSERT INTO blocks (text_id, start, data) VALUES (?, ?, ?)",
            ((text_id, start, pack(text[start : start + BLOCK].encode())) for start in range(0, len(text), BLOCK)),
        )

    def _put_passages(self, text_id: int, named: str, extracted: Extracted) -> None:
        for span, place in _placed(extracted.text, extracted.locators):
            self._db.execute(
                'INSERT INTO passages (text_id, start, "end", place) VALUES (?, ?, ?, ?)',
                (text_id, span.start, span.end, place),
            )
        self._put_words(self._words(text_id, named, extracted.text))

    def _rename(self, text_id: int, holder: str, named: str) -> None:
        (before,) = self._db.execute("SELECT named FROM texts WHERE id = ?", (text_id,)).fetchone()
        self._db.execute("UPDATE texts SET holder = ?, named = ? WHERE id = ?", (holder, named, text_id))
        if before != named:
            text = stored_text(self._db, text_id)
            self._drop_words(self._words(text_id, before, text))
            self._put_words(self._words(text_id, named, text))

    def _forget_text(self, text_id: int) -> None:
        (named,) = self._db.execute("SELECT named FROM texts WHERE id = ?", (text_id,)).fetchone()
        self._drop_words(self._words(text_id, named, stored_text(self._db, text_id)))
        self._db.execute("DELETE FROM passages WHERE text_id = ?", (text_id,))
        self._db.execute("DELETE FROM blocks WHERE text_id = ?", (text_id,))
        self._db.execute("DELETE FROM texts WHERE id = ?", (text_id,))

    def _words(self, text_id: int, named: str, text: str) -> list[Words]:
        """Return what the full-text tables are given for each passage: derived, never stored."""
        title = fts_tokens(named)
        rows = self._db.execute('SELECT id, start, "end", place FROM passages WHERE text_id = ?', (text_id,))
        return [Words(row, title, fts_tokens(place), fts_tokens(text[start:end])) for row, start, end, place in rows]

    def _put_words(self, rows: Sequence[Words]) -> None:
        self._db.executemany("INSERT INTO words (rowid, title, place, body) VALUES (?, ?, ?, ?)", rows)

    def _drop_words(self, rows: Sequence[Words]) -> None:
        self._db.executemany(
            "INSERT INTO words (words, rowid, title, place, body) VALUES ('delete', ?, ?, ?, ?)",
            rows,
        )


def stored_roots(connection: sqlite3.Connection) -> list[str]:
    """Return the files and folders that an index was made of, none for a fresh one."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'roots'").fetchone()
    paths = (file_path(uri) for uri in orjson.loads(row[0])) if row else ()
    return [path for path in paths if path is not None]


def stored_text(connection: sqlite3.Connection, text_id: int) -> str:
    """Return a whole stored text."""
    rows = connection.execute("SELECT data FROM blocks WHERE text_id = ? ORDER BY start", (text_id,))
    return "".join(unpack(row[0]).decode() for row in rows)


def stored_part(connection: sqlite3.Connection, text_id: int, span: Span) -> str:
    """Return `text[span]` of a stored text; only the blocks that it lies in are unpacked."""
    first = span.start - span.start % BLOCK
    rows = connection.execute(
        "SELECT data FROM blocks WHERE text_id = ? AND start >= ? AND start < ? ORDER BY start",
        (text_id, first, span.end),
    )
    joined = "".join(unpack(row[0]).decode() for row in rows)
    return joined[span.start - first : span.end - first]


def pack(data: bytes) -> bytes:
    """Compress."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def unpack(data: bytes) -> bytes:
    """Undo `pack`."""
    return zstandard.ZstdDecompressor().decompress(data)


def _named(title: str, uri: str) -> str:
    """Return a document's name in the index: title, and file name where that adds words."""
    stem = PurePosixPath(unquote(uri.rpartition("/")[2], errors="replace")).stem
    return title if stem.casefold() in title.casefold() else f"{title} {stem}".strip()


def _placed(text: str, locators: Sequence[Locator]) -> Iterator[tuple[Span, str]]:
    """Yield passages, each with the headings it stands under."""
    steps = [at for at in locators if at.kind == "heading" or at.kind in _PARTS]
    starts = [at.start for at in steps]
    for span in passages.cut(text, locators):
        index = bisect_right(starts, span.start) - 1
        under = steps[index] if index >= 0 else None
        yield span, under.label[:_MOST_PLACE] if under and under.kind == "heading" else ""
