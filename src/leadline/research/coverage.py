"""How much of a question a set of terms covers, and what each of its terms weighs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from leadline.research.asking import Asked
from leadline.research.reading import Line, Page
from leadline.text.language import has_cjk

SYNONYM = 0.6
"""What a related word counts of the word that it stands for."""

SEAM = 0.08
"""What a pair of CJK characters weighs that nothing read holds: as a rule it lies across two words."""

PHRASE = 0.6
"""What a name of several words weighs, besides its words, where it stands as it is written."""

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
    for term in asked.terms:
        if " " in term:
            weights[term] *= PHRASE
        elif term not in rest:
            weights[term] *= NAME
        elif not counts[term] and len(term) > 1 and has_cjk(term):
            weights[term] *= SEAM
    return weights


def phrased(line: Line, keys: Sequence[str]) -> Line:
    """Return a line whose terms hold the names of several words that stand in it."""
    held = [key for key in keys if line.holds(key)]
    return line._replace(terms=line.terms.union(held)) if held else line
