"""What a sentence must hold, beside the form asked for, before it answers a question by itself.

The years and figures that the question names; of a count, the thing counted; of a default, that it
is told as one; of who did something, that the one named did it. Rules of form alone, English and
Chinese: what a rule needs and does not find leaves the question to the ranked sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from leadline.research.extractive.asking import Asked
from leadline.research.extractive.relations import related
from leadline.text.language import HAN, has_cjk
from leadline.text.offsets import Span, trim
from leadline.text.tokens import fold_han, is_stop, terms

# Figures that stand by themselves, of two digits at least: years, codes, ports; no part of a name.
_FIGURE: Final = re.compile(r"(?<![\w.,\u2013-])\d[\d,.]*\d(?![A-Za-z\d_]|-[A-Za-z\d])", re.ASCII)
_FIGURE_ZH: Final = re.compile(r"(?<![A-Za-z\d._-])\d[\d,.]*\d(?![A-Za-z\d_-])")
_DEFAULT: Final = re.compile(
    r"\bwhat(?:['\u2019]s|\s(?:is|are|was))\s(?:the\s)?default\b|\bwhat\s\w+\s(?:is|are)\sthe\sdefault\b"
    r"|默认的?[^，。？]{1,12}(?:是|为)(?:什么|多少|哪)",
    re.IGNORECASE,
)
# "The default is 5", "defaults to", "(default: 5)", "is now the default", "is /bin/sh by default".
_DEFAULTS: Final = re.compile(
    r"\bdefaults?\b(?P<of>(?:\s[\w.'\u2019`()-]+){0,6}?)\s?(?:\bis\b|\bare\b|\bwas\b|\bof\b|\bto\b|[:=])|[(\[]\s?default\b"
    r"|\b(?:is|are|was|being|as|now|the)\s(?:\w+\s)?default(?!\s\w)"
    r"|(?:\d|['\"`\u201d]|\b(?-i:[A-Z]{2,})|/\w+)\s(?:\(\w+\)\s)?by default\b"
    r"|\bby default[^.;]{0,60}?(?:\d|['\"`\u201c]|\b(?-i:[A-Z]{2,})\b)"
    r"|默认[^，。]{0,10}?(?:是|为|：|:|值)|缺省",
    re.IGNORECASE,
)
_SETTINGS: Final = frozenset(terms("default value setting option behaviour mode choice number size limit"))
_COUNTED: Final = re.compile(r"\bhow many\s(?P<what>[^\W\d_][\w-]*(?:\s[\w-]+)?)", re.IGNORECASE)
_KIND: Final = re.compile(r"[\w-]*[^\Ws]\s[\w-]{2,}s(?<!ss)", re.IGNORECASE)  # "cherry trees"
_CLASSIFIERS: Final = "个個位名台只條条座艘辆本家次种種"
_COUNTED_ZH: Final = re.compile(rf"(?:多少|[几幾])[{_CLASSIFIERS}]?(?P<what>(?![{_CLASSIFIERS}])[{HAN}]{{2}})")
_ANYTHING: Final = frozenset(
    terms("people persons things times items kinds types units years days hours parts 公里 平方")
)
_MONEY: Final = re.compile(
    r"\bhow much (?:does|do|did|will|would)\b.{1,80}\b(?:cost|pay|paid|charge|spend|sell|earn)\b"
    r"|\bhow much (?:is|are|was|were)\b(?!.*\b(?:weigh|water|rain))|\bwhat\b.{0,40}\b(?:price|fee|fare|salary|cost)s?\b"
    r"|多少[钱錢元]|(?:售|票|房|单|定)[价價]|[价價]格|[费費]用|租金",
    re.IGNORECASE,
)
_ACTED: Final = re.compile(
    r"\A\s*who(?:\s(?:has|had|have|first))?\s(?!(?:is|are|was|were|did|does|do|can|will|would)\b)(?P<verb>[a-z]+)\b"
    r"|\A\s*(?:by whom|who)\s(?:is|was|were|are)\s.{1,80}?\b(?P<done>\w+)\sby\b"
    r"|\A\s*by whom (?:is|was|were|are)\s.{1,80}?\b(?P<last>\w+)\s*\?",
    re.IGNORECASE,
)
_BY: Final = re.compile(r"\b(?:by|under|thanks to)\b", re.IGNORECASE)
_CUT: Final = re.compile(r"[.;:]\s")
_DIGIT: Final = re.compile(r"\d")
# What only several rows of a table together answer: a limit, the utmost, a sum.
_OVER_ROWS: Final = re.compile(
    r"\b(?:below|above|under|over|(?:more|less|fewer|higher|lower) than|at (?:least|most)|exceed(?:s|ed|ing)?"
    r"|(?:high|low|large|small|cheap|long|short|old|young)est|most|least|fewest|total|sum|average|mean)\b"
    r"|超过|低于|高于|少于|多于|不足|最[高低多少大小贵便长短]|总[共和计数额]|合计|平均",
    re.IGNORECASE,
)
# The yes or no that a sentence goes on from: what stands before it in its paragraph.
_YES_OR_NO: Final = re.compile(
    r"(?:yes|no|not)\b[^\n]{0,200}\Z|(?:是的?|不是|可以|不可以|能|不能|会|不会|否)[，。；][^\n]{0,100}\Z", re.IGNORECASE
)


def figures(question: str) -> tuple[str, ...]:
    """Return the years and figures that a question names outside its words."""
    pattern = _FIGURE_ZH if has_cjk(question) else _FIGURE
    return tuple(found[0].rstrip(",.") for found in pattern.finditer(question))


def bears(question: str, texts: Sequence[str]) -> bool:
    """Whether the years and figures of a question stand in what a sentence is read with."""
    return all(
        any(re.search(rf"(?<!\d){re.escape(figure)}(?!\d|[.,]\d)", text) for text in texts)
        for figure in figures(question)
    )


def told_as_default(question: str, text: str) -> bool:
    """Whether a sentence tells what is the default, where that is asked for."""
    if not _DEFAULT.search(question):
        return True
    asked = frozenset([*terms(question), *_SETTINGS])
    return any(asked.issuperset(t for t in terms(m["of"] or "") if not is_stop(t)) for m in _DEFAULTS.finditer(text))


def speaks_of_counted(question: str, held: frozenset[str]) -> bool:
    """Whether what a question wants counted is spoken of at all; `held` are the terms that a sentence is read with."""
    found = _COUNTED_ZH.search(fold_han(question)) if has_cjk(question) else _COUNTED.search(question)
    if found is None:
        return True
    wanted = [term for term in terms(found["what"]) if not is_stop(term)][: 1 if has_cjk(question) else 2]
    spoken = [term in _ANYTHING or term in held or not related(term).isdisjoint(held) for term in wanted]
    return all(spoken) if _KIND.fullmatch(found["what"]) else not spoken or any(spoken)


def asks_for_money(question: str) -> bool:
    """Whether a question asks for an amount of money."""
    return bool(_MONEY.search(fold_han(question)))


def did(asked: Asked, text: str, names: Sequence[Span]) -> tuple[Span, ...] | None:
    """Return those of the names in a sentence that did what a question asks who did; `None` where none can be told.

    It is told where the sentence has the question's verb: who did it stands before, or behind "by".
    """
    found = _ACTED.search(asked.text)
    if found is None:
        return None
    verb = frozenset(terms(found[found.lastgroup or 0]))
    others = verb.union(*(related(term) for term in verb))
    said = [word for word in re.finditer(r"[^\W\d_]+", text) if not others.isdisjoint(terms(word[0]))]
    if not said:
        return None
    return tuple(name for name in names if any(_agent(text, name, Span(*word.span())) for word in said))


def _agent(text: str, name: Span, verb: Span) -> bool:
    if name.end <= verb.start:
        return _CUT.search(text, name.end, verb.start) is None and not _BY.search(
            text, max(0, name.start - 8), name.start
        )
    between = Span(verb.end, name.start)
    return name.start >= verb.end and bool(_BY.search(text, *between)) and _CUT.search(text, *between) is None


def asks_over_rows(question: str, cells: Sequence[tuple[str, str]]) -> bool:
    """Whether a question asks for what no row by itself tells, in words that the row does not hold."""
    held = " ".join(part for cell in cells for part in cell).lower()
    return any(found[0].lower() not in held for found in _OVER_ROWS.finditer(fold_han(question)))


def yes_or_no_before(text: str, start: int) -> Span | None:
    """Return the "No." or "Yes, ..." that opens the paragraph in which a sentence stands further on."""
    opened = text.rfind("\n", 0, start) + 1
    said = trim(text, opened, start)
    return said if said.length and _YES_OR_NO.match(said.of(text)) else None


def is_person(name: str) -> bool:
    """Whether a name may be somebody's: no figure stands in it."""
    return _DIGIT.search(name) is None
