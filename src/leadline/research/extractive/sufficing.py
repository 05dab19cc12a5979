"""Whether a sentence alone says what a question asks, told by what it holds of the question and by its form.

Shares here do not rest on how rare a word is among the documents, for of one short file that tells
nothing: a word that the file lacks would weigh more than all that it holds. Words that say what form
is wanted count as held where the form is; a figure of the question must stand in the sentence, and
so must its names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from leadline.research.extractive.asking import Asked
from leadline.research.extractive.hops import Survey
from leadline.research.extractive.lines import Line
from leadline.research.extractive.nesting import nested
from leadline.research.extractive.ranking import heading_terms
from leadline.research.extractive.relations import GENERIC, related
from leadline.research.extractive.shapes import FORMAL, Shape, shape_of
from leadline.research.extractive.wanting import Want, holds_form, want_of
from leadline.text.language import CJK
from leadline.text.tokens import fold, is_stop, terms

FEW: Final = 8
"""Documents up to which sentences must suffice, and words' rarity tells nothing."""

FORMED: Final = 0.72
"""Share of a question that a sentence holds at least which holds the form asked for."""

UNFORMED: Final = 0.76
"""The same where a question asks for no form that can be told."""

ABOUT: Final = 0.66
"""The same on a page that is about what the question names."""

SAID: Final = 0.5
"""Share of what the question says of its names, in the sentence itself."""

LIKELY: Final = 0.62
LIKELY_SAID: Final = 0.4
"""The same where a rule points at the sentence (`pointing`)."""

BESIDE: Final = 0.75
"""Share of the best sentence's that another one reaches at least to stand beside it."""

_UNSURE: Final = frozenset(["reason"])
"""Forms that a sentence may lack at which a rule points."""

# What a part of the question counts by where it is held.
_RELATED: Final = 0.8
_HEADED: Final = 0.9
_TITLED: Final = 0.75
# Both in the title and in the sentence that opens the page: what the page is about.
_SUBJECT: Final = 0.9
_OPENED: Final = 0.6
# What a part weighs.
_NAME: Final = 1.5
_PLAIN: Final = 1.0
_LIGHT: Final = 0.2
_CHAR: Final = 0.5
_LONE_CHAR: Final = 0.2

LIGHT_TERMS: Final = frozenset(
    terms(
        "anybody anyone anything somebody someone something everybody people need use make get happen take give go hold"
        " include contain call say tell offer come like currently exactly actual total there many much"
        " set start begin number"
    )
)
_REQUEST: Final = re.compile(
    r"\A\s*(?:please\s+)?(?:summari[sz]e|tell me|describe|explain|list|give|show"
    r"|outline|compare|report|overview)\b"
    r"|\A\s*what (?:is|does) .{1,60} (?:about|say)\s*\?*\Z"
    r"|总结|概括|概述|介绍|简述|归纳|列出|讲了什么|说了什么|主要内容",
    re.IGNORECASE,
)
# A question that asks twice: "when was it opened, and how deep is it?"; 由谁修建，建于何时？
_TWICE: Final = re.compile(
    r"\b(?:and|or)\s+(?:(?:at|by|for|from|in|of|on|to|with)\s+)?(?:when|where|who|whom|whose|what|which|why|how)\b"
    r"|(?:谁|何|几|哪|什么|多少|怎|多[久长大高深远重快宽]).*[，、；,和及并].*(?:谁|何|几|哪|什么|多少|怎|多[久长大高深远重快宽])",
    re.IGNORECASE,
)
# What a Chinese question is put by, and words without content; the rest is what it is about.
_PUT: Final = re.compile(
    "请问|为什么|为何|什么时候|什么时间|什么地方|什么意思|多长时间|多少钱|多少|多[久长長大高深远遠重快宽寬]|哪一?[年天日月个個位家座种種款条本些部册篇]|哪[里裡儿]?"
    "|何[时時地人处]|[几幾](?:个人|.)|怎么样|怎样|怎么|如何|是否|能否|可否|能不能|可不可以|会不会|有没有|是不是|什么|[谁誰]"
    "|一共|总共|一次|最多|最少|至少|可以|能够|应该|需要|时候|时间|原因|作用|含义|意思|叫做?|东西"
    "|[不吗呢吧的了是在有被由和与及从到于为把将让对能可会要也都就还它他她其这那]"
)
# The years of a life behind a name: "(1724 - 1792)", and what questions call its ends.
_LIFE: Final = re.compile(
    r"[(（][^()（）]{0,60}\d{2,4}[^()（）]{0,40}[-\u2013\u2014－~～至][^()（）]{0,40}\d{2,4}[^()（）]{0,20}[)）]"
)
_LIVED: Final = frozenset([*terms("born birth birthday die death"), "出生", "生于", "去世", "逝世", "死于"])
# "Did the Trieste reach the bottom": between the two stands what it did, not what it is.
_DOES: Final = r"\b(?:did|do|does|can|could|may|might|must|shall|should|will|would)\s"
_GOES_ON: Final = re.compile(
    r"the|an?|its|their|his|her|any|all|from|to|into|onto|in|on|at|by|for|with|under|over|through|after|before"
)
_RUN: Final = re.compile(f"[{CJK}]+")
_CJK_CHAR: Final = re.compile(f"[{CJK}]")
_DIGIT: Final = re.compile(r"\d")


class Part(NamedTuple):
    """A part of a question: what it weighs, and the terms that hold it, with how surely each does."""

    weight: float
    held_by: Mapping[str, float]
    name: bool = False
    fact: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sufficient:
    """A sentence that may say what is asked, how much of the question it holds, and whether that is enough."""

    line: Line
    score: float
    enough: bool


def is_plain(seen: Survey) -> bool:
    """Whether a question over few documents asks for one thing in so many words.

    Requests, comparisons, what asks twice and what goes over a bridge are answered by several sentences together.
    """
    asked = seen.asked
    several = bool(asked.alternatives) or shape_of(asked) is Shape.DIFFERENCE or nested(asked.text)
    several = several or bool(_TWICE.search(asked.text))
    explained = shape_of(asked) is Shape.MEANING
    return len(seen.pages) <= FEW and not (several or explained or _REQUEST.search(asked.text))


class Judged(NamedTuple):
    """The sentences that alone say what is asked, best first, and where those stand that may say it.

    The latter are (page, start): enough where another rule points at them.
    """

    enough: tuple[Sufficient, ...]
    likely: frozenset[tuple[int, int]]


def judged(seen: Survey) -> Judged:
    """Judge every sentence that was read."""
    desk = _Desk(seen)
    found = [one for page in seen.pages for line in page.lines if not line.asks and (one := desk.judged(line))]
    found.sort(key=lambda one: (-one.score, one.line.page, one.line.start))
    enough = [one for one in found if one.enough]
    enough += [behind for one in enough if (behind := desk.continued(one)) is not None]
    best = enough[0].score if enough else 0.0
    likely = frozenset((one.line.page, one.line.start) for one in found)
    return Judged(tuple(one for one in enough if one.score >= BESIDE * best), likely)


def facts(asked: Asked) -> tuple[str, ...]:
    """Return the figures of a question that are part of no name, as it writes them."""
    named = {term for name in asked.names for term in terms(name)}
    return tuple(term for term in asked.terms if _DIGIT.search(term) and term not in named)


class _Desk:
    """What the steps of one judgement share."""

    def __init__(self, seen: Survey) -> None:
        self._seen = seen
        self._want = want_of(seen.asked)
        self._parts = parts_of(seen.asked, self._want)
        self._total = sum(part.weight for part in self._parts) or 1.0
        titled = [_held(page.title_terms, "") for page in seen.pages]
        opened = [_opening(page.lines) for page in seen.pages]
        self._far = [_far(*both) for both in zip(titled, opened, strict=True)]
        self._about = [self._is_named(title & opening) for title, opening in zip(titled, opened, strict=True)]

    def judged(self, line: Line) -> Sufficient | None:
        """Return a sentence with its share, `None` where it does not suffice."""
        page = self._seen.pages[line.page]
        text = page.text[line.start : line.end]
        own = dict.fromkeys(_held(line.terms, text), 1.0)
        if _LIFE.search(text):
            own = {**dict.fromkeys(_LIVED, _RELATED), **own}
        heading = dict.fromkeys(self._heading(line), 1.0 if line.entry else _HEADED)
        near = {**heading, **own}
        held = {**self._far[line.page], **near}
        shares = [_share(part, held) for part in self._parts]
        sure = zip(self._parts, shares, strict=True)
        if any(share < _TITLED if part.fact else part.name and not share for part, share in sure):
            return None
        rest = [part for part in self._parts if not part.name and not part.fact and part.weight > _LIGHT]
        said = _cover(rest, near) if rest else 1.0
        formed = holds_form(self._want, self._seen.asked, _reading(line, page.text))
        if formed is False and self._behind(line) is not None:
            formed = True
        if formed is False and self._want.kind not in _UNSURE:
            return None
        covered = sum(part.weight * share for part, share in zip(self._parts, shares, strict=True)) / self._total
        if covered < LIKELY or said < LIKELY_SAID:
            return None
        least = UNFORMED if formed is None else FORMED
        if formed and self._about[line.page]:
            least = ABOUT
        enough = formed is not False and said >= SAID and covered >= least
        return Sufficient(line=line, score=covered + _cover(self._parts, near), enough=enough)

    def continued(self, one: Sufficient) -> Sufficient | None:
        """Return the sentence that gives the cause of what the one before it says, `None` where that one does."""
        text = _reading(one.line, self._seen.pages[one.line.page].text)
        if holds_form(self._want, self._seen.asked, text):
            return None
        behind = self._behind(one.line)
        return None if behind is None else Sufficient(line=behind, score=one.score, enough=True)

    def _behind(self, line: Line) -> Line | None:
        """Return the next sentence, where a cause is asked for and it tells one."""
        if self._want.kind != "reason":
            return None
        page = self._seen.pages[line.page]
        behind = next((other for other in page.lines if other.start >= line.end), None)
        told = behind is not None and holds_form(self._want, self._seen.asked, _reading(behind, page.text))
        return behind if told else None

    def _is_named(self, subject: frozenset[str]) -> bool:
        """Whether what a page is about is all that the question names."""
        names = [part for part in self._parts if part.name]
        return bool(names) and all(not subject.isdisjoint(part.held_by) for part in names)

    def _heading(self, line: Line) -> frozenset[str]:
        if line.under is None:
            return frozenset()
        page = self._seen.pages[line.page]
        return _held(heading_terms(self._seen, line), page.text[slice(*line.under)])


def parts_of(asked: Asked, want: Want) -> tuple[Part, ...]:
    """Return the parts of a question that a sentence should hold."""
    named = {term for name in asked.names for term in terms(name)}
    headed = _headed(asked)
    found = []
    for term in asked.terms:
        if " " in term or _CJK_CHAR.search(term) or is_stop(term):
            continue
        if term not in named and (term in FORMAL or term in GENERIC or term in want.words):
            continue
        light = term in LIGHT_TERMS and term not in named
        weight = _LIGHT if light else _NAME if term in named else _PLAIN
        others = dict.fromkeys(related(term), _RELATED)
        fact = bool(_DIGIT.search(term)) and term not in named
        found.append(Part(weight, {**others, term: 1.0}, name=term in named | headed, fact=fact))
    return (*found, *_chinese(asked, want))


def _headed(asked: Asked) -> frozenset[str]:
    """Return the terms of words that say what a thing named is: "bridge" of "the Rowan bridge"."""
    behind = r"(?P<word>[a-z]+) (?P<next>\w+)"
    found = [
        match["word"]
        for name in asked.names
        for match in re.finditer(rf"(?P<does>{_DOES})?\bthe {re.escape(name)} {behind}", asked.text)
        if not (match["does"] and _GOES_ON.fullmatch(match["next"]))
    ]
    return frozenset(terms(" ".join(found)))


_PAIR: Final = re.compile(f"(?=([{CJK}]{{2}}))")


def _chinese(asked: Asked, want: Want) -> list[Part]:
    """Return the Chinese characters that a question is about, each held by a pair that it is part of."""
    found = []
    text = want.without(fold(asked.text))
    for pair in (match[1] for match in _PAIR.finditer(text)):
        if related(pair) and pair in text:
            found.append(Part(2 * _CHAR, {**dict.fromkeys(related(pair), _RELATED), pair: 1.0}))
            text = text.replace(pair, " ")
    bare = _PUT.sub(" ", text)
    for run in _RUN.findall(bare):
        if len(run) == 1:
            found.append(Part(_LONE_CHAR, {**dict.fromkeys(related(run), _RELATED), run: 1.0}))
            continue
        for at in range(len(run)):
            pairs = [run[i : i + 2] for i in (at - 1, at) if i >= 0 and i + 2 <= len(run)]
            others = {other: _RELATED for pair in pairs for other in related(pair)}
            found.append(Part(_CHAR, {**others, **dict.fromkeys(pairs, 1.0)}))
    return found


def _held(held: frozenset[str], text: str) -> frozenset[str]:
    """Return terms, with the single Chinese characters of the text that they are of."""
    return held.union(_CJK_CHAR.findall(fold(text))) if text else held


def _far(titled: frozenset[str], opened: frozenset[str]) -> dict[str, float]:
    """Return the terms that a page gives each of its lines, with how surely."""
    return {
        **dict.fromkeys(opened, _OPENED),
        **dict.fromkeys(titled, _TITLED),
        **dict.fromkeys(opened & titled, _SUBJECT),
    }


def _opening(lines: Sequence[Line]) -> frozenset[str]:
    """Return the terms of the sentence that opens a page, which as a rule tells what it is about."""
    return next((line.terms for line in lines if line.prose), frozenset())


def _share(part: Part, held: Mapping[str, float]) -> float:
    return max((sure * held[term] for term, sure in part.held_by.items() if term in held), default=0.0)


def _cover(parts: Sequence[Part], held: Mapping[str, float]) -> float:
    total = sum(part.weight for part in parts) or 1.0
    return sum(part.weight * _share(part, held) for part in parts) / total


def _reading(line: Line, text: str) -> str:
    """Return a line as its form is looked at: of a row each cell with its head on both sides."""
    if line.cells:
        return "; ".join(f"{head}: {cell}; {cell} {head}" for head, cell in line.cells)
    return text[line.start : line.end]
