"""The reader's side of a corpus index: words to passages and hits, addresses to stored texts."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from leadline import codec
from leadline.domain import Hit, Source, source_id
from leadline.domain import sha256 as hash_of
from leadline.errors import NotFound, ToolFailed
from leadline.ports import Found, Query
from leadline.search.addresses import SAFE
from leadline.search.corpus_index import About, stored_part, stored_text, unpack
from leadline.search.corpus_types import MOST_QUERY, Near, Passage
from leadline.search.snippets import snippet
from leadline.text import tokens
from leadline.text.offsets import Span

PROVIDER: Final = "documents"
MOST_HITS: Final = 100
# Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009.
RRF_K: Final = 60
# Passages of each list that are fused.
_FUSED: Final = 100
_MOST_PHRASES: Final = 4
_PASSAGES_A_HIT: Final = 4
_QUOTED: Final = re.compile('"([^"]{2,120})"|“([^”]{2,120})”|「([^」]{2,120})」')
_COMMON: Final = 0.4
_ALWAYS: Final = 2
# Passages up to which every word is asked for.
_FEW: Final = 200
_POSTINGS: Final = 10_000
_YEAR: Final = re.compile(r"\d{4}")


class Match(NamedTuple):
    """A passage that matched; `score` is BM25 or reciprocal rank, larger is better."""

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


def search(connection: sqlite3.Connection, query: Query, *, near: Sequence[Near] = ()) -> Found:
    """Return documents, each once, by their best passage, of `near` as well as of the words."""
    wanted = min(max(query.limit, 1), MOST_HITS)
    asked = query.text[:MOST_QUERY]
    ignored = ["sites"] if query.sites else []
    hits: list[Hit] = []
    undated = False
    for match in _best_of_each(connection, asked, wanted=wanted, query=query, near=near):
        document = _document(connection, match.text_id)
        undated = undated or document.published is None
        hits.append(
            Hit(
                uri=document.uri,
                title=document.title,
                snippet=_snippet(connection, match, asked),
                provider=PROVIDER,
                rank=len(hits) + 1,
                # What its words found apart may score above what was found together, or what was
                # found by vectors too, and never ranks so.
                score=min(round(match.score, 6), hits[-1].score if hits else math.inf),
                published=document.published,
            )
        )
    if undated:
        ignored += [name for name in ("since", "year") if getattr(query, name) is not None]
    return Found(hits=tuple(hits), ignored=tuple(ignored))


def passages(
    connection: sqlite3.Connection,
    text: str,
    *,
    limit: int,
    phrases: Iterable[str] = (),
    near: Sequence[Near] = (),
) -> list[Passage]:
    """Return the passages that match best, of `near` as well as of the words, each with its stored text."""
    matches = _matches(connection, _expression(connection, text[:MOST_QUERY], phrases), limit=limit)
    if near:
        matches = fuse(matches[:_FUSED], _standing(connection, near))
    found = []
    for match in matches[:limit]:
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
    `ToolFailed` when the stored text is damaged.
    """
    row = connection.execute("SELECT text_id, path, code, reason FROM files WHERE uri = ?", (uri,)).fetchone()
    if row is None:
        raise NotFound(f"no local document has this address: {uri}")
    text_id, path, code, reason = row
    if text_id is None:
        raise NotFound(f"the document gives no text ({code}): {reason}")
    text = stored_text(connection, text_id)
    return Reply(_source(connection, text_id, uri=uri, text=text), text, path)


def named(connection: sqlite3.Connection, name: str, *, limit: int) -> list[str]:
    """Return the addresses of documents whose path ends with `name`; where none is written so, whatever its case."""
    tail = "/" + quote(name.strip().replace("\\", "/").removeprefix("./").strip("/"), safe=SAFE, errors="replace")
    rows = connection.execute(
        "SELECT uri, ends = :tail FROM (SELECT uri, substr(uri, -length(:tail)) AS ends FROM files)"
        " WHERE lower(ends) = lower(:tail) ORDER BY 2 DESC, uri LIMIT :limit",
        {"tail": tail, "limit": limit},
    ).fetchall()
    exact = [uri for uri, same in rows if same]
    return exact or [uri for uri, _ in rows]


def names(connection: sqlite3.Connection, *, limit: int) -> list[str]:
    """Return what the first documents are called, without their folders."""
    rows = connection.execute("SELECT uri FROM files ORDER BY uri LIMIT ?", (limit,))
    return [unquote(uri.rpartition("/")[2]) for (uri,) in rows]


def _source(connection: sqlite3.Connection, text_id: int, *, uri: str, text: str) -> Source:
    raw_sha256, sha256, extractor, title, named, published, packed = connection.execute(
        "SELECT raw_sha256, sha256, extractor, title, named, published, about FROM texts WHERE id = ?",
        (text_id,),
    ).fetchone()
    if hash_of(text.encode()) != sha256:
        raise ToolFailed(f"the stored text of `{uri}` is damaged; delete the index of the corpus")
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


def fuse(*lists: Sequence[Match]) -> list[Match]:
    """Return one list by reciprocal rank, a passage once; ties in order of the lists."""
    scores: dict[tuple[int, int], float] = {}
    first: dict[tuple[int, int], Match] = {}
    for matches in lists:
        for rank, match in enumerate(matches, start=1):
            key = (match.text_id, match.start)
            scores[key] = scores.get(key, 0.0) + 1.0 / (RRF_K + rank)
            first.setdefault(key, match)
    return [first[key]._replace(score=scores[key]) for key in sorted(scores, key=lambda key: -scores[key])]


def _standing(connection: sqlite3.Connection, near: Sequence[Near]) -> list[Match]:
    """Return those that are in the index still, as they were when their vectors were loaded."""
    found = []
    for at in near[:_FUSED]:
        row = connection.execute('SELECT text_id, start, "end" FROM passages WHERE id = ?', (at.passage,)).fetchone()
        if row == (at.text_id, at.start, at.end):
            found.append(Match(at.text_id, at.start, at.end, 0.0))
    return found


def _best_of_each(
    connection: sqlite3.Connection, asked: str, *, wanted: int, query: Query, near: Sequence[Near]
) -> list[Match]:
    """Return the best passage of each document that the filters let through.

    Words in quotation marks must stand together; where that finds too little, what their words
    find apart follows, fused with what vectors found.
    """
    phrases = _quoted(asked)
    exact: list[str] = []
    if phrases:
        rest = _QUOTED.sub(" ", asked)
        if tokens.words(rest):
            exact.append(_expression(connection, rest, phrases))
        exact.append(tokens.fts_query("", phrases=phrases))
    chosen: dict[int, Match] = {}
    for expression in exact:
        _deepen(connection, expression, wanted=wanted, query=query, chosen=chosen)
    plain = _expression(connection, asked)
    if near:
        fused = fuse(_matches(connection, plain, limit=_FUSED), _standing(connection, near))
        _choose(connection, fused, query=query, chosen=chosen)
    _deepen(connection, plain, wanted=wanted, query=query, chosen=chosen)
    return list(chosen.values())[:wanted]


def _deepen(
    connection: sqlite3.Connection, expression: str, *, wanted: int, query: Query, chosen: dict[int, Match]
) -> None:
    """Look ever deeper into what an expression finds, until enough documents are chosen or nothing is left."""
    limit = wanted * _PASSAGES_A_HIT
    while len(chosen) < wanted:
        matches = _matches(connection, expression, limit=limit)
        _choose(connection, matches, query=query, chosen=chosen)
        if len(matches) < limit:
            break
        limit *= 4


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


def _expression(connection: sqlite3.Connection, text: str, phrases: Iterable[str] = ()) -> str:
    return tokens.fts_query(" ".join(_telling(connection, text)), phrases=phrases)


def _telling(connection: sqlite3.Connection, text: str) -> Sequence[str]:
    """Return the words of a query that are worth their work, rarest first.

    A word that most passages hold moves no rank (FTS5 gives it a weight of nearly zero) and
    costs most; among few passages all are asked for, since there it may be the only one that
    finds any. Beyond `_POSTINGS` passages to score together, the commonest words go, which
    bounds the time of a query whatever the size of the corpus; of those that stand in any
    passage, the two rarest always stay.
    """
    words = tokens.query_words(text)[: tokens.MAX_QUERY_TERMS]
    if len(words) <= _ALWAYS:
        return words
    # The highest number is a bound from above that costs nothing to find.
    (most,) = connection.execute("SELECT coalesce(max(id), 0) FROM passages").fetchone()
    if most <= _FEW:
        return words
    counted = sorted((holding, word) for word in words if (holding := _holding(connection, word)))
    kept: list[str] = []
    scored = 0
    for holding, word in counted:
        scored += holding
        common = holding > most * _COMMON
        if len(kept) < _ALWAYS or (scored <= _POSTINGS and not common):
            kept.append(word)
    return kept


def _holding(connection: sqlite3.Connection, word: str) -> int:
    """Return how many passages hold a word, counted up to `_POSTINGS`."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
        (tokens.fts_query(word), _POSTINGS),
    ).fetchone()
    return int(row[0])


def _quoted(text: str) -> list[str]:
    found = ["".join(groups).strip() for groups in _QUOTED.findall(text)]
    return [phrase for phrase in found if phrase][:_MOST_PHRASES]


def _document(connection: sqlite3.Connection, text_id: int) -> Document:
    uri, title, named, published, sha256 = connection.execute(
        "SELECT holder, title, named, published, sha256 FROM texts WHERE id = ?", (text_id,)
    ).fetchone()
    return Document(uri, title or named, published, sha256)


def _snippet(connection: sqlite3.Connection, match: Match, asked: str) -> str:
    text = stored_part(connection, match.text_id, Span(match.start, match.end))
    return snippet(text, asked)
