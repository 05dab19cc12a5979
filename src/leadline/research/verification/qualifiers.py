"""Words that bound what a sentence says: may, plans to, most, the second largest, before, per hour.

They are few and general, carry no content of their own, and change what is said altogether. What
the evidence says with such a word is not borne out where the claim says it without, or with
another one of the same kind. Differences make a claim no more than `partial`; they never refute it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from leadline.research.verification.words import Unit, units
from leadline.text.language import HAN, has_cjk


class _Class(NamedTuple):
    """Words of one meaning, and those with which a claim may say as much or less."""

    name: str
    words: re.Pattern[str]
    allowed: frozenset[str]


def _classes(table: str) -> tuple[_Class, ...]:
    made = []
    for line in table.strip().splitlines():
        name, allowed, english, chinese = (part.strip() for part in line.split(";"))
        pattern = re.compile(rf"\b(?:{english})\b|{chinese}", re.IGNORECASE)
        made.append(_Class(name, pattern, frozenset([name, *allowed.split()])))
    return tuple(made)


# What is said to be other than a fact. Each line: name; other names that say no more; English; Chinese.
_UNREAL: Final = _classes("""
possible; conditional; may(?!\\s\\d)|might|could(?! not)|possibl[ey]|perhaps|probably|suggests?|suggested; 可能|\
或许|也许|有望|或将
planned; possible; plan(?:s|ned|ning)? to|intend(?:s|ed)? to|aim(?:s|ed)? to|propos(?:e|es|ed|al)|considering|\
consider(?:s|ed)? \\w+ing|expect(?:s|ed) to|scheduled to|set to|hop(?:es|ed) to|will|wants? to|would; 计划|\
拟(?=[将对在于与\\w])|打算|预计|即将|将(?=于|在|会|被|有|成为|继续|进一步)|建议|提议|有意
alleged; possible; alleg(?:e|es|ed|edly|ation)|accus(?:e|es|ed)|claim(?:s|ed)|rumou?r(?:s|ed)?|reportedly|\
purported(?:ly)?|supposedly|suspected|according to|said|says|argue[sd]?|contrary to|denie[sd]|den(?:y|ying)|\
some say; 指控|据|涉嫌|声称|传言|疑似|称|说|否认
attempted; ; tr(?:y|ies|ied) to|attempt(?:s|ed)? to|sought to|seeks? to|fail(?:s|ed) to; 试图|企图|未能
conditional; possible; if|unless|provided that|in case; 如果|(?:^|(?<=[，；。]))若(?!干)|倘若|假如|除非|一旦
correlated; ; correlat\\w+|associat\\w+ with|linked to; 相关|关联
""")
# Reports that say so plainly need not be told; these cast doubt.
_DOUBT: Final = re.compile(
    r"\b(?:alleg(?:e|es|ed|edly)|accus(?:e|es|ed)|rumou?r(?:s|ed)?|purported(?:ly)?|supposedly|suspected"
    r"|contrary to|denie[sd]|some say)\b|指控|涉嫌|声称|传言|疑似|否认|有人说|说法相反",
    re.IGNORECASE,
)
_SHARE: Final = _classes("""
notall; ; not all|not every; 并非所有|不是所有|并非全部|不都
except; ; except(?:ing)?(?: for)?|apart from|other than; 除[^，。]{1,12}外
most; ; most(?= of| [a-z]+s\\b)|(?:the )?majority of|mostly|largely; 大多数|绝大多数|大部分|多数|大多
few; ; few(?!er)|a minority of; 少数|极少
none; ; no|none|nobody|no one|neither; 没有(?=[\\w]{1,8}(?:对|有|好|辞))|无人|无一
only; ; only|solely|exclusively; 只有|唯有|仅有
some; ; some(?!\\s*\\d)|several|part of; 部分|一些|有些|某些|若干
all; ; all|every|each|both|entire|whole; 所有|全部|全体|各(?=[省国地市州])|均|都
""")
_LIMITS: Final = frozenset(["most", "few", "some", "notall", "except"])

# One of them says that the others are not meant. Each line: a set; its members, each with its forms.
_SETS: Final = """
monday|星期一|周一 tuesday|星期二|周二 wednesday|星期三|周三 thursday|星期四|周四 friday|星期五|周五 \
saturday|星期六|周六 sunday|星期日|周日
january|一月 february|二月 march|三月 april|四月 may|五月 june|六月 july|七月 august|八月 september|九月 october|十月 \
november|十一月 december|十二月
per_second|a_second|每秒 per_minute|a_minute|每分钟 per_hour|an_hour|每小时 per_day|a_day|daily|每天|每日 \
per_week|a_week|weekly|每周 per_month|a_month|monthly|每月 per_year|a_year|annually|yearly|每年
first_quarter|q1|第一季度|一季度 second_quarter|q2|第二季度|二季度 third_quarter|q3|第三季度|三季度 \
fourth_quarter|q4|第四季度|四季度
jr sr
mother|母亲 father|父亲
brother|兄弟|哥哥|弟弟 sister|姐妹|姐姐|妹妹
"""
_MONTH: Final = frozenset(["may", "march"])


def _sets() -> tuple[tuple[re.Pattern[str], ...], ...]:
    made = []
    for line in _SETS.strip().splitlines():
        forms = []
        for member in line.split():
            words = [word.replace("_", r"\s") for word in member.split("|")]
            english = "|".join(word for word in words if not has_cjk(word))
            chinese = [rf"(?<![{HAN}十])" * word.startswith(("一", "二")) + word for word in words if has_cjk(word)]
            capital = english.capitalize() if english in _MONTH else f"(?i:{english})"
            forms.append(re.compile("|".join([rf"\b{capital}\b", *chinese])))
        made.append(tuple(forms))
    return tuple(made)


_EXCLUSIVE: Final = _sets()

# With the word that it governs, each of a line stands against the others.
_GOVERNING: Final = tuple(
    tuple(
        re.compile(rf"\b(?:{member})\s+(?:(?:the|a|an|its|their|his|her)\s+)?(\w+)", re.IGNORECASE)
        for member in line.split(";")
    )
    for line in (
        "before|prior to;after|following;until|till;since;during",
        "from;to|into",
        "for|in favou?r of;against",
        "with;without",
        "above|over;below|under",
        "north of;south of;east of;west of",
        "former|ex-|previous;current|present|incumbent|now;deputy|vice;acting|interim",
    )
)
_GOVERNED_ZH: Final = tuple(
    tuple(re.compile(member) for member in line)
    for line in (
        ("(\\w{1,2})(?:之前|以前)", "(\\w{1,2})(?:之后|以后)"),
        ("(?<!\\w)前(?:任)?(\\w\\w)", "现任(\\w\\w)", "副(\\w\\w)", "代理(\\w\\w)"),
        ("(\\w)[的]?北面", "(\\w)[的]?南面", "(\\w)[的]?东面", "(\\w)[的]?西面"),
    )
)
_TOP: Final = re.compile(
    r"(?P<part>\b(?:one of|among|some of)\s(?:the\s)?)?(?:(?P<rank>second|third|fourth|fifth|\d+(?:nd|rd|th))[\s-])?"
    r"\b(?P<word>(?:most|least)\s(?!of\b)[a-z]+|[a-z]{3,}est|best|worst)\b(?<!\bforest)(?<!\binterest)(?<!\brequest)",
    re.IGNORECASE,
)
_NO_TOP: Final = frozenset(
    re.findall(
        r"\w+", "forest interest request contest protest harvest west east test suggest guest invest rest honest"
    )
)
_TOP_ZH: Final = re.compile(
    "第(?P<rank>[二三四五六七八九])(?P<big>[大高长])|最(?P<word>\\w)(?P<rest>[^，。；]{0,12}之一)?"
)


def differing(claim: str, evidence: str, sentence: str, *, wanted: Sequence[Unit]) -> str | None:
    """Return how a clause of the claim is bounded otherwise than a clause of the evidence, `None` where it is not.

    `sentence` is the whole that the evidence's clause stands in, `wanted` what the claim's clause says.
    """
    tests: tuple[Callable[[], str | None], ...] = (
        lambda: _unreal(claim, evidence, sentence, wanted=wanted),
        lambda: _shares(claim, evidence),
        lambda: _excluded(claim, evidence),
        lambda: _governed(claim, evidence),
        lambda: _topped(claim, evidence),
    )
    return next((reason for reason in (test() for test in tests) if reason is not None), None)


def _unreal(claim: str, evidence: str, sentence: str, *, wanted: Sequence[Unit]) -> str | None:
    mine = {one.name for one in _UNREAL if one.words.search(claim)}
    for one in _UNREAL:
        if mine & one.allowed:
            continue
        place = sentence if one.name == "conditional" else evidence
        for cue in (_DOUBT if one.name == "alleged" else one.words).finditer(place):
            scope = units(place if one.name in {"conditional", "correlated"} else place[cue.end() :])
            reached = [unit for unit in wanted if any(set(unit.terms) & set(said.terms) for said in scope)]
            if reached and 2 * sum(u.weight for u in reached) >= sum(u.weight for u in wanted) * _REACHED:
                return f"the evidence says it with a reserve: {cue[0].strip()}"
    return None


# The share of a claim's clause that stands behind such a word, of one half.
_REACHED: Final = 0.5


def _kinds(text: str) -> set[str]:
    found = set()
    for one in _SHARE:
        if one.words.search(text):
            found.add(one.name)
            text = one.words.sub(" ", text)
    return found


def bounded(text: str) -> bool:
    """Whether a clause says of how many it speaks."""
    return bool(_kinds(text))


def of_all(text: str) -> bool:
    """Whether a clause speaks of all of something, or of none."""
    return not {"all", "none"}.isdisjoint(_kinds(text))


def _shares(claim: str, evidence: str) -> str | None:
    mine, theirs = _kinds(claim), _kinds(evidence)
    if mine & theirs or not (mine or theirs & _LIMITS):
        return None
    if theirs & _LIMITS:
        said = next(one.words.search(evidence) for one in _SHARE if one.name in theirs & _LIMITS)
        return f"the evidence says it of fewer or more: {said[0].strip() if said else ''}"
    if mine & {"most", "few", "only"}:
        return "the evidence does not say of how many"
    return None


def _excluded(claim: str, evidence: str) -> str | None:
    for members in _EXCLUSIVE:
        mine = [found[0] for found in (member.search(claim) for member in members) if found]
        if not mine:
            continue
        theirs = [found[0] for found in (member.search(evidence) for member in members) if found]
        if theirs:
            common = any(member.search(claim) and member.search(evidence) for member in members)
            if not common:
                return f"the evidence says {theirs[0]}, not {mine[0]}"
    return None


def _governed(claim: str, evidence: str) -> str | None:
    for members in _GOVERNED_ZH if has_cjk(claim) else _GOVERNING:
        mine = [{found[1].lower() for found in member.finditer(claim)} for member in members]
        if not any(mine):
            continue
        theirs = [{found[1].lower() for found in member.finditer(evidence)} for member in members]
        others = frozenset[str]().union(*theirs)
        turned = (word for at, words in enumerate(mine) for word in sorted((words & others) - theirs[at]))
        word = next(turned, None)
        if word is not None:
            return f"the evidence puts {word} otherwise"
    return None


def _tops(text: str) -> list[tuple[str, str, bool]]:
    """Return the superlatives of a text: word, rank, and whether one of several is meant."""
    if has_cjk(text):
        return [(m["big"] or m["word"], m["rank"] or "", bool(m["rest"])) for m in _TOP_ZH.finditer(text)]
    found = _TOP.finditer(text)
    return [
        (m["word"].lower(), (m["rank"] or "").lower(), bool(m["part"]))
        for m in found
        if m["word"].lower() not in _NO_TOP
    ]


def _topped(claim: str, evidence: str) -> str | None:
    mine, theirs = _tops(claim), _tops(evidence)
    for word, rank, partly in mine:
        alike = [(r, p) for w, r, p in theirs if w == word]
        if not alike and theirs:
            return f"the evidence does not say {word} of this"
        if alike and (rank, partly) not in alike and not (partly and (rank, False) in alike):
            return f"the evidence ranks it otherwise: {word}"
    return None


def unsaid_top(claim: str, evidence: Sequence[str]) -> str | None:
    """Return a superlative of the claim where the evidence has none at all."""
    mine = _tops(claim)
    return mine[0][0] if mine and not any(_tops(text) for text in evidence) else None
