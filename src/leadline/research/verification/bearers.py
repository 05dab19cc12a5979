"""Who or what a claim says something of, against whom or what its evidence says it of.

A sentence's words may all stand in the evidence and yet belong to different statements of it: the
name of one sentence beside the figure of the next. So each clause of a claim is held against the
clauses of the evidence one by one, each read with the subject that carries over to it. A clause
that says most of it, and says it of another, is no support. Everything is two-sided: what the
claim has must stand elsewhere, and the clause must have something else in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Final

from leadline.research.verification.polarity import Clause
from leadline.research.verification.qualifiers import bounded, differing, of_all
from leadline.research.verification.statements import Statement
from leadline.research.verification.values import Finding, same
from leadline.research.verification.words import Unit, coverage, held_terms, holds, stem_set, units
from leadline.text.language import CJK
from leadline.text.words import IRREGULAR

# Clauses that say nearly as much of a claim's clause as the best one are looked at as well.
_NEAR: Final = 0.05
# A clause that says less of it says nothing of it.
_SAYS: Final = 0.5
# What an equal number or date adds to how well a clause says it.
_VALUED: Final = 2.0
_DATED: Final = 0.5
# Of a clause that opens a Chinese sentence, the characters that may be its subject.
_SUBJECT_ZH: Final = 10

_PAST: Final = "|".join(sorted({past for past, base in IRREGULAR.items() if past[-1] != "s" and past != base}))
_BE: Final = r"is|are|was|were|be|been|being|am"
_VERB: Final = re.compile(
    rf"\b(?:{_BE}|has|have|had|does|do|did|can|could|may|might|must|shall|should|will|would|cannot|{_PAST}"
    r"|lay|put|set|cut|hit|left|felt|found|became|got|[a-z]{2,}ed)\b"
)
# "Gold melts at", "the act requires employers": only where no clearer verb stands.
_PRESENT: Final = re.compile(r"(?<=\w )[a-z]{2,}[^\Wsui]s\b(?=\s+[a-z\d.,]|\s*[.,]?\s*\Z)")
_PRONOUN: Final = re.compile(
    r"\b(?:it|its|he|she|they|his|her|their|him|them|this|these|that|those|one|both|who|which|there|I|we|you)\b",
    re.IGNORECASE,
)
_PRONOUN_ZH: Final = re.compile("[他她它其该該此这這]|前者|后者|双方|两者")
_OBJECT: Final = re.compile(r"\b(?:it|he|she|they|him|them|this|that|these|those|who|which)\b", re.IGNORECASE)
_RELATIVE: Final = re.compile(r"\s*(?:who|which)\b", re.IGNORECASE)
_ADJUNCT: Final = re.compile(
    r"\s*(?:after|among|as|at|before|by|during|for|from|in|of|on|since|until|under|with)\b", re.IGNORECASE
)
# "Gold melts at 1,064 °C and silver at 962 °C"
_GAPPED: Final = re.compile(
    r"\s*(?:and|while|but|or)\s(?P<name>[^\W\d_][\w'-]*(?:\s[\w'-]+){0,3}?)(?=\s(?:at|by|in|on|to|with|from)\s|\s{2,})"
)
# "The company", "the ship": may stand for a name of the sentence before.
_DEFINITE: Final = re.compile(r"\s*(?:the|this|that|these|those|its|his|her|their)\s[a-z\s-]+\Z", re.IGNORECASE)
_OPENS: Final = re.compile(r"\s*(?:and|but|or|then|while|whereas|although|though|so)\s", re.IGNORECASE)
# Where the subject of a Chinese clause ends.
_PREDICATE_ZH: Final = re.compile(
    "目前|尚|是|为|有|于|在|由|被|将|把|从|自|达|升|降|增|减|拟|未|没|不|已|曾|也|均|都|则|共|约|仍|随后|后来|计划|可能"
    "|必须|应当|可以|需要|能够|禁止|表示|认为|指控|否认|同比|以|属|归|占|超|含|对|试图|[a-z\\d ]"
)
_PASSIVE: Final = re.compile(rf"\b(?:{_BE})\s(?:\w+ly\s|later\s|first\s)?(?:\w+ed|(?:re)?(?:{_PAST}))\b", re.IGNORECASE)
_PASSIVE_ZH: Final = re.compile("被|由|遭|受到|败给|输给")
_TOKEN: Final = re.compile(rf"[^\W_{CJK}]+")
_WIDE: Final = re.compile(rf"[{CJK}]+")
# What is done by both to each other.
_MUTUAL: Final = stem_set(
    "marry meet border merge play tie resemble equal differ connect link join combine cooperate compete collide talk"
    " agree fight 结婚 相邻 合并 会晤 连接 合作 位于 之间 以及 进行 比赛"
)
_TO: Final = frozenset(["to", "will", "may", "can", "could", "would", "must", "should", "might", "not"])
_NOBODY: Final = frozenset(units("none all every each both"))


class Saying:
    """A clause of the evidence, read with the subject that carries over to it."""

    def __init__(self, statement: Statement, index: int, *, own: str, carried: str, around: AbstractSet[str]) -> None:
        self.statement = statement
        self.index = index
        self.clause: Clause = statement.clauses[index]
        self._own = own
        self._carried = carried
        self._around = around

    @cached_property
    def subject(self) -> str:
        """What the clause says something of, as written; empty where nothing can be told."""
        return self._own or self._carried

    @property
    def lead(self) -> str:
        """The subject that carries over from an earlier clause, where the clause has none."""
        return "" if self._own else self._carried

    @cached_property
    def open(self) -> bool:
        """Whether its subject stands for something that is named elsewhere."""
        return not self.subject or bool(_stands_for(self.subject, self.statement.language))

    @cached_property
    def held(self) -> frozenset[str]:
        """What it says, its subject and what it is read under included."""
        return self.clause.held.union(held_terms(self.subject), self._around)


def subject(text: str, language: str) -> str:
    """Return what a clause opens with, up to its verb; nothing where it opens with the verb."""
    if language == "zh":
        found = _PREDICATE_ZH.search(text.lstrip())
        lead = text.lstrip()[: found.start() if found else _SUBJECT_ZH]
        return lead[:_SUBJECT_ZH] if len(lead) > 1 else ""
    opening = _OPENS.match(text)
    start = opening.end() if opening else 0
    verb = _VERB.search(text, start) or _PRESENT.search(text, start)
    lead = text[start : verb.start()] if verb else ""
    return lead if units(lead) or _PRONOUN.search(lead) else ""


def _stands_for(lead: str, language: str) -> bool:
    if language == "zh":
        return bool(_PRONOUN_ZH.match(lead.strip()))
    return bool(_PRONOUN.search(lead))


def sayings(evidence: Sequence[Statement], *, context: AbstractSet[str]) -> list[Saying]:
    """Return the clauses of the evidence that say something, each with what carries over to it."""
    found: list[Saying] = []
    before: Statement | None = None
    for statement in sorted(evidence, key=lambda s: (s.source_id, s.start)):
        earlier = before.held if before is not None and before.source_id == statement.source_id else frozenset()
        asides = _asides(statement)
        carried = ""
        for index, clause in enumerate(statement.clauses):
            if not clause.held or statement.is_row:
                continue
            own = _own(statement, index, first=not carried)
            loose = not (own or carried) or _stands_for(own or carried, statement.language)
            around = frozenset[str](context).union(asides, earlier if loose else ())
            found.append(Saying(statement, index, own=own, carried=carried, around=around))
            carried = own or carried
        before = statement
    return found


def _own(statement: Statement, index: int, *, first: bool) -> str:
    """Return the subject that a clause names itself."""
    clause = statement.clauses[index]
    own = subject(clause.text, statement.language)
    if statement.language == "zh":
        return "" if index and clause.text[:1].isspace() else own  # "出生于绍兴，1953年毕业"
    if index and _RELATIVE.match(own):
        before = [name.text for name in statement.names if name.end <= clause.start]
        return before[-1] if before else own
    if not own and first and not _VERB.search(clause.text) and not _ADJUNCT.match(clause.text):
        return clause.text  # "The mayor, Owen Pratt, called"
    gapped = None if own or _VERB.search(clause.text) else _GAPPED.match(clause.text)
    return gapped["name"] if gapped and units(gapped["name"]) else own


def _asides(statement: Statement) -> frozenset[str]:
    """Return the terms of the clauses that only add something: no verb and no value stands in them."""
    if statement.language == "zh":
        return frozenset()
    valued = {fact.clause for fact in statement.facts}
    plain = (c for i, c in enumerate(statement.clauses) if i not in valued and not _VERB.search(c.text))
    return frozenset[str]().union(*(clause.held for clause in plain))


def check_bearers(claim: Statement, evidence: Sequence[Statement], *, context: AbstractSet[str]) -> list[Finding]:
    """Return what the claim says of one thing and the evidence of another; `context` are terms of titles."""
    said = sayings(evidence, context=context)
    if claim.language == "zh":  # of a Chinese subject only what is another subject elsewhere
        everywhere = frozenset[str]().union(*(held_terms(one.subject) for one in said))
    else:
        everywhere = frozenset[str]().union(*(s.held for s in evidence))
    found: list[Finding] = []
    for index, clause in enumerate(claim.clauses):
        if not clause.wanted:
            continue
        misplaced = next(_misplaced(claim, index, said, everywhere=everywhere), None)
        if misplaced is not None:
            found.append(misplaced)
    return found


def _misplaced(
    claim: Statement, index: int, said: Sequence[Saying], *, everywhere: AbstractSet[str]
) -> Iterator[Finding]:
    near = _nearest(claim, index, said)
    for kind, test in (("bearer", _of_another), ("bearer", _other_name), ("bearer", _turned), ("qualifier", _bounded)):
        reasons = takewhile(bool, (test(claim, index, one, everywhere=everywhere) for one in near))
        told = [str(reason) for reason in reasons]
        if told and len(told) == len(near):
            yield Finding(kind, stands=False, conflict=False, reason=told[0], statement=near[0].statement)


def _nearest(claim: Statement, index: int, said: Sequence[Saying]) -> list[Saying]:
    """Return the clauses of the evidence that say most of a clause of the claim."""
    clause = claim.clauses[index]
    facts = [fact for fact in claim.facts if fact.clause == index]
    mine = frozenset(unit for unit in units(subject(clause.text, claim.language)))
    # What is said counts, not of what: that is to be compared.
    wanted = [unit for unit in clause.wanted if unit not in mine] or clause.wanted
    scored = []
    for one in said:
        beside = [o for o in one.statement.facts if o.clause == one.index]
        shared = [f for f in facts if any(same(f, o) for o in beside)]
        says = (coverage(wanted, one.held) + coverage(wanted, one.clause.held)) / 2
        worth = sum(_DATED if f.date is not None else _VALUED for f in shared)
        scored.append((says + worth, says >= _SAYS or worth >= _VALUED or (worth > 0 and says > 0), one))
    best = max((score for score, _, _ in scored), default=0.0)
    return [one for score, says, one in scored if says and score >= best - _NEAR]


def _strays(wanted: Sequence[Unit], one: Saying, everywhere: AbstractSet[str]) -> list[Unit]:
    """Return the parts that the evidence holds, but not where the rest is said."""
    return [unit for unit in wanted if not holds(unit, one.held) and holds(unit, everywhere)]


def _of_another(claim: Statement, index: int, one: Saying, *, everywhere: AbstractSet[str]) -> str | None:
    """Return that the evidence says it of another thing."""
    mine = subject(claim.clauses[index].text, claim.language)
    if not mine or one.open or _stands_for(mine, claim.language):
        return None
    strays = _strays(units(mine), one, everywhere)
    names = claim.name_terms
    known = any(holds(unit, one.held) and not names.isdisjoint(unit.terms) for unit in units(mine))
    if not strays or (known and all(names.isdisjoint(unit.terms) for unit in strays)):
        return None
    if _named(mine) != _named(one.subject) and (_DEFINITE.match(mine) or _DEFINITE.match(one.subject)):
        return None  # "The company" may be the one that the sentence before names
    said = units(one.subject)
    theirs = [unit for unit in said if not holds(unit, claim.held)]
    # A Chinese subject that the claim completes from the front is the same: 出口量, 汽车出口.
    if not theirs or (claim.language == "zh" and said[0] not in theirs):
        return None
    return f"the evidence says this of {one.subject.strip()}, not {mine.strip()}"


def _named(lead: str) -> bool:
    return any(char.isupper() for char in lead.strip()[1:])


def _other_name(claim: Statement, index: int, one: Saying, *, everywhere: AbstractSet[str]) -> str | None:
    """Return that the evidence has another name where the claim has one that stands elsewhere."""
    part = claim.clauses[index]
    if _OBJECT.search(one.clause.text) or one.statement.language == "zh":
        return None
    for name in claim.names:
        if not part.start <= name.start < part.end:
            continue
        strays = _strays(units(name.text), one, everywhere)
        others = [
            other.text
            for other in one.statement.names
            if one.clause.start <= other.start < one.clause.end
            and units(other.text)
            and not any(holds(unit, claim.held) for unit in units(other.text))
        ]
        if strays and len(strays) == len(units(name.text)) and others:
            return f"the evidence has {others[0]} where the claim has {name.text}"
    return None


def _bounded(claim: Statement, index: int, one: Saying, *, everywhere: AbstractSet[str]) -> str | None:
    """Return that the evidence says it with a reserve, of fewer, of another time or rank."""
    del everywhere
    part = claim.clauses[index]
    mine, theirs = (s.text[c.start : c.end] for s, c in ((claim, part), (one.statement, one.clause)))
    others = [u for u in units(one.subject) if not holds(u, claim.held) and u not in _NOBODY]
    if others and of_all(mine) and of_all(one.subject) and not one.open:
        return f"the evidence says it only of {one.subject.strip()}"
    lead = "" if bounded(theirs) else one.lead
    return differing(mine, f"{lead} {theirs}", one.statement.text, wanted=part.wanted)


# --- who does what to whom -------------------------------------------------------------------


def _turned(claim: Statement, index: int, one: Saying, *, everywhere: AbstractSet[str]) -> str | None:
    """Return that the evidence has the same the other way round: B did to A what A is said to have done to B."""
    del everywhere
    mine, theirs = claim.clauses[index].text, one.clause.text
    if claim.language == "zh":
        passive = bool(_PASSIVE_ZH.search(mine)) != bool(_PASSIVE_ZH.search(theirs))
        ours, others, acts = _wide(mine), _wide(theirs), frozenset[str]()
    else:
        passive = bool(_PASSIVE.search(mine)) != bool(_PASSIVE.search(theirs))
        ours, others = _stems(mine), _stems(theirs)
        acts = _acts(mine) & _acts(theirs)
    places = {word: at for at, word in enumerate(others)}
    shared = [word for word in dict.fromkeys(ours) if word in places and others.count(word) == 1]
    return _reversed(shared, places, acts=acts, wide=claim.language == "zh", passive=passive)


def _reversed(
    shared: Sequence[str], places: dict[str, int], *, acts: AbstractSet[str], wide: bool, passive: bool
) -> str | None:
    for middle, act in enumerate(shared):
        if (act not in acts and not wide) or act in _MUTUAL:
            continue
        before = [word for word in shared[:middle] if word not in acts]
        behind = [word for word in shared[middle + 1 :] if word not in acts]
        before = before if wide or passive else before[-1:]
        here = places[act]
        if passive:
            firsts = [word for word in before if places[word] < here]
            lasts = [word for word in behind if places[word] > here]
            crossed = bool(firsts and lasts) and len(firsts) == len(before) and len(lasts) == len(behind)
        else:
            firsts = [word for word in before if places[word] > here]
            lasts = [word for word in behind if places[word] < here]
            crossed = bool(firsts and lasts) and len(firsts) == len(before)
        if crossed:
            return "in the evidence it is the other way round"
    return None


def _stems(text: str) -> list[str]:
    return [unit.terms[0] for unit in units(text)]


def _acts(text: str) -> frozenset[str]:
    """Return the stems of what looks like a verb."""
    clear, other = set[str](), set[str]()
    for before, word in pairwise(["", *_TOKEN.findall(text)]):
        if word != word.lower():
            continue
        verb = word.endswith("ed") or word.removeprefix("re") in IRREGULAR or before.lower() in _TO
        place = clear if verb else other if word.endswith("s") else None
        if place is not None:
            place.update(unit.terms[0] for unit in units(word))
    return frozenset(clear or other)


def _wide(text: str) -> list[str]:
    return [a + b for run in _WIDE.findall(text) for a, b in pairwise(run)]
