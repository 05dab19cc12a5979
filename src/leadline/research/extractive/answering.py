"""A direct answer, where a rule names one surely: two things compared by date, or by nationality.

A guess by type and nearness is wrong more often than right (docs/quality.md), so none is made:
whatever a rule needs and does not find leaves the question to the ranked sentences.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from leadline.research.extractive.asking import key_of
from leadline.research.extractive.hops import Survey
from leadline.research.extractive.reading import Line, Page
from leadline.text.dates import DateValue, find_dates
from leadline.text.language import has_cjk


class Evidence(NamedTuple):
    """A span of a source that an answer rests on."""

    source_id: str
    start: int
    end: int


class Answer(NamedTuple):
    """A direct answer in words, and what it rests on."""

    text: str
    evidence: tuple[Evidence, ...]


class _Dated(NamedTuple):
    """An alternative, the page whose date counts for it, and the date with its line."""

    name: str
    page: Page
    date: DateValue
    written: str
    lines: tuple[Line, ...]


_EARLIER = re.compile(
    r"\b(?:first|earlier|older|oldest|before|earliest)\b|更早|较早|先|年长|年長|更老|早于", re.IGNORECASE
)
_LATER = re.compile(
    r"\b(?:later|younger|youngest|more recent(?:ly)?|latest|after|newer|last)\b|更晚|较晚|后|更年轻|年輕|晚于",
    re.IGNORECASE,
)
_BIRTH = re.compile(r"\b(?:born|older|oldest|younger|youngest|birth)\b|出生|生于|年长|年轻|年長|年輕", re.IGNORECASE)
_DEATH = re.compile(r"\b(?:died|death)\b|去世|逝世", re.IGNORECASE)
_BEGUN = re.compile(
    r"\b(?:releas|came out|found|establish|form|publish|premier|open|start|launch|built|complet|creat)"
    r"|上映|发行|發行|成立|创立|創立|创办|建立|出版|开通|建成|首播|通车|开放",
    re.IGNORECASE,
)
_DIRECTOR = re.compile(r"\bdirectors?\b|导演|導演", re.IGNORECASE)
_DIRECTED = re.compile(r"\bdirect(?:ed|or)|导演|導演|执导|執導", re.IGNORECASE)
_LIFE = re.compile(r"[(\uff08]([^()\uff08\uff09]*\d{3,4}[^()\uff08\uff09]*)")
_DASH = re.compile(r"\s*[\u2013\u2014\u2012~\uff5e]\s*|\s-\s|(?<=\d)-(?=\d{1,2}\s[A-Z])")
_BORN = re.compile(r"\bb(?:orn|\.)|出生|生于", re.IGNORECASE)
_DIED = re.compile(r"\bd(?:ied|\.)|去世|逝世", re.IGNORECASE)
_SAME = re.compile(
    r"\bsame (?:nationality|country)\b|\bboth (?:from|of) the same country\b|国籍相同|同一国籍|同一个国家",
    re.IGNORECASE,
)
_NATIONAL = re.compile(r"\b(?:is|was) an? (?:\w+ )?(?P<nation>[A-Z][a-z]+(?:-[A-Z][a-z]+)?)\b")


def answer(seen: Survey) -> Answer | None:
    """Return the direct answer of a comparison, `None` where no rule is sure."""
    if len(seen.asked.alternatives) == 2:
        return _by_date(seen)
    return _by_nation(seen) if _SAME.search(seen.asked.text) else None


def _by_date(seen: Survey) -> Answer | None:
    question = _outside_names(seen)
    earlier, later = bool(_EARLIER.search(question)), bool(_LATER.search(question))
    if earlier == later:
        return None
    sides = [_dated(seen, name, question) for name in seen.asked.alternatives]
    if None in sides:
        return None
    one, other = (side for side in sides if side is not None)
    order = _order(one.date, other.date)
    if order == 0 or one.page.number == other.page.number:
        return None
    best, rest = (one, other) if (order < 0) == earlier else (other, one)
    return _answer(seen, best, rest)


def _answer(seen: Survey, best: _Dated, rest: _Dated) -> Answer:
    evidence = dict.fromkeys(at(seen, line) for side in (best, rest) for line in side.lines)
    told = [f"{_short(side.page.source.title)}: {side.written}" for side in (best, rest)]
    if has_cjk(seen.asked.text):
        return Answer(f"{best.name}（{'；'.join(told)}）。", tuple(evidence))
    return Answer(f"{best.name} ({'; '.join(told)}).", tuple(evidence))


def _short(title: str) -> str:
    return re.sub(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]\s*\Z", "", title)


def _outside_names(seen: Survey) -> str:
    text = seen.asked.text
    for name in seen.asked.alternatives:
        text = text.replace(name, " ")
    return text


def _dated(seen: Survey, name: str, question: str) -> _Dated | None:
    """Return an alternative with the date that the question compares it by."""
    page = _page_of(seen, name)
    if page is None:
        return None
    if _DIRECTOR.search(question):
        return _director(seen, name, page, death=bool(_DEATH.search(question)))
    if _BIRTH.search(question) or _DEATH.search(question):
        return _life(name, page, (), death=bool(_DEATH.search(question)))
    return _begun(name, page) if _BEGUN.search(question) else None


def _page_of(seen: Survey, name: str) -> Page | None:
    """Return the page that goes by a name, `None` where none or several do."""
    wanted = key_of(name)
    found: dict[float, list[Page]] = {}
    for page in seen.pages:
        strength = dict(page.keys).get(wanted, 0.0)
        if strength and page.lines:
            found.setdefault(strength, []).append(page)
    best = found[max(found)] if found else []
    return best[0] if len(best) == 1 else None


def _director(seen: Survey, name: str, page: Page, *, death: bool) -> _Dated | None:
    """Return the director's date: the one page that a line about directing leads to."""
    found: dict[int, Line] = {}
    for hop in seen.hops:
        if hop.origin != page.number or not hop.titled:
            continue
        text = page.text[hop.line.start : hop.line.end]
        said = _DIRECTED.search(text)
        if said and hop.line.holds(hop.key) and dict(seen.pages[hop.target].keys).get(hop.key, 0.0) >= 0.8:
            behind = key_of(text[said.end() :])
            if f" {behind} ".startswith((f" by {hop.key} ", f" {hop.key} ")) or has_cjk(hop.key):
                found[hop.target] = hop.line
    if len(found) != 1:
        return None
    [(target, line)] = found.items()
    return _life(name, seen.pages[target], (line,), death=death)


def _life(name: str, page: Page, lines: tuple[Line, ...], *, death: bool) -> _Dated | None:
    """Return the date of birth or death that stands in brackets behind the name that opens a page."""
    opening = next((line for line in page.lines if line.prose), None)
    if opening is None:
        return None
    text = page.text[opening.start : opening.end]
    life = _LIFE.search(text)
    if life is None:
        return None
    start, end = life.span(1)
    dash = _DASH.search(text, start, end)
    if dash is not None:
        start, end = (dash.end(), end) if death else (start, dash.start())
    elif not (_DIED if death else _BORN).search(text, start, end):
        return None
    dates = [date for date in find_dates(text[start:end]) if date.year is not None]
    if not dates:
        return None
    date = dates[0]
    return _Dated(name, page, date, text[start + date.start : start + date.end], (*lines, opening))


def _begun(name: str, page: Page) -> _Dated | None:
    """Return the date at which a thing came to be: the first that its opening sentence states."""
    opening = next((line for line in page.lines if line.prose), None)
    if opening is None:
        return None
    text = page.text[opening.start : opening.end]
    dates = [date for date in find_dates(text) if date.year is not None]
    if not dates:
        return None
    said = _BEGUN.search(text)
    date = next((d for d in dates if said and d.start >= said.end()), dates[0])
    return _Dated(name, page, date, text[date.start : date.end], (opening,))


def _order(one: DateValue, other: DateValue) -> int:
    """Return -1, 1 as the first date is earlier or later, 0 where that is not sure."""
    if one.precision != other.precision and one.year == other.year:
        return 0
    first, second = ((d.year or 0, d.month or 0, d.day or 0) for d in (one, other))
    return (first > second) - (first < second)


def _by_nation(seen: Survey) -> Answer | None:
    """Return yes or no where both pages that the question names state one nationality each."""
    pages = [page for name in seen.asked.names if (page := _page_of(seen, name)) is not None]
    pages = list({page.number: page for page in pages}.values())
    if len(pages) != 2 or _DIRECTOR.search(seen.asked.text):
        return None
    found = []
    for page in pages:
        opening = next((line for line in page.lines if line.prose), None)
        nation = _NATIONAL.search(page.text, opening.start, opening.end) if opening else None
        if opening is None or nation is None:
            return None
        found.append((page, nation["nation"], opening))
    same = found[0][1] == found[1][1]
    told = "; ".join(f"{_short(page.source.title)}: {nation}" for page, nation, _ in found)
    return Answer(f"{'Yes' if same else 'No'} ({told}).", tuple(at(seen, line) for _, _, line in found))


def at(seen: Survey, line: Line) -> Evidence:
    """Return where a line stands."""
    return Evidence(seen.pages[line.page].source.id, line.start, line.end)
