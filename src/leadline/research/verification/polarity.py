"""Which words of a clause stand under a negation, and whether two sentences differ in that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from leadline.research.verification.words import Unit, coverage, held_terms, units
from leadline.text.negation import negated_spans

_CLAUSE_END: Final = re.compile(
    r"[;；。！？!?\n]|[,，、]|[:：]|\s[\u2013\u2014-]+\s|[\u2014]{1,2}|[()（）]"
    r"|\s(?=(?:and|but|while|whereas|although|though)\s\S)"
    r"|(?=但是|然而|不过|而且|并且|其中)|(?<!不)(?=但)",
    re.IGNORECASE,
)
# Within a clause a negation reaches no further than to one of these.
_SCOPE_END: Final = re.compile(
    r"\s(?:which|who|because|since|when|than|until|unless|if)\s|因为|由于|以便", re.IGNORECASE
)
_HEADS_ZH: Final = 3


@dataclass(frozen=True, eq=False)
class Clause:
    """A clause `[start, end)` of a sentence, taken apart as far as it is asked for."""

    text: str
    start: int
    end: int

    @cached_property
    def wanted(self) -> tuple[Unit, ...]:
        """Its parts as a claim: what evidence should hold."""
        return units(self.text)

    @cached_property
    def held(self) -> frozenset[str]:
        """Its terms as evidence."""
        return held_terms(self.text)

    @cached_property
    def _scopes(self) -> tuple[str, ...]:
        """What each of its negations reaches."""
        found = (_SCOPE_END.split(self.text[cue.end :], maxsplit=1)[0] for cue in negated_spans(self.text))
        return tuple(scope for scope in found if units(scope))

    @cached_property
    def negated(self) -> frozenset[str]:
        """The terms under a negation."""
        return frozenset[str]().union(*map(held_terms, self._scopes))

    @cached_property
    def heads(self) -> tuple[frozenset[str], ...]:
        """For each negation the terms next to it: what it turns round."""
        return tuple(_head(units(scope)) for scope in self._scopes)


def clauses(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a sentence, in order; the last may be empty."""
    found = []
    start = 0
    for border in _CLAUSE_END.finditer(text):
        if border.start() > start:
            found.append(Clause(text[start : border.start()], start, border.start()))
            start = border.end()
    found.append(Clause(text[start:], start, len(text)))
    return tuple(found)


def _head(scope: Sequence[Unit]) -> frozenset[str]:
    if not scope[0].wide:
        return frozenset(scope[0].terms)
    # The last term of a Chinese part is the pair that reaches forward.
    return frozenset(unit.terms[-1] for unit in scope[:_HEADS_ZH] if unit.wide)


def conflict(claim: Sequence[Clause], evidence: Sequence[Clause], *, wanted: Sequence[Unit]) -> str | None:
    """Return a word that the one side negates and the other does not, `None` where they agree.

    `evidence` are the clauses of sentences that otherwise match. Where several clauses hold the
    word, the ones that hold most of `wanted`, the parts of the whole claim, decide.
    """
    denied = frozenset[str]().union(*(clause.negated for clause in claim))
    stated = frozenset[str]().union(*(clause.held - clause.negated for clause in claim))
    said = (denied | stated) - (denied & stated)
    groups = [head & said for clause in claim for head in clause.heads]
    groups += [head & said for clause in evidence for head in clause.heads]
    for head in groups:
        votes = {term: _agree(term, denied, evidence=evidence, wanted=wanted) for term in sorted(head)}
        if False in votes.values() and True not in votes.values():
            return next(term for term, vote in votes.items() if vote is False)
    return None


def _agree(term: str, denied: AbstractSet[str], *, evidence: Sequence[Clause], wanted: Sequence[Unit]) -> bool | None:
    """Tell whether claim and evidence treat a term alike, `None` where the evidence lacks it."""
    holding = [clause for clause in evidence if term in clause.held]
    if not holding:
        return None
    fits = [coverage(wanted, clause.held) for clause in holding]
    near = max(fits) - 0.05
    return any(
        (term in clause.negated) == (term in denied) for clause, fit in zip(holding, fits, strict=True) if fit >= near
    )
