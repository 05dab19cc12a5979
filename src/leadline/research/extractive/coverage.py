"""How much of a question a set of terms covers, and what each of its terms weighs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from leadline.research.extractive.asking import Asked
from leadline.research.extractive.reading import Line, Page
from leadline.research.extractive.relations import related
from leadline.text.language import has_cjk
from leadline.text.tokens import fold

SYNONYM = 0.6
"""What a related word counts of the word that it stands for."""

SEAM = 0.08
"""What a pair of CJK characters weighs that as a rule lies across two words: see `seams`."""

_RARER = 0.5
"""A pair that is held by fewer pages than this share of what each of its neighbours is lies across them."""

_FUNCTION = frozenset("里中上下内外和与在为于由用从被把每各将到使令是有几一共")
"""Characters that often stand for themselves between two words."""

PHRASE = 0.6
"""What a name of several words weighs, besides its words, where it stands as it is written."""

_PAIR = 2

NAME = 1.5
"""How much more a word of a name weighs."""


def cover(
    asked: Asked, weights: dict[str, float], *, terms: frozenset[str], wanted: Sequence[str] | None = None
) -> float:
    """Return the weighted share of the question's terms (or of `wanted`) that `terms` hold."""
    related = dict(asked.related)
    total = held = 0.0
    for term in asked.terms if wanted is None else wanted:
        total += weights[term]
        if term in terms:
            held += weights[term]
        elif term in related and not related[term].isdisjoint(terms):
            held += SYNONYM * weights[term]
    return held / total if total else 0.0


def weigh(asked: Asked, pages: Sequence[Page]) -> dict[str, float]:
    """Return the weight of each term of the question: its rarity among the pages, names more."""
    counts: Counter[str] = Counter()
    interesting = frozenset(asked.terms)
    for page in pages:
        counts.update(page.terms & interesting)
    rest = frozenset(asked.rest)
    total = len(pages) + 1
    weights = {term: math.log(1 + (total + 0.5) / (counts[term] + 0.5)) for term in asked.terms}
    across = seams(asked, counts)
    for term in asked.terms:
        if " " in term:
            weights[term] *= PHRASE
        elif term not in rest:
            weights[term] *= NAME
        elif term in across:
            weights[term] *= SEAM
    return weights


def seams(asked: Asked, counts: Mapping[str, int]) -> frozenset[str]:
    """Return the pairs of CJK characters in a question that lie across two words, and single characters.

    Those that no page holds; and of those that are no word of `relations` themselves the ones beside
    such a word, between two pairs that more pages hold, or beside one where they hold a function word.
    `counts` gives the number of pages that hold a term.
    """
    folded = fold(asked.text)
    pairs = [term for term in asked.terms if len(term) == _PAIR and has_cjk(term)]
    found = {term for term in asked.terms if len(term) == 1 and has_cjk(term)}
    for pair in pairs:
        if related(pair):
            continue
        beside = [
            other
            for other in pairs
            if (other[1] == pair[0] and other + pair[1] in folded)
            or (pair[1] == other[0] and pair + other[1] in folded)
        ]
        more = [other for other in beside if counts[pair] < _RARER * counts[other]]
        function = not _FUNCTION.isdisjoint(pair)
        if not counts[pair] or any(map(related, beside)) or len(more) > 1 or (more and function):
            found.add(pair)
    return frozenset(found)


def phrased(line: Line, keys: Sequence[str]) -> Line:
    """Return a line whose terms hold the names of several words that stand in it."""
    held = [key for key in keys if line.holds(key)]
    return line._replace(terms=line.terms.union(held)) if held else line
