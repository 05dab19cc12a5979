"""A question taken apart: names, alternatives, the kind of thing asked for, and what it says of the names.

Rules of form alone, for English and Chinese; what they do not recognise costs precision, never a
failure. Related words come from `relations`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from leadline.research.extractive.relations import related
from leadline.text.language import has_cjk
from leadline.text.names import find_names
from leadline.text.tokens import fold, fold_han, query_terms, terms


class Kind(StrEnum):
    """What a question asks for."""

    DATE = "date"
    NUMBER = "number"
    PERSON = "person"
    PLACE = "place"
    YES_NO = "yes_no"
    OTHER = "other"


class Word(NamedTuple):
    """A word of a text as names are found by: folded, with its place and whether it has a capital or digit."""

    folded: str
    start: int
    end: int
    marked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question as the researcher sees it.

    `terms` are its content terms in order; `names` stand in it as written; `rest` are the terms
    outside all names. `alternatives` are the two things compared. `related` gives for a term the
    other terms by which a text may say the same. `unit` is one of the dimension that is asked for
    (`m` where it asks how deep), `None` where it asks for no measure.
    """

    text: str
    terms: tuple[str, ...]
    names: tuple[str, ...]
    rest: tuple[str, ...]
    alternatives: tuple[str, ...]
    kind: Kind
    related: tuple[tuple[str, frozenset[str]], ...]
    unit: str | None = None


_UNITS: Final[Sequence[tuple[re.Pattern[str], str]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), unit)
    for pattern, unit in (
        (r"\bhow (?:deep|tall|high|far|wide)\b|\bwhat (?:depth|height|width|distance)\b|多[深高远遠宽寬]", "m"),
        (r"\bhow (?:heavy|much (?:does|did|do) .{1,60}weigh)\b|\bwhat (?:weight|mass)\b|多重|重量是多少", "kg"),
        (r"\bhow fast\b|\bwhat speed\b|多快|速度是多少", "km/h"),
        (r"\bhow (?:hot|cold|warm)\b|\bwhat temperature\b|多[热熱冷]|温度是多少", "°C"),
        (r"\bhow long (?:did|does|do|has|have|had|will)\b|多久|多[长長]时间|多少[天年小]", "s"),
    )
)


_DATE = re.compile(
    r"\b(?:when|(?:what|which|in what|in which) (?:\w+ )?(?:year|date|day|month|century|decade)|how old|what time"
    r"|(?:opening|visiting) hours)\b"
    r"|何时|[几幾](?:点|點|时(?!间))|开放时间|什么时候|甚麼時候|什麼時候|哪一?[年天日]|几[年月]|幾[年月]|年份|日期|哪个世纪",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\b(?:how (?:many|much|far|deep|long|high|tall|large|fast|heavy|big|wide|often)"
    r"|what (?:is|was|are|were) the (?:\w+ )?"
    r"(?:number|population|height|depth|length|area|size|distance|width|weight))\b"
    r"|多少|[几幾](?:个|個|次|座|位|人|条|條|种|種|米)|多[长長高深远遠大重快宽寬]|数量|數量|深度|高度|长度|長度|跨度|人口",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b(?:who|whom|whose)\b|[谁誰]|哪一?位|何人", re.IGNORECASE)
_PLACE = re.compile(
    r"\bwhere\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|county|town|village|place|province|region|district"
    r"|continent|island|nation|municipality|location|borough)\b"
    r"|哪里|哪裡|哪儿|何处|何地|什么地方|哪一?[个個座]?(?:城市|国家|國家|省|地方|岛|县|镇)",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"\A\s*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\b"
    r"|是否|是不是|有没有|有沒有|吗[？?]?\s*\Z|嗎[？?]?\s*\Z",
    re.IGNORECASE,
)
_OR = re.compile(
    r"(?:[,:，：]|\bbetween\b|\bfirst\b|\blater\b|\bearlier\b)\s*"
    r"(?P<one>[^,:，：]+?|[^:：]+?),?\s+(?:or|and)\s+(?P<other>[^:]+?)\s*[?？]*\s*\Z",
    re.IGNORECASE,
)
_OR_CHINESE = (
    re.compile(r"(?P<one>[^，,。：:？?]{1,40})还是(?P<other>[^，,。：:？?]{1,40}?)(?:更|先|晚|早|[，,？?]|\Z)"),
    re.compile(
        r"(?P<one>[^，,。：:？?]{1,40}?)(?:与|和|跟)(?P<other>[^，,。：:？?]{1,40}?)[，,]?"
        r"(?:相比|哪一?[个座部条位家艘台]?(?:更|先|最|比较|早|晚)|谁(?:更|先|最|比较|早|晚))"
    ),
)
# What programs call things: max_connections, pg_hba.conf, --amend, writeAhead.
_IDENTIFIER = re.compile(
    r"(?<![\w-])(?:--[a-z][\w-]+|[A-Za-z]\w*(?:_\w+)+(?:\.\w+)?|[a-z]\w+\.[a-z]{1,5}(?!\w)|[a-z]+[A-Z]\w+)"
)
_ARTICLE = frozenset(["the", "a", "an"])
_WORD = re.compile(r"[^\W_]+(?:['\u2019](?=[^\W_]{2}))?", re.UNICODE)


def take_apart(question: str) -> Asked:
    """Return what a question holds."""
    wanted = tuple(dict.fromkeys(query_terms(question)))
    alternatives = _alternatives(question)
    written = [match[0] for match in _IDENTIFIER.finditer(question)]
    found = [*alternatives, *written, *(_bare(name.text) for name in find_names(question))]
    names = tuple(dict.fromkeys(found))
    names = tuple(name for name in names if name and not set(terms(name)).isdisjoint(wanted))
    inside = {term for name in names for term in terms(name)}
    rest = tuple(term for term in wanted if term not in inside)
    return Asked(
        text=question,
        terms=wanted,
        names=names,
        rest=rest,
        alternatives=alternatives,
        kind=_kind(question, choice=bool(alternatives)),
        related=tuple((term, others) for term in wanted if (others := related(term))),
        unit=next((unit for pattern, unit in _UNITS if pattern.search(question)), None),
    )


def _kind(question: str, *, choice: bool) -> Kind:
    if not choice and _YES_NO.search(question):
        return Kind.YES_NO
    for pattern, kind in ((_DATE, Kind.DATE), (_NUMBER, Kind.NUMBER), (_PLACE, Kind.PLACE), (_PERSON, Kind.PERSON)):
        if pattern.search(question):
            return kind
    return Kind.OTHER


def _alternatives(question: str) -> tuple[str, ...]:
    """Return the two things that a question offers to choose from, none where it does not."""
    if has_cjk(question):
        folded = fold_han(question)
        tries = [pattern.search(folded) for pattern in _OR_CHINESE]
        found = next((match for match in tries if match is not None), None)
    else:
        found = _OR.search(question)
        if found is not None and " or " not in found[0].lower():
            return ()
    if found is None:
        return ()
    return tuple(_bare(question[slice(*found.span(side))]) for side in ("one", "other"))


def _bare(name: str) -> str:
    return name.strip(" \t\n\"'\u201c\u201d\u2018\u2019《》「」『』,.;:?!，。？！")


def words_of(text: str) -> list[Word]:
    """Return the words of a text, a CJK run as one, without a possessive "s"."""
    found = []
    for match in _WORD.finditer(text):
        word = match[0]
        if word[-1] in "'\u2019":
            word = word[:-1]
        elif word in "sS" and match.start() and text[match.start() - 1] in "'\u2019":
            continue
        mark = word[0]
        marked = mark.isupper() or mark.isdigit() or not word.isascii()
        found.append(Word(_folded(word), match.start(), match.start() + len(word), marked))
    return found


@lru_cache(maxsize=1 << 15)
def _folded(word: str) -> str:
    return fold(word)


def key_of(name: str) -> str:
    """Return the form in which titles and names are compared: folded words without a leading article.

    Names in CJK characters are compared without blanks.
    """
    found = [word.folded for word in words_of(name)]
    while len(found) > 1 and found[0] in _ARTICLE:
        found = found[1:]
    return ("" if has_cjk(name) else " ").join(found)
