"""What to search for next, and which hits to read: pure, made for `Cpu`.

Names in the sentences that bear on the question, and that it does not hold itself, are bridges:
the next wave looks for pages that go by such a name, and for passages that mention it together
with what the question still asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leadline.domain import Json
from leadline.research.evidence import Ledger
from leadline.research.extractive.asking import Asked, key_of, take_apart, words_of
from leadline.research.extractive.coverage import SYNONYM
from leadline.research.extractive.hops import SEEDS, Survey, sigmoid, survey
from leadline.research.extractive.reading import Page, names_of
from leadline.text.language import has_cjk
from leadline.text.names import Name, find_names, whole
from leadline.text.tokens import query_words, terms

NAMES = 5
"""Names of the question that are looked up."""

BRIDGES = 14
"""Names that one wave looks up."""

LINES = 5
"""Sentences of a page in which bridges are looked for: its opening, and the best for the question."""

TITLED = 0.6
"""What a page of the very name counts beforehand."""

MENTIONED = 0.8
"""What a passage that mentions the name counts beforehand."""

_NEAR = 48
_NEARNESS = 1.3
_MOST_NAME = 60
_FORMS = frozenset({"inc", "ltd", "llc", "corp", "co", "gmbh", "ag", "plc"})


class Query(NamedTuple):
    """A query, and the name it looks up; `titles` where only pages of that name are wanted.

    `worth` says how surely the name leads on, at most 1.
    """

    text: str
    name: str
    titles: bool
    worth: float = 1.0


class Address(NamedTuple):
    """A hit that may be read."""

    uri: str
    title: str


def first_queries(question: str) -> list[Query]:
    """Return the queries of the first wave: the question, then each of its names."""
    asked = take_apart(question)
    found = [Query(text=" ".join(question.split()), name="", titles=False)]
    for name in _lookups(asked):
        found += _lookup(name, _rest(asked))
    return list({query.text: query for query in found}.values())


def _lookup(name: str, rest: str, worth: float = 1.0) -> list[Query]:
    """Return the queries for pages of a name, and for passages that mention it."""
    return [
        Query(text=quoted(name), name=name, titles=True, worth=worth),
        Query(text=f"{quoted(name)} {rest}", name=name, titles=False, worth=worth),
    ]


def _lookups(asked: Asked) -> list[str]:
    cut = {name.text for name in find_names(asked.text) if not whole(asked.text, name)} - {*asked.alternatives}
    return [name for name in asked.names if len(name) <= _MOST_NAME and name not in cut and _leads(name)][:NAMES]


def _leads(name: str) -> bool:
    """Whether a name can lead to a page: a number, or what follows companies' names, is everywhere."""
    return name.rstrip(".").lower() not in _FORMS and any(map(str.isalpha, name))


def _rest(asked: Asked) -> str:
    """Return the question's words outside its names, and the words that may stand for them."""
    names = {term for name in asked.names for term in terms(name)}
    kept = [word for word in query_words(asked.text) if terms(word)[0] not in names]
    return " ".join(kept) or asked.text


def quoted(name: str) -> str:
    """Return a name as a query that it must match as it stands."""
    return '"' + " ".join(name.replace('"', " ").split()) + '"'


def next_queries(question: str, ledger: Ledger, tried: Sequence[str]) -> list[Query]:
    """Return the queries of the next wave: bridges that were not tried (by key), best first."""
    seen = survey(question, ledger)
    rest = _rest(seen.asked)
    known = set(tried)
    scores: dict[str, tuple[float, str]] = {}
    seeds = sorted(range(len(seen.pages)), key=lambda i: (-seen.odds[i], i))[:SEEDS]
    for seed in seeds:
        for score, name in _bridges(seen, seen.pages[seed]):
            key = key_of(name)
            if len(key) > 1 and key not in known and not _asked_for(seen, key):
                best = scores.get(key, (0.0, name))
                scores[key] = max(best, (score, name))
    ranked = sorted(scores.items(), key=lambda item: (-item[1][0], item[0]))[:BRIDGES]
    most = ranked[0][1][0] if ranked else 1.0
    found = [query for _, (score, name) in ranked for query in _lookup(name, rest, score / most)]
    return list({query.text: query for query in found}.values())


def _asked_for(seen: Survey, key: str) -> bool:
    """Whether the question itself holds the name."""
    flat = key_of(seen.asked.text)
    return key in flat if has_cjk(key) else f" {key} " in f" {flat} "


def _bridges(seen: Survey, page: Page) -> list[tuple[float, str]]:
    """Return the names of a page's best sentences, each with how well it may lead on."""
    trust = sigmoid(seen.odds[page.number]) ** 0.5
    ranked = sorted(page.lines, key=lambda line: (-seen.cover(line.terms), line.start))[:LINES]
    found = []
    if page.source.title and _leads(page.source.title):
        found.append((trust * 0.5, page.source.title))
    for line in {line.start: line for line in (*ranked, *page.lines[:1])}.values():
        text = page.text[line.start : line.end]
        said = seen.cover(line.terms | page.title_terms)
        rest = seen.cover(line.terms, seen.asked.rest) if seen.asked.rest else 0.0
        near = _near_spots(seen, text)
        for name, at in _names_in(text):
            close = _NEARNESS if any(abs(at - spot) <= _NEAR for spot in near) else 1.0
            found.append((trust * (0.3 + 0.4 * said + 0.3 * rest) * close, name))
    return found


def _near_spots(seen: Survey, text: str) -> list[int]:
    """Return where the words stand that say what the question asks of its names."""
    wanted = set(seen.asked.rest)
    for term, others in seen.asked.related:
        if term in wanted:
            wanted |= others
    return [word.start for word in words_of(text) if not wanted.isdisjoint(terms(word.folded))]


def _names_in(text: str) -> list[tuple[str, int]]:
    return [(name.text, name.start) for name in find_names(text) if _fit(text, name)]


def _fit(text: str, name: Name) -> bool:
    return len(name.text) <= _MOST_NAME and _leads(name.text) and whole(text, name)


def choose_hits(
    question: str, queries: Sequence[Query], value: Json, *, visited: Sequence[str], limit: int
) -> list[Address]:
    """Return the hits to read, best first: pages that go by a name looked up, then by what their extract says."""
    asked = take_apart(question)
    results: list[Mapping[str, Any]] = value.get("results", []) if isinstance(value, dict) else []
    known = set(visited)
    scores: dict[str, tuple[float, Address]] = {}
    for query, result in zip(queries, results, strict=False):
        for rank, hit in enumerate(result.get("hits", [])):
            if hit["uri"] in known:
                continue
            score = _worth(asked, query, hit, rank=rank)
            address = Address(hit["uri"], hit.get("title") or "")
            if score > scores.get(address.uri, (0.0, address))[0]:
                scores[address.uri] = (score, address)
    ranked = sorted(scores.values(), key=lambda item: (-item[0], item[1].uri))
    return [address for _, address in ranked[:limit]]


def _worth(asked: Asked, query: Query, hit: Mapping[str, Any], *, rank: int) -> float:
    """Return how much a hit promises; 0 for one that a look-up of pages by name found by other words."""
    title = hit.get("title") or ""
    named = dict(names_of(title)).get(key_of(query.name), 0.0) if query.name else 0.0
    if query.titles:
        return TITLED + query.worth * named - 0.05 * rank if named else 0.0
    held = frozenset(terms(f"{title} {hit.get('snippet') or ''}"))
    said = _said(asked, held, asked.rest or asked.terms if query.name else asked.terms)
    if not query.name:
        return 1.2 + said - 0.1 * rank
    return query.worth * (MENTIONED + named + said) - 0.05 * rank


def _said(asked: Asked, held: frozenset[str], wanted: Sequence[str]) -> float:
    related = dict(asked.related)
    found = sum(1.0 if t in held else SYNONYM if not held.isdisjoint(related.get(t, ())) else 0.0 for t in wanted)
    return found / max(1, len(wanted))
