"""What words alone can tell: how much of a claim its evidence holds, and words of opposite meaning.

English is compared by stems. Chinese is compared by characters, each covered where a pair of
neighbours that holds it occurs in the evidence; function characters are taken out first, so that
`新的兰花` and `新兰花` are alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, pairwise
from typing import Final, NamedTuple

from leadline.text.language import CJK
from leadline.text.tokens import fold, is_stop, stem, terms
from leadline.text.words import CHINESE_BREAK_CHARS, CHINESE_STOP_CHARS

_TOKEN: Final = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_CJK_CHAR: Final = re.compile(f"[{CJK}]")
_FUNCTION: Final = re.compile(f"[{CHINESE_BREAK_CHARS}]+")
_CJK_RUN: Final = re.compile(f"[{CJK}]+")
# Two Chinese characters make about one word.
_CHAR_WEIGHT: Final = 0.5
# Long words with as many letters in common are forms of one root.
_ROOT: Final = 6
# A name says more about what a sentence is about than any other word.
_NAME_WEIGHT: Final = 2.0


class Unit(NamedTuple):
    """A part of a claim that the evidence should hold: any of `terms` does."""

    terms: tuple[str, ...]
    weight: float
    wide: bool  # one Chinese character


def units(text: str) -> tuple[Unit, ...]:
    """Return the parts of `text` that carry content, in order, repetitions kept."""
    found: list[Unit] = []
    for token in _TOKEN.findall(fold(text)):
        if _CJK_CHAR.match(token):
            found.extend(_wide_units(_FUNCTION.sub("", token)))
        elif not is_stop(token):
            found.append(Unit(_forms(stem(token)), 1.0, wide=False))
    return tuple(found)


def _forms(term: str) -> tuple[str, ...]:
    """Return the term and, for a long one, its root: production and produced share `~produc`."""
    if len(term) < _ROOT or not term.isascii() or not term.isalpha():
        return (term,)
    return (term, f"~{term[:_ROOT]}")


def _wide_units(run: str) -> Iterable[Unit]:
    for index, char in enumerate(run):
        if char in CHINESE_STOP_CHARS:
            continue
        pairs = (run[max(0, index - 1) : index + 1], run[index : index + 2])
        wanted = tuple(dict.fromkeys(pair for pair in pairs if len(pair) == 2)) or (char,)
        yield Unit(wanted, _CHAR_WEIGHT, wide=True)


def held_terms(text: str) -> frozenset[str]:
    """Return all terms that `text`, as evidence, holds; stop words are kept."""
    held = frozenset(terms(text))
    held |= {form for term in held if len(term) >= _ROOT for form in _forms(term)}
    if text.isascii():
        return held
    folded = fold(text)
    tight = (_FUNCTION.sub("", run) for run in _CJK_RUN.findall(folded))
    more = [a + b for run in tight for a, b in pairwise(run)]
    return held.union(more, _CJK_CHAR.findall(folded))


def stem_set(text: str) -> frozenset[str]:
    """Return the stems of a list of words."""
    return frozenset(map(stem, text.split()))


def holds(unit: Unit, held: AbstractSet[str]) -> bool:
    """Whether evidence with these terms holds the unit."""
    return not held.isdisjoint(unit.terms)


def weight(unit: Unit, names: AbstractSet[str] = frozenset()) -> float:
    """Return what the unit counts; `names` are the terms of proper names."""
    return unit.weight if names.isdisjoint(unit.terms) else unit.weight * _NAME_WEIGHT


def coverage(wanted: Sequence[Unit], held: AbstractSet[str], *, names: AbstractSet[str] = frozenset()) -> float:
    """Return the weighted share of `wanted` that the evidence holds; 1.0 where nothing is wanted."""
    total = sum(weight(unit, names) for unit in wanted)
    if not total:
        return 1.0
    return sum(weight(unit, names) for unit in wanted if holds(unit, held)) / total


def longest_gap(wanted: Sequence[Unit], held: AbstractSet[str]) -> int:
    """Return the length of the longest run of Chinese characters of a claim not in the evidence.

    Three in a row are a word or name of their own, however well the rest is covered.
    """
    longest = run = 0
    for unit in wanted:
        run = run + 1 if unit.wide and not holds(unit, held) else 0
        longest = max(longest, run)
    return longest


def phrases(wanted: Sequence[Unit], evidence: Sequence[Sequence[Unit]]) -> float:
    """Return the share of the claim's neighbouring words that are neighbours in the evidence."""
    mine = set(pairwise(unit.terms[0] for unit in wanted))
    if not mine:
        return 1.0
    theirs = (pairwise(unit.terms[0] for unit in sentence) for sentence in evidence)
    return len(mine.intersection(chain.from_iterable(theirs))) / len(mine)


# --- opposites -------------------------------------------------------------------------------

# Each line: words of one direction, a bar, words of the other.
_OPPOSITES_EN: Final = """
increase rise grow gain climb expand up higher raise | decrease decline fall drop shrink down lower reduce cut
approve accept endorse adopt pass | reject refuse deny veto dismiss fail
support favour favor back | oppose resist
allow permit legal legalize | forbid ban prohibit illegal outlaw
more most majority | fewer less least minority
above over | below under
before | after
first earliest | last latest
largest biggest highest maximum longest tallest | smallest lowest minimum shortest
win won beat | lose lost
profit surplus | loss deficit
import | export
begin start open launch | end close stop cease
enable | disable
include | exclude
appoint hire join | dismiss fire resign leave
faster quicker | slower
improve better | worsen worse
strengthen | weaken
buy acquire purchase | sell
success succeed | failure fail
effective | ineffective
possible | impossible
likely | unlikely
safe | unsafe dangerous
north northern | south southern
east eastern | west western
warm hot | cold cool
with | without
"""
_OPPOSITES_ZH: Final = """
增长 增加 上升 上涨 提高 上调 扩大 增至 升至 增多 | 下降 减少 下跌 降低 下调 缩小 减至 降至 萎缩 下滑
批准 通过 赞成 支持 同意 | 否决 驳回 反对 拒绝
允许 准许 合法 | 禁止 不准 非法
高于 超过 多于 以上 | 低于 不足 少于 以下 不到
之前 以前 早于 | 之后 以后 晚于
最大 最高 最多 最长 最早 首次 | 最小 最低 最少 最短 最晚 末次
盈利 | 亏损
进口 | 出口
开始 开放 启用 开工 开业 | 结束 关闭 停用 停工 停业
成功 | 失败
获胜 战胜 | 落败 败给
买入 收购 | 卖出 出售
有效 | 无效
安全 | 危险
加快 加速 | 放缓 减速
改善 好转 | 恶化
顺差 | 逆差
男性 | 女性
东部 | 西部
北部 | 南部
"""


def _opposites(lines: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in lines.strip().splitlines():
        left, right = (frozenset(map(stem, side.split())) for side in line.split("|"))
        for word in left:
            found[word] = found.get(word, frozenset()) | right
        for word in right:
            found[word] = found.get(word, frozenset()) | left
    return found


OPPOSITES: Final = _opposites(_OPPOSITES_EN) | _opposites(_OPPOSITES_ZH)


def opposite_pair(claim: AbstractSet[str], evidence: AbstractSet[str]) -> tuple[str, str] | None:
    """Return a word of the claim and its opposite in the evidence, `None` where there is none.

    A word that the evidence holds as well, or whose opposite the claim holds as well, proves
    nothing.
    """
    for word in sorted(claim - evidence):
        against = OPPOSITES.get(word)
        if not against or against & claim:
            continue
        # Another word of the same direction says the same.
        same = frozenset[str]().union(*(OPPOSITES[other] for other in against))
        met = sorted(against & evidence)
        if met and not same & evidence:
            return word, met[0]
    return None
