"""The writer without a model: chosen sentences as they stand, with what they leave unsaid in brackets.

A direct answer comes first only where a rule fires surely (see `answering`). Where no sentence
covers enough of the question, the draft says so and cites nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from leadline.domain import Draft, DraftSection, DraftSentence, Length
from leadline.research.evidence import Ledger
from leadline.research.extractive.answering import Answer, answer
from leadline.research.extractive.antecedents import antecedent
from leadline.research.extractive.asking import key_of, words_of
from leadline.research.extractive.hops import Survey, sigmoid, survey
from leadline.research.extractive.lead import answering
from leadline.research.extractive.lines import Line
from leadline.research.extractive.pointing import point
from leadline.research.extractive.ranking import Ranked, bearing, choose, ranked
from leadline.research.extractive.sufficing import LIGHT_TERMS, Sufficient, facts, is_plain, judged
from leadline.research.phrases import phrase
from leadline.text.language import CJK, has_cjk
from leadline.text.lines import on_one_line
from leadline.text.tokens import is_stop, terms

EXTRACTIVE = "extractive"

SENTENCES: Mapping[Length, int] = MappingProxyType({Length.SHORT: 4, Length.NORMAL: 8, Length.LONG: 20})
"""Sentences of a report without a model."""

WORDS: Mapping[Length, int] = MappingProxyType({Length.SHORT: 110, Length.NORMAL: 240, Length.LONG: 560})
"""Words of such a report, titles included; a CJK character counts half."""

RARE = 3
"""Terms of the question, the weightiest, that are looked at apart."""

TOP = 3
"""Pages that are looked at together."""


SHOWN_HEADING = 80
"""Characters of a heading that may stand in brackets."""

TELLING = 6
"""Letters from which on a word without a capital is worth naming among what was not found."""


class Signs(NamedTuple):
    """What shows that the ledger bears on a question; also the weights of these, in log-odds."""

    bias: float
    sentence: float  # the question's terms in one sentence with its title
    together: float  # in the best pages together
    rare: float  # its weightiest terms in them
    page: float  # the best page's probability
    hop: float  # the best way over a bridge
    linked: float  # a page goes by a name of the question
    absent: float  # share of the question's names that nothing read holds


RELEVANT = Signs(-5.3, 0.3, 4.9, 2.1, 1.4, 3.2, 2.2, -2.5)

_CJK_CHAR = re.compile(f"[{CJK}]")
_BRACKETS = str.maketrans("[]", "()")


class Extract(NamedTuple):
    """What the extractive writer chose: an answer, sentences, and the question's words that no source holds.

    The answer is told by a rule, or is the sentences `first`. `said` is what sentences leave unsaid.
    """

    answer: Answer | None
    first: tuple[Ranked, ...]
    chosen: tuple[Ranked, ...]
    uncovered: tuple[str, ...]
    said: dict[Ranked, str]


def extract(question: str, ledger: Ledger, length: Length) -> Extract:
    """Choose the sentences of a report; none where the ledger does not bear on the question. Pure."""
    seen = survey(question, ledger)
    enough, likely = judged(seen)
    strict = is_plain(seen)
    best = ranked(seen, also=frozenset(one.line.page for one in enough))
    direct = answer(seen)
    pointed = [] if direct else point(seen, ledger)
    if strict:
        pointed = [one for one in pointed if one.headed or (one.line.page, one.line.start) in likely]
        best = _only(enough, best, seen)
    first = answering(pointed, seen)
    if not enough and not (first if strict else relevant(seen, best)):
        return Extract(None, (), (), _lacking(seen, strict=strict), {})
    limit = SENTENCES[length] - (2 if direct else len(first))
    words = WORDS[length] - _length(first, ledger)
    chosen = _within(choose(best, seen, limit=limit, said=first), ledger, words=words)
    said = {sentence: _subject(seen, ledger, sentence) for sentence in (*first, *chosen)}
    return Extract(direct, first, chosen, _uncovered(seen), said)


def _only(enough: Sequence[Sufficient], found: Sequence[Ranked], seen: Survey) -> tuple[Ranked, ...]:
    """Return those of the found sentences that suffice."""
    places = {(seen.pages[one.line.page].source.id, one.line.start) for one in enough}
    return tuple(one for one in found if (one.source_id, one.start) in places)


def relevant(seen: Survey, best: Sequence[Ranked]) -> bool:
    """Whether the ledger bears on the question at all."""
    return bool(best) and sum(s * w for s, w in zip(signs(seen, best), RELEVANT, strict=True)) > 0.0


def signs(seen: Survey, best: Sequence[Ranked]) -> Signs:
    """Return what shows that the ledger bears on the question."""
    asked = seen.asked
    top = frozenset[str]().union(*(seen.pages[i].terms for i in bearing(seen)[:TOP]))
    rare = sorted(asked.terms, key=lambda term: (-seen.weights[term], term))[:RARE]
    return Signs(
        bias=1.0,
        sentence=max((r.coverage for r in best), default=0.0),
        together=seen.cover(top),
        rare=seen.cover(top, rare),
        page=sigmoid(max(seen.odds, default=-9.0)),
        hop=max((hop.score for hop in seen.hops), default=0.0),
        linked=max(seen.linked.values(), default=0.0),
        absent=_absent(seen),
    )


def _absent(seen: Survey) -> float:
    """Return the share of the question's names that no sentence or title holds as they are written."""
    keys = [key for name in seen.asked.names if (key := key_of(name))]
    lines = [line for page in seen.pages for line in page.lines]
    known = {key for page in seen.pages for key, _ in page.keys}
    missing = sum(1 for key in keys if key not in known and not any(line.holds(key) for line in lines))
    return missing / len(keys) if keys else 0.0


def _within(chosen: Sequence[Ranked], ledger: Ledger, *, words: int) -> tuple[Ranked, ...]:
    """Return the chosen sentences that fit a number of words together, in their order of worth."""
    kept: list[Ranked] = []
    for sentence in chosen:
        words -= _length([sentence], ledger)
        if words < 0 and kept:
            break
        kept.append(sentence)
    return tuple(kept)


def _length(sentences: Sequence[Ranked], ledger: Ledger) -> int:
    """Return the words of sentences with the titles of their sources."""
    texts = [(ledger.text(s.source_id)[s.start : s.end], ledger.source(s.source_id).title) for s in sentences]
    return sum(length_of(text) + length_of(title) for text, title in texts)


def length_of(text: str) -> int:
    """Return a text's length in words; two CJK characters count as one."""
    return len(text.split()) + len(_CJK_CHAR.findall(text)) // 2


def _subject(seen: Survey, ledger: Ledger, sentence: Ranked) -> str:
    """Return what a sentence leaves unsaid: what its pronoun stands for, its columns, or what it stands under."""
    line = _line_of(seen, sentence)
    if line is not None and line.cells:
        return _columns(seen, line.cells)
    named = antecedent(ledger, sentence.source_id, sentence.start)
    if named or sentence.under is None:
        return named
    heading = on_one_line(ledger.text(sentence.source_id)[slice(*sentence.under)]).strip("#*=` \t").translate(_BRACKETS)
    if len(heading) > SHOWN_HEADING:
        return ""
    new = frozenset(terms(heading)) - sentence.terms - frozenset(terms(ledger.source(sentence.source_id).title))
    return heading if (line is not None and line.entry) or not new.isdisjoint(seen.asked.terms) else ""


def _line_of(seen: Survey, sentence: Ranked) -> Line | None:
    """Return the line that a sentence was made of."""
    lines = next((page.lines for page in seen.pages if page.source.id == sentence.source_id), ())
    return next((line for line in lines if line.start == sentence.start), None)


def _columns(seen: Survey, cells: Sequence[tuple[str, str]]) -> str:
    """Return the cells of a row under their heads: the first, and those that the question asks for, else all."""
    if not all(head for head, _ in cells):
        return ""
    asked = frozenset(seen.asked.terms)
    meant = [cell for cell in cells[1:] if not asked.isdisjoint(terms(cell[0]))]
    told = ""
    for head, cell in (cells[0], *(meant or cells[1:])):
        longer = f"{told}; {head}: {cell}" if told else f"{head}: {cell}"
        if len(longer) > SHOWN_HEADING:
            break
        told = longer
    return told.translate(_BRACKETS)


def _lacking(seen: Survey, *, strict: bool) -> tuple[str, ...]:
    """Return the figures of the question that no sentence bears which says the rest of it."""
    return facts(seen.asked) if strict else ()


def _uncovered(seen: Survey) -> tuple[str, ...]:
    """Return the words of the question that nothing read holds, as the question writes them."""
    held: set[str] = set()
    for page in seen.pages:
        held |= page.terms
        held.update(terms(page.text))
    related = dict(seen.asked.related)
    missing = {
        term for term in seen.asked.terms if term not in held and related.get(term, frozenset()).isdisjoint(held)
    }
    found = []
    for word in words_of(seen.asked.text):
        written = seen.asked.text[word.start : word.end]
        telling = word.marked or len(written) >= TELLING
        if (
            telling
            and not has_cjk(written)
            and LIGHT_TERMS.isdisjoint(terms(written))
            and not missing.isdisjoint(terms(written))
            and not is_stop(word.folded)
        ):
            found.append(written)
    found += [name for name in seen.asked.names if has_cjk(name) and missing.issuperset(terms(name))]
    return tuple(dict.fromkeys(found))


def extractive_draft(made: Extract, ledger: Ledger, *, language: str, lacking: str = "nothing") -> Draft:
    """Return the draft of chosen sentences, grouped by source in order of their best.

    `lacking` names the phrase that stands there where none was chosen.
    """
    groups: dict[str, list[Ranked]] = {}
    for sentence in made.chosen:
        groups.setdefault(sentence.source_id, []).append(sentence)
    sections: list[DraftSection] = []
    # The page first whose best sentence covers most of the question; of equal ones that which was chosen first.
    covering = sorted(groups.items(), key=lambda group: -max(round(member.coverage, 1) for member in group[1]))
    for source, members in covering:
        ordered = sorted(members, key=lambda m: m.start)
        sentences = [_quoted(ledger, member, subject=made.said.get(member, "")) for member in ordered]
        sections.append(DraftSection(title=ledger.source(source).title, sentences=tuple(sentences)))
    missing = _gaps(made, language, lacking=lacking)
    if missing:
        sections.append(DraftSection(title=phrase("not_found", language), sentences=missing))
    first = tuple(_quoted(ledger, one, subject=made.said.get(one, "")) for one in made.first)
    return Draft(answer=(*_direct(made.answer, ledger), *first), sections=tuple(sections), written_by=EXTRACTIVE)


def _direct(made: Answer | None, ledger: Ledger) -> tuple[DraftSentence, ...]:
    if made is None:
        return ()
    ids = [ledger.excerpt(e.source_id, e.start, e.end, snap=False).id for e in made.evidence]
    return (DraftSentence(text=made.text, excerpt_ids=tuple(dict.fromkeys(ids))),)


def _quoted(ledger: Ledger, sentence: Ranked, *, subject: str) -> DraftSentence:
    excerpt = ledger.excerpt(sentence.source_id, sentence.start, sentence.end, snap=False)
    text = on_one_line(ledger.quote(excerpt), within=ledger.text(sentence.source_id))
    return DraftSentence(text=f"[{subject}] {text}" if subject else text, excerpt_ids=(excerpt.id,))


def _gaps(made: Extract, language: str, *, lacking: str) -> tuple[DraftSentence, ...]:
    listed = ("、" if language == "zh" else ", ").join(made.uncovered)
    if not (made.chosen or made.first):
        open_ = [phrase(lacking, language)]
        open_ += [phrase("unborne", language)] if made.uncovered else []
        return tuple(DraftSentence(text=text, claims=False) for text in open_)
    if made.uncovered:
        return (DraftSentence(text=phrase("uncovered", language, terms=listed), claims=False),)
    return ()
