"""The reader's side of a corpus index: words to passages and hits, addresses to stored texts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from leadline import codec
from leadline.domain import Hit, Source, source_id
from leadline.domain import sha256 as hash_of
from leadline.errors import BlobMissing, NotFound
from leadline.ports import Found, Query
from leadline.search.corpus_index import About, stored_part, stored_text, unpack
from leadline.search.corpus_types import Passage
from leadline.text import sentences, tokens
from leadline.text.clean import squeeze
from leadline.text.offsets import Span

PROVIDER: Final = "documents"
MOST_HITS: Final = 100
SNIPPET: Final = 320
# What of a query is looked at: a longer one costs time and finds nothing better.
MOST_QUERY: Final = 2_000
_MOST_PHRASES: Final = 4
_PASSAGES_A_HIT: Final = 4
_QUOTED: Final = re.compile('"([^"]{2,120})"|“([^”]{2,120})”|「([^」]{2,120})」')
_YEAR: Final = re.compile(r"\d{4}")


class Match(NamedTuple):
    """A passage that matched; `score` is BM25, larger is better."""

    text_id: int
    start: int
    end: int
    score: float


class Document(NamedTuple):
    """A document as a hit shows it."""

    uri: str
    title: str
    published: str | None
    sha256: str


class Reply(NamedTuple):
    """A source and the place of the file it was made from."""

    source: Source
    text: str
    path: bytes


def search(connection: sqlite3.Connection, query: Query) -> Found:
    """Return documents, each once, by their best passage."""
    wanted = min(max(query.limit, 1), MOST_HITS)
    asked = query.text[:MOST_QUERY]
    ignored = ["sites"] if query.sites else []
    hits: list[Hit] = []
    undated = False
    for match in _best_of_each(connection, asked, wanted=wanted, query=query):
        document = _document(connection, match.text_id)
        undated = undated or document.published is None
        hits.append(
            Hit(
                uri=document.uri,
                title=document.title,
                snippet=_snippet(connection, match, asked),
                provider=PROVIDER,
                rank=len(hits) + 1,
                score=round(match.score, 6),
                published=document.published,
            )
        )
    if undated:
        ignored += [name for name in ("since", "year") if getattr(query, name) is not None]
    return Found(hits=tuple(hits), ignored=tuple(ignored))


def passages(
    connection: sqlite3.Connection, text: str, *, limit: int, phrases: Iterable[str] = ()
) -> list[Passage]:
    """Return the passages that match best, each with its stored text."""
    matches = _matches(connection, _expression(text[:MOST_QUERY], phrases), limit=limit)
    found = []
    for match in matches:
        document = _document(connection, match.text_id)
        span = Span(match.start, match.end)
        found.append(
            Passage(
                uri=document.uri,
                source_id=source_id(document.sha256),
                title=document.title,
                start=match.start,
                end=match.end,
                score=round(match.score, 6),
                text=stored_part(connection, match.text_id, span),
            )
        )
    return found


def read(connection: sqlite3.Connection, uri: str) -> Reply:
    """Return a document's source and stored text.

    Raises `NotFound` for what the index does not hold, with the reason where it knows one, and
    `BlobMissing` when the stored text is damaged.
    """
    row = connection.execute(
        "SELECT text_id, path, code, reason FROM files WHERE uri = ?", (uri,)
    ).fetchone()
    if row is None:
        raise NotFound(f"no local document has this address: {uri}")
    text_id, path, code, reason = row
    if text_id is None:
        raise NotFound(f"the document gives no text ({code}): {reason}")
    text = stored_text(connection, text_id)
    return Reply(_source(connection, text_id, uri=uri, text=text), text, path)


def _source(connection: sqlite3.Connection, text_id: int, *, uri: str, text: str) -> Source:
    raw_sha256, sha256, extractor, title, named, published, packed = connection.execute(
        "SELECT raw_sha256, sha256, extractor, title, named, published, about"
        " FROM texts WHERE id = ?",
        (text_id,),
    ).fetchone()
    if hash_of(text.encode()) != sha256:
        raise BlobMissing(f"the stored text of `{uri}` is damaged; delete the index of the corpus")
    others = connection.execute(
        "SELECT uri FROM files WHERE text_id = ? AND uri <> ? ORDER BY uri LIMIT 20", (text_id, uri)
    )
    about = codec.decode(About, unpack(packed))
    return Source(
        id=source_id(sha256),
        uri=uri,
        sha256=sha256,
        raw_sha256=raw_sha256,
        extractor=extractor,
        content_type=about.content_type,
        chars=len(text),
        title=title or named,
        authors=about.authors,
        published=published,
        language=about.language,
        fetched_at=about.fetched_at,
        provider=PROVIDER,
        truncated=about.truncated,
        also=tuple(other for (other,) in others),
        marks=about.marks,
    )


def _best_of_each(
    connection: sqlite3.Connection, asked: str, *, wanted: int, query: Query
) -> list[Match]:
    """Return the best passage of each document that the filters let through.

    Words in quotation marks must stand together; where that finds too little, what their words
    find apart follows.
    """
    phrases = _quoted(asked)
    expressions = [_expression(asked, ())]
    if phrases:
        expressions.insert(0, _expression(_QUOTED.sub(" ", asked), phrases))
    chosen: dict[int, Match] = {}
    for expression in expressions:
        limit = wanted * _PASSAGES_A_HIT
        while len(chosen) < wanted:
            matches = _matches(connection, expression, limit=limit)
            _choose(connection, matches, query=query, chosen=chosen)
            if len(matches) < limit:
                break
            limit *= 4
    return list(chosen.values())[:wanted]


def _choose(
    connection: sqlite3.Connection,
    matches: Sequence[Match],
    *,
    query: Query,
    chosen: dict[int, Match],
) -> None:
    for match in matches:
        if match.text_id not in chosen and _allowed(connection, match.text_id, query):
            chosen[match.text_id] = match


def _allowed(connection: sqlite3.Connection, text_id: int, query: Query) -> bool:
    if not (query.exclude or query.since or query.year):
        return True
    document = _document(connection, text_id)
    if any(document.uri.startswith(prefix) for prefix in query.exclude if prefix):
        return False
    if document.published is None:
        return True
    if query.since and document.published < query.since[: len(document.published)]:
        return False
    year = _YEAR.match(document.published)
    return query.year is None or year is None or int(year[0]) == query.year


def _matches(connection: sqlite3.Connection, expression: str, *, limit: int) -> list[Match]:
    """Return passages by BM25; a page of ties is always cut in the same place."""
    rows = connection.execute(
        'SELECT p.text_id, p.start, p."end", -w.rank FROM'
        " (SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?) w"
        " JOIN passages p ON p.id = w.rowid ORDER BY w.rank, p.id",
        (expression, limit),
    )
    return [Match(*row) for row in rows]


def _expression(text: str, phrases: Iterable[str]) -> str:
    return tokens.fts_query(text, phrases=phrases)


def _quoted(text: str) -> list[str]:
    found = ["".join(groups).strip() for groups in _QUOTED.findall(text)]
    return [phrase for phrase in found if phrase][:_MOST_PHRASES]


def _document(connection: sqlite3.Connection, text_id: int) -> Document:
    uri, title, named, published, sha256 = connection.execute(
        "SELECT holder, title, named, published, sha256 FROM texts WHERE id = ?", (text_id,)
    ).fetchone()
    return Document(uri, title or named, published, sha256)


def _snippet(connection: sqlite3.Connection, match: Match, asked: str) -> str:
    """Return the sentences of a passage around the one that holds most of the query."""
    text = stored_part(connection, match.text_id, Span(match.start, match.end))
    wanted = frozenset(tokens.query_terms(asked))
    spans = sentences.split(text)
    if not spans:
        return ""
    shares = [len(wanted.intersection(tokens.terms(span.of(text)))) for span in spans]
    first = last = shares.index(max(shares))
    while True:
        room = SNIPPET - (spans[last].end - spans[first].start)
        if last + 1 < len(spans) and spans[last + 1].end - spans[last].end <= room:
            last += 1
        elif first and spans[first].start - spans[first - 1].start <= room:
            first -= 1
        else:
            break
    return squeeze(text[spans[first].start : spans[last].end], limit=SNIPPET)
