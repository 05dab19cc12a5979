"""Where a line of text may end: at blanks, between Chinese characters by their rules, within addresses.

After Unicode's line breaking (UAX 14) and the Chinese rules for line heads and ends (GB/T 15834,
`Requirements for Chinese Text Layout`), as far as reports need them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NOT_FIRST: Final = frozenset(
    "，。、；：？！…—～·）》」』】〕〗〉〞｝］％‰℃°’”ー々〜゛゜ヽヾゝゞっゃゅょぁぃぅぇぉッャュョァィゥェォ"
    ",.;:?!)]}%>'\"»›"
)
_NOT_LAST: Final = frozenset("（《「『【〔〖〈〝｛［‘“￥＄£¥$#([{<«‹")
_TWINS: Final = frozenset({"……", "——"})
_CITED: Final = re.compile(r" ?(?:\[\d+\])+")
_ADDRESS: Final = re.compile(r"(?:https?://|www\.|/)[^\s\u3000-\u9fff\uff00-\uffef]{8,}", re.IGNORECASE)
_JOINT: Final = re.compile(r"(?<=[/?&=.\-_#%:,;+~])(?![/?&=.\-_#%:,;+~])")
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)


def breaks(text: str) -> frozenset[int]:
    """Return the offsets in `text` before which a new line may begin."""
    found = {at for at in range(1, len(text)) if _may_break(text, at)}
    for address in _ADDRESS.finditer(text):
        scheme = _SCHEME.match(address[0])
        head = scheme.end() if scheme else 1
        joints = (joint.start() for joint in _JOINT.finditer(address[0]))
        found.update(address.start() + joint for joint in joints if head < joint < len(address[0]))
    for cited in _CITED.finditer(text):
        # A citation never begins a line; what follows it may.
        found.difference_update(range(cited.start(), cited.end()))
    return frozenset(found)


def wide(char: str) -> bool:
    """Whether a line may end beside this character without a blank: Han, kana, hangul, their marks."""
    return char >= "\u1100" and unicodedata.east_asian_width(char) in {"W", "F"}


def _may_break(text: str, at: int) -> bool:
    before, behind = text[at - 1], text[at]
    if behind == " " or before == "\u00a0" or behind == "\u00a0":
        return False
    if before == " ":
        return not (behind in _NOT_FIRST and wide(behind))
    if behind in _NOT_FIRST or before in _NOT_LAST or unicodedata.combining(behind):
        return False
    if before + behind in _TWINS:
        return False
    if before in "-–—" and behind.isalpha() and text[at - 2 : at - 1].isalpha():
        return True
    return wide(before) or wide(behind) or _closes(text, at)


def _closes(text: str, at: int) -> bool:
    """Whether a Chinese mark that is not wide by itself ends right before, such as `”` in Chinese text."""
    return text[at - 1] in "’”…—" and at >= 2 and wide(text[at - 2])
