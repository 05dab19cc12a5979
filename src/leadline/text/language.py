"""Which language a text is in, decided by script alone."""

from __future__ import annotations

import re
from typing import Final, Literal

Language = Literal["en", "zh"]

# Ideographs with the iteration mark, the zero and the extension planes.
HAN: Final = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA: Final = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
HANGUL: Final = "\u1100-\u11ff\uac00-\ud7a3"
# Everything written without reliable blanks; for use inside a character class.
CJK: Final = HAN + KANA + HANGUL
# Marks that belong to such writing and stand without blanks as well.
CJK_MARKS: Final = "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff60"

_CJK_CHAR: Final = re.compile(f"[{CJK}]")
_HAN_RUN: Final = re.compile(f"[{HAN}]+")
_KANA_RUN: Final = re.compile(f"[{KANA}]+")
_FUNCTION_CHAR: Final = re.compile("[的是了吗嗎呢么麼么谁誰哪几幾们們这這]")
_LATIN_WORD: Final = re.compile(r"[A-Za-z\u00c0-\u024f]+")

# The beginning of a text decides; more would cost time and change nothing.
_SAMPLE: Final = 20_000


def is_cjk(char: str) -> bool:
    """Whether `char` (one code point) is an ideograph, a kana or a Hangul syllable."""
    return _CJK_CHAR.match(char) is not None


def has_cjk(text: str) -> bool:
    """Whether `text` holds any CJK character."""
    return not text.isascii() and _CJK_CHAR.search(text) is not None


def detect(text: str) -> Language:
    """Return ``"zh"`` where Chinese carries the sentence, else ``"en"``.

    Ideographs are weighed against Latin words (a Chinese word has about two), function
    characters twice, so that a Chinese question about English names stays Chinese. Text with a
    share of kana is Japanese and, like every further language, reported as ``"en"``.
    """
    if text.isascii():
        return "en"
    sample = text[:_SAMPLE]
    han = sum(map(len, _HAN_RUN.findall(sample)))
    if han == 0:
        return "en"
    kana = sum(map(len, _KANA_RUN.findall(sample)))
    if kana * 10 >= han:
        return "en"
    weight = han + 2 * len(_FUNCTION_CHAR.findall(sample))
    return "zh" if weight > 2 * len(_LATIN_WORD.findall(sample)) else "en"
