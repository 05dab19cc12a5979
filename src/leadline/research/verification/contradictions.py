"""Pairs of evidence sentences that cannot both be right: the same said of the same, but for a value.

Careful rather than complete: a pair counts only where two sources speak of the same subject in
nearly the same words and differ in a number, a date or a negation. Two events of different years
are no contradiction, and the same disagreement found twice is told once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from leadline.domain import Citation, Contradiction, Excerpt
from leadline.research.evidence import Ledger
from leadline.research.verification.polarity import conflict
from leadline.research.verification.statements import Desk, Fact, Statement
from leadline.research.verification.values import comparable, same
from leadline.research.verification.words import coverage, opposite_pair, stem_set
from leadline.text.clean import squeeze
from leadline.text.lines import on_one_line
from leadline.text.names import name_key
from leadline.text.spans import fold
from leadline.text.tokens import content_terms, terms, words

# How much of the words of each sentence the other must hold.
_ALIKE: Final = 0.6
_ALIKE_NAMELESS: Final = 0.7
# Sentences compared at most, and pairs looked at for each.
_MOST_SENTENCES: Final = 2_000
_MOST_TOLD: Final = 50
# A term in more of the sentences than this does not lead to a partner.
_COMMON: Final = 60
_ABOUT: Final = 120
# Share of the shorter title's terms that the other title must hold where sentences name nothing.
_TITLES: Final = 0.5
# Sources whose titles may all share a term.
_FEW: Final = 4
_SHARED_TERMS: Final = 2
# A quick look before names and clauses are compared.
_SHARED: Final = 0.4
_LEAST_UNITS: Final = 2.0
_ARTICLE: Final = re.compile(r"\s*(?:[Tt]he\s+|[Aa]n?\s+)?")
# What happens to a thing once, so that two dates of it disagree.
_ONCE_EN: Final = stem_set(
    "born birth die death found establish open inaugurate complete finish build construct sign ratify"
    " release publish launch discover invent patent abolish dissolve close demolish sink merge create"
    " incorporate enact adopt start begin commission consecrate introduce end arrive land erect"
)
_ONCE_ZH: Final = [
    "出生",
    "生于",
    "逝世",
    "去世",
    "卒于",
    "成立",
    "创立",
    "创建",
    "建成",
    "竣工",
    "落成",
    "动工",
    "开工",
    "通车",
    "开通",
    "启用",
    "签署",
    "生效",
    "发布",
    "发表",
    "出版",
    "发现",
    "发明",
    "上市",
    "首映",
    "首播",
    "上映",
    "开业",
    "关闭",
    "解散",
    "废除",
    "颁布",
    "施行",
    "投产",
    "发射",
    "登陆",
    "始建",
    "建于",
    "创办",
    "问世",
]


class _Pair(NamedTuple):
    """Two sentences that disagree, and in what."""

    one: Statement
    other: Statement
    about: str
    key: frozenset[str]


def contradictions(
    excerpts: Sequence[Excerpt],
    ledger: Ledger,
    *,
    desk: Desk | None = None,
    cited: Collection[Citation] | None = None,
) -> tuple[Contradiction, ...]:
    """Return the disagreements among the sentences of these excerpts, each told once.

    Sides come in the order of the excerpts. Sentences of one source are not held against each
    other, nor those of two editions: what both documents say is not what they disagree in. With
    `cited`, one side of each must lie in a citation: what a report does not tell, nobody needs to
    hear contradicted.
    """
    statements = _statements(excerpts, ledger, desk or Desk())
    titles = _titles(ledger)
    within = _Within(ledger)
    told: dict[frozenset[str], Contradiction] = {}
    for one, other in _partners(statements, cited):
        pair = _disagreement(one, other)
        if pair is None or pair.key in told or not _named_alike(one, other, titles):
            continue
        if within.holds(one.source_id, other.text) or within.holds(other.source_id, one.text):
            continue
        sides = tuple(ledger.citation(s.source_id, s.start, s.start + len(s.text)) for s in (pair.one, pair.other))
        told[pair.key] = Contradiction(about=pair.about, sides=(sides[0], sides[1]))
        if len(told) == _MOST_TOLD:
            break
    return tuple(told.values())


class _Within:
    """Tells whether a sentence stands in a source, whatever its markup and line breaks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._flat: dict[str, str] = {}

    def holds(self, source_id: str, sentence: str) -> bool:
        """Whether the sentence's words stand in the source in one run."""
        if source_id not in self._flat:
            self._flat[source_id] = _run(self._ledger.text(source_id))
        return _run(sentence) in self._flat[source_id]


def _run(text: str) -> str:
    return f" {' '.join(words(text))} "


def _titles(ledger: Ledger) -> dict[str, frozenset[str]]:
    """Return the terms of each source's title, without numbers and what most titles share: the name of a site."""
    found = {source.id: {t for t in content_terms(source.title) if not t.isdigit()} for source in ledger.sources}
    counts = Counter(chain.from_iterable(found.values()))
    most = max(_FEW, len(found) // 2)
    return {key: frozenset(t for t in held if counts[t] < most) for key, held in found.items()}


def _statements(excerpts: Sequence[Excerpt], ledger: Ledger, desk: Desk) -> list[Statement]:
    found: dict[tuple[str, int], Statement] = {}
    for excerpt in excerpts:
        text = ledger.text(excerpt.source_id)
        for span in desk.reading(excerpt.source_id, body=text).around(excerpt.start, excerpt.end, reach=0):
            key = (excerpt.source_id, span.start)
            if key not in found and len(found) < _MOST_SENTENCES:
                found[key] = desk.statement(span.of(text), excerpt.source_id, span.start)
    return list(found.values())


def _partners(
    statements: Sequence[Statement], cited: Collection[Citation] | None
) -> Iterator[tuple[Statement, Statement]]:
    """Yield the pairs of sentences of different sources that share a telling term, in order."""
    by_source: dict[str, list[Citation]] = {}
    for citation in cited or ():
        by_source.setdefault(citation.source_id, []).append(citation)
    shown = frozenset(
        i for i, s in enumerate(statements) if cited is None or _lies_in(s, by_source.get(s.source_id, ()))
    )
    for left, right in sorted(_sharing(statements, shown)):
        one, other = statements[left], statements[right]
        if one.source_id != other.source_id and _close(one.content, other.content):
            yield one, other


def _sharing(statements: Sequence[Statement], shown: frozenset[int]) -> set[tuple[int, int]]:
    """Return the pairs of sentences, one of them shown, that share a telling term.

    Only terms of sentences that are shown are looked up, in a report a few of all.
    """
    asked = frozenset[str]().union(*(statements[i].content for i in shown))
    by_term: dict[str, list[int]] = {}
    for index, statement in enumerate(statements):
        for term in statement.held & asked if statement.says else ():
            by_term.setdefault(term, []).append(index)
    found: set[tuple[int, int]] = set()
    for index in shown if by_term else ():
        listed = (by_term.get(term, ()) for term in statements[index].held)
        others = set[int]().union(*(places for places in listed if len(places) <= _COMMON))
        found.update((min(index, other), max(index, other)) for other in others if other != index)
    return found


def _lies_in(statement: Statement, cited: Sequence[Citation]) -> bool:
    """Whether a sentence lies in one of these citations of its own source."""
    end = statement.start + len(statement.text)
    return any(c.start < end and statement.start < c.end for c in cited)


def _close(one: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(one & other)
    return shared >= _SHARED_TERMS and shared >= _SHARED * max(len(one), len(other))


def _disagreement(one: Statement, other: Statement) -> _Pair | None:
    if one.language != other.language or _bare(one) == _bare(other) or not _same_subject(one, other):
        return None
    values = _differing(one, other)
    if values is not None:
        left, right = (fact.raw.strip() for fact in values)
        subject = _subject(one, other)
        return _Pair(one, other, f"{subject}: {left} / {right}", frozenset([_subject_key(one, other), left, right]))
    if _facts_agree(one, other):
        turned = _turned(one, other)
        if turned is not None:
            key = frozenset([_subject_key(one, other), turned])
            return _Pair(one, other, squeeze(on_one_line(one.text), limit=_ABOUT), key)
    return None


def _same_subject(one: Statement, other: Statement) -> bool:
    """Whether two sentences speak of the same: a shared name, and nearly the same words."""
    shared = one.name_keys & other.name_keys
    if one.name_keys and other.name_keys and (not shared or _opened_by_others(one, other)):
        return False
    # Pairs of Chinese characters weigh half a word each, and two such words name a thing and what happened.
    least = _LEAST_UNITS / 2 if one.language == "zh" else _LEAST_UNITS
    if sum(unit.weight for unit in one.wanted) < least:
        return False
    least = _ALIKE if shared else _ALIKE_NAMELESS
    return coverage(one.wanted, other.held) >= least and coverage(other.wanted, one.held) >= least


def _opened_by_others(one: Statement, other: Statement) -> bool:
    """Whether each of two sentences opens with a name that the other lacks, and that is no form of the other's.

    What is said of two people in the same words differs without disagreeing.
    """
    mine, theirs = _opening(one), _opening(other)
    if mine <= theirs or theirs <= mine:
        return False
    return not (mine <= other.name_terms or theirs <= one.name_terms)


def _opening(statement: Statement) -> frozenset[str]:
    """Return the terms of the name that a sentence opens with, none where it opens with none."""
    first = min(statement.names, key=lambda name: name.start, default=None)
    if first is None or not _ARTICLE.fullmatch(statement.text, 0, first.start):
        return frozenset()
    return frozenset(terms(first.text))


def _named_alike(one: Statement, other: Statement, titles: Mapping[str, frozenset[str]]) -> bool:
    """Whether two sentences that name nothing stand in documents of one subject.

    "The descent took two hours" of one dive says nothing about another's: what such a sentence
    speaks of is told by its document's title.
    """
    if one.name_keys & other.name_keys:
        return True
    mine, theirs = titles.get(one.source_id, frozenset()), titles.get(other.source_id, frozenset())
    if not mine or not theirs or (mine | theirs) & one.held & other.held:
        return True
    return len(mine & theirs) >= _TITLES * min(len(mine), len(theirs))


def _bare(statement: Statement) -> str:
    return fold(statement.text).strip(" .。")


def _differing(one: Statement, other: Statement) -> tuple[Fact, Fact] | None:
    """Return the values in which two sentences about the same disagree."""
    dates = _unmatched(one, other, dates=True)
    numbers = _unmatched(one, other, dates=False)
    if dates is not None:
        # Another date and another amount: another event, not a disagreement.
        return dates if numbers is None and _once(one, other) else None
    if numbers is None or _dated(one) != _dated(other):
        return None
    return numbers


def _dated(statement: Statement) -> bool:
    return any(fact.date is not None for fact in statement.facts)


def _unmatched(one: Statement, other: Statement, *, dates: bool) -> tuple[Fact, Fact] | None:
    """Return the first value of `one` that `other` has otherwise, in a clause that speaks of the same."""
    mine = [fact for fact in one.facts if (fact.date is not None) is dates]
    theirs = [fact for fact in other.facts if (fact.date is not None) is dates]
    for fact in mine:
        rivals = [rival for rival in theirs if comparable(fact, rival)]
        if any(same(fact, rival) or same(rival, fact) for rival in rivals):
            continue
        for rival in rivals:
            taken = any(same(known, rival) or same(rival, known) for known in mine)
            if not taken and _clauses_alike(one, fact, other=other, rival=rival):
                return fact, rival
    return None


def _clauses_alike(one: Statement, fact: Fact, *, other: Statement, rival: Fact) -> bool:
    mine, theirs = one.clauses[fact.clause], other.clauses[rival.clause]
    if fact.date is not None:
        return True
    return (
        coverage(mine.wanted, theirs.held | other.name_terms) >= _ALIKE
        or coverage(theirs.wanted, mine.held | one.name_terms) >= _ALIKE
    )


def _once(one: Statement, other: Statement) -> bool:
    """Whether both sentences speak of something that happens to a thing once."""
    shared = one.held & other.held
    return bool(shared & _ONCE_EN or shared.intersection(_ONCE_ZH))


def _facts_agree(one: Statement, other: Statement) -> bool:
    return all(any(same(fact, rival) or same(rival, fact) for rival in other.facts) for fact in one.facts) and len(
        one.facts
    ) == len(other.facts)


def _turned(one: Statement, other: Statement) -> str | None:
    """Return the word that one sentence negates, or says the opposite of."""
    word = conflict(one.clauses, other.clauses, wanted=one.wanted)
    if word is not None:
        return word
    if any(clause.heads for clause in (*one.clauses, *other.clauses)):
        return None
    pair = opposite_pair(one.held, other.held)
    return None if pair is None else " / ".join(pair)


def _subject(one: Statement, other: Statement) -> str:
    """Return what both speak of, for a reader: the names they share, or the first sentence."""
    shared = [name.text for name in one.names if name_key(name.text) in other.name_keys]
    if shared:
        return ", ".join(dict.fromkeys(shared[:2]))
    return squeeze(on_one_line(one.text), limit=_ABOUT).rstrip(".。")


def _subject_key(one: Statement, other: Statement) -> str:
    shared = sorted(one.name_keys & other.name_keys)
    return "|".join(shared or sorted(one.content & other.content))
