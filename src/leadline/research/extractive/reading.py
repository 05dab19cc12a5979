"""The ledger as the researcher reads it: pages, their lines and the names they go by.

A long document is read by the windows that serve the question and the names found so far; all
offsets are those of the stored text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from leadline.domain import Source
from leadline.research.evidence import Ledger
from leadline.research.extractive.asking import Word, key_of
from leadline.research.extractive.lines import Line, Told, lines_of
from leadline.research.extractive.relations import GENERIC, related
from leadline.research.passages import find
from leadline.text.language import has_cjk
from leadline.text.offsets import Span
from leadline.text.tokens import is_stop, terms

__all__ = ["Line", "Names", "Page", "names_of", "read"]

WHOLE_DOCUMENT = 8_000
"""Up to this many characters all sentences of a document are read; beyond, the passages that serve the goal."""

PASSAGES = 16
"""Passages that are read of a longer document, besides its beginning."""

OPENING = 600
"""Characters of a longer document's beginning that are read."""

MOST_PASSAGE = 1_500
"""Characters of one passage of a longer document."""

TABLES = frozenset(["text/csv", "text/tab-separated-values"])
"""What a text is served as that is one table."""

REPEATED = 3
"""Pages from which on the same label is no page's own: running heads, menus, notices."""

_MOST_WORDS = 10
_LEAST_TITLE_CJK = 2

_FRONT = re.compile(r"---[ \t]*\r?\n(?=[\w-]+[ \t]*:)(?:[^\n]*\n){1,60}?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")
_BRACKETED = re.compile(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]\s*")
_OPENER = re.compile(
    r"\s*(?:The |An? )?(?P<latin>[^\W\d_][^.(),;:\n]{1,70}?)\s*(?:\(|,| (?:is|was|are|were|refers)\b)"
    r"|[\u201c\u300a\u300c]?(?P<han>[^\W_][^\u3002\uff0c\uff08(\u201d\u300b\u300d\n]{0,14}?)[\u201d\u300b\u300d]?"
    r"(?:\uff08|\(|\uff0c|\u662f|\u4f4d\u4e8e|\u4f4d\u65bc)"
)


class Page(NamedTuple):
    """A source as it is read.

    `keys` are the names it goes by, as `asking.key_of` gives them, each with how surely it means
    this page: its title 1, parts of the title and the name that opens its text less.
    """

    number: int
    source: Source
    text: str
    keys: tuple[tuple[str, float], ...]
    title_terms: frozenset[str]
    lines: tuple[Line, ...]

    @property
    def terms(self) -> frozenset[str]:
        """All terms of the lines and the title."""
        return self.title_terms.union(*(line.terms for line in self.lines))


def read(goal: str, ledger: Ledger) -> tuple[Page, ...]:
    """Return every source of the ledger as a page, in the ledger's order."""
    pages = [_page(i, source, goal=goal, ledger=ledger) for i, source in enumerate(ledger.sources)]
    counts = Counter(line.flat for page in pages for line in page.lines if not line.prose)
    return tuple(
        page._replace(lines=tuple(line for line in page.lines if line.prose or counts[line.flat] < REPEATED))
        for page in pages
    )


def _page(index: int, source: Source, *, goal: str, ledger: Ledger) -> Page:
    text = ledger.text(source.id)
    table = source.content_type.partition(";")[0] in TABLES or source.uri.lower().endswith((".csv", ".tsv"))
    told = Told(page=index, title=source.title, text=text, table=table)
    lines = tuple(lines_of(told, _spans(goal, ledger, source, text=text)))
    opening = next((text[line.start : line.end] for line in lines if line.prose), "")
    return Page(
        number=index,
        source=source,
        text=text,
        keys=tuple(names_of(source.title, opening)),
        title_terms=frozenset(terms(source.title)),
        lines=lines,
    )


def _spans(goal: str, ledger: Ledger, source: Source, *, text: str) -> list[Span]:
    """Return the parts of a text that are read, in order."""
    begins = _front_matter(text)
    if len(text) <= WHOLE_DOCUMENT:
        return [Span(begins, len(text))]
    found = find(goal, [ledger.haystack(source.id)], limit=PASSAGES)
    heads = [Span(max(0, text.rfind("\n", 0, max(0, p.start - 2)) + 1), p.end) for p in found]
    spans: list[Span] = []
    windows = [Span(max(begins, h.start, h.end - MOST_PASSAGE), h.end) for h in heads if h.end > begins]
    for span in sorted([Span(begins, begins + OPENING), *windows]):
        if spans and span.start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(span.end, spans[-1].end))
        else:
            spans.append(span)
    return spans


def _front_matter(text: str) -> int:
    """Return where a text begins behind its front matter: fields for programs, which say nothing to a reader."""
    found = _FRONT.match(text)
    return found.end() if found else 0


def names_of(title: str, opening: str = "") -> list[tuple[str, float]]:
    """Return the names that a page goes by, with how surely each means it."""
    found: dict[str, float] = {}

    def add(name: str, strength: float) -> None:
        key = key_of(name)
        if len(key) >= _LEAST_TITLE_CJK and not (key.isdigit() and len(key) < 4):
            found[key] = max(found.get(key, 0.0), strength)

    add(title, 1.0)
    bare = _BRACKETED.sub(" ", title).strip()
    add(bare, 0.95)
    for mark in (",", " - ", " \u2013 ", " | ", "\uff1a", ": "):
        head = bare.partition(mark)[0]
        if head != bare:
            add(head, 0.6)
    opened = _OPENER.match(opening)
    if opened is not None:
        name = opened["latin"] or opened["han"]
        if len(name.split()) <= _MOST_WORDS and (not name.isascii() or any(char.isupper() for char in name)):
            add(name, 0.8)
    return list(found.items())


class Names:
    """Finds the names that pages go by in a text."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._plain: dict[str, list[tuple[int, float]]] = {}
        self._joined: dict[str, list[tuple[int, float]]] = {}
        for page in pages:
            for key, strength in page.keys:
                table = self._joined if has_cjk(key) else self._plain
                table.setdefault(key, []).append((page.number, strength))
        self._longest = max((key.count(" ") + 1 for key in self._plain), default=0)

    def spotted(self, words: Sequence[Word], *, asked: bool = False) -> list[tuple[int, float, str]]:
        """Return pages whose names stand among `words`, with strength and key; the longest name at each place.

        A name of one word must be capitalised. In a question (`asked`) longer ones need no capital.
        """
        found: list[tuple[int, float, str]] = []
        at = 0
        while at < len(words):
            key, last = self._at(words, at, asked=asked)
            if key:
                sure = 1.0 if not asked or any(word.marked for word in words[at:last]) else _vague(key)
                found += [(page, strength * sure, key) for page, strength in self._plain[key] if sure]
            at = max(last, at + 1)
        if self._joined:
            flat = "".join(word.folded for word in words)
            hits = [key for key in self._joined if key in flat] if has_cjk(flat) else []
            for key in hits:
                if not any(key != other and key in other for other in hits):
                    found += [(page, strength, key) for page, strength in self._joined[key]]
        return found

    def _at(self, words: Sequence[Word], first: int, *, asked: bool) -> tuple[str, int]:
        for last in range(min(len(words), first + self._longest), first, -1):
            if not (words[first].marked or (asked and last - first > 1)):
                continue
            key = " ".join(word.folded for word in words[first:last])
            if key in self._plain:
                return key, last
        return "", first


def _vague(key: str) -> float:
    """Return how surely words without a capital name a page: less, and never where they only state a relation."""
    content = [term for term in terms(key) if not is_stop(term)]
    return 0.0 if all(related(term) or term in GENERIC for term in content) else 0.6
