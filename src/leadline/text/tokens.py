"""Terms for ranking, and text and queries for a full-text index.

Chinese, Japanese and Korean runs become overlapping pairs of characters; a run of one character
stays as it is. Measured on a mixed collection, pairs find two-character words, the common case,
better than a dictionary cutter, and need no dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

from leadline.text.han import SIMPLIFIED, TRADITIONAL
from leadline.text.language import CJK, has_cjk
from leadline.text.words import (
    CHINESE_BREAK_CHARS,
    CHINESE_STOP,
    CHINESE_STOP_CHARS,
    ENGLISH_QUESTION,
    ENGLISH_REQUEST,
    ENGLISH_STOP,
    IRREGULAR,
)

# A longer run of letters (a hash, a data URL) is cut, which also bounds the memory of the stemmer.
MAX_WORD: Final = 64
# The part of a question or phrase that a query is made of, in code points.
MAX_QUERY_TEXT: Final = 20_000
# More alternatives make a query slow and no better.
MAX_QUERY_TERMS: Final = 64

_FOLD_TABLE: Final = dict(zip(map(ord, TRADITIONAL), SIMPLIFIED, strict=True))
_TRADITIONAL_CHAR: Final = re.compile(f"[{TRADITIONAL}]")
_ASCII_WORD: Final = re.compile(f"[a-z0-9]{{1,{MAX_WORD}}}")
_WORD: Final = re.compile(rf"[{CJK}]+|[^\W_{CJK}]{{1,{MAX_WORD}}}")
_CJK_START: Final = re.compile(f"[{CJK}]")
_CJK_RUN: Final = re.compile(f"[{CJK}]+")
_ACCENTED: Final = re.compile("[\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff]")
_COMBINING: Final = re.compile("[\u0300-\u036f]+")
_VOWEL: Final = re.compile("[aeiouy]")
_DOUBLED: Final = re.compile(r"([bdfgkmnprt])\1$")
# A copula or preposition before a question word belongs to it ("是什么时候", "由谁").
_STOP_RUN: Final = re.compile(
    f"[是由在被于]?(?:{'|'.join(sorted(CHINESE_STOP, key=len, reverse=True))}|[谁哪])是?|[{CHINESE_BREAK_CHARS}]"
)
_REQUEST: Final = re.compile(
    rf"\s{{0,40}}(?:please\s{{1,4}})?(?:(?:can|could)\s{{1,4}}you\s{{1,4}})?(?:{ENGLISH_REQUEST})\b"
)
_CHINESE_STOP_SET: Final = frozenset(CHINESE_STOP)
_NOTHING: Final = '""'


def fold_han(text: str) -> str:
    """Return `text` with frequent traditional characters made simplified, offsets unchanged."""
    if text.isascii() or _TRADITIONAL_CHAR.search(text) is None:
        return text
    return text.translate(_FOLD_TABLE)


def fold(text: str) -> str:
    """Return `text` as terms are compared: NFKC, lower case, no accents, simplified characters.

    Lengths may change; for offsets into the text see `leadline.text.spans`.
    """
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).lower()
    if _ACCENTED.search(text):
        bare = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
        text = unicodedata.normalize("NFC", bare)
    return fold_han(text)


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order, unstemmed, CJK runs as overlapping pairs."""
    folded = fold(text)
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    found: list[str] = []
    for word in _WORD.findall(folded):
        if len(word) == 1 or word.isascii() or _CJK_START.match(word) is None:
            found.append(word)
        else:
            found.extend(map("".join, pairwise(word)))
    return found


def terms(text: str) -> list[str]:
    """Return the terms of `text` for ranking: `words`, each stemmed; stop words are kept."""
    return list(map(_stem, words(text)))


def content_terms(text: str) -> list[str]:
    """Return `terms` without stop words, repetitions kept."""
    return [term for term in terms(text) if not is_stop(term)]


def stem(word: str) -> str:
    """Return the light stem of a lower-case English word; other words are returned unchanged.

    Plural, ``-ed``, ``-ing``, ``-ly`` and a final ``-e`` go, frequent irregular forms are mapped.
    Stop words are left alone, so that `is_stop` holds before and after stemming.
    """
    return word if len(word) > MAX_WORD else _stem(word)


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if len(word) <= 2 or not word.isascii() or not word.isalpha():
        return word
    if word in ENGLISH_STOP or word in ENGLISH_QUESTION:
        return word
    irregular = IRREGULAR.get(word)
    if irregular is not None:
        return _strip_e(irregular)
    return _strip_e(_strip_suffix(_strip_plural(word)))


def _strip_plural(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]


def _strip_suffix(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("ly") and len(word) > 5:
        return word[:-2]
    if word.endswith("ed") and not word.endswith("eed"):
        base = word[:-2]
    elif word.endswith("ing"):
        base = word[:-3]
    else:
        return word
    if len(base) < 3 or _VOWEL.search(base) is None:
        return word
    return base[:-1] if _DOUBLED.search(base) else base


def _strip_e(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def is_stop(term: str) -> bool:
    """Whether a term (English word or stem, CJK pair or character) carries no content."""
    if term in ENGLISH_STOP or term in ENGLISH_QUESTION or term in _CHINESE_STOP_SET:
        return True
    return len(term) <= 2 and all(char in CHINESE_STOP_CHARS for char in term)


def query_words(text: str) -> list[str]:
    """Return the distinct content words of a question, unstemmed, in order.

    Stop words and question words go; Chinese runs are cut at function words before they become
    pairs, so that no pair spans one. Where nothing else is left, all words are returned.
    """
    folded = fold(text)
    cut = _REQUEST.sub("", folded, count=1) if _REQUEST.match(folded) else folded
    if has_cjk(cut):
        cut = _CJK_RUN.sub(_blank_stop_words, cut)
    kept = [word for word in words(cut) if not is_stop(word)]
    return list(dict.fromkeys(kept or words(folded)))


def query_terms(text: str) -> list[str]:
    """Return `query_words`, each stemmed and distinct, in order."""
    return list(dict.fromkeys(map(_stem, query_words(text))))


def _blank_stop_words(run: re.Match[str]) -> str:
    return _STOP_RUN.sub(" ", run[0])


def fts_tokens(text: str) -> str:
    """Return `text` cut for an FTS5 ``unicode61`` index (``porter unicode61`` does as well).

    CJK runs become overlapping pairs set off by blanks, folded to simplified characters; other
    text stays (the index itself folds case and accents), in NFKC.
    """
    if text.isascii():
        return text
    return _CJK_RUN.sub(_spaced_pairs, fold_han(unicodedata.normalize("NFKC", text)))


def _spaced_pairs(run: re.Match[str]) -> str:
    chars = run[0]
    if len(chars) == 1:
        return f" {chars} "
    return f" {' '.join(map(''.join, pairwise(chars)))} "


def fts_query(text: str, *, mode: Literal["or", "and"] = "or", phrases: Iterable[str] = ()) -> str:
    """Return an FTS5 MATCH expression for an index filled through `fts_tokens`.

    Every phrase must occur; the content words of `text` are joined by `mode`. A single CJK
    character matches the pairs it opens. At most `MAX_QUERY_TERMS` words and as many phrases are
    used, from the first `MAX_QUERY_TEXT` code points of each text. Only words in double quotes
    leave this function, so no FTS5 syntax can pass through; without any word the expression
    matches nothing.
    """
    needed = list(dict.fromkeys(_phrase(phrase) for phrase in phrases))
    needed = [phrase for phrase in needed if phrase != _NOTHING][:MAX_QUERY_TERMS]
    chosen = query_words(text[:MAX_QUERY_TEXT])[:MAX_QUERY_TERMS] if text else []
    joined = f" {mode.upper()} ".join(map(_quoted, chosen))
    if joined:
        needed.append(f"({joined})" if needed and len(chosen) > 1 else joined)
    return " AND ".join(needed) or _NOTHING


def _phrase(phrase: str) -> str:
    return f'"{" ".join(words(phrase[:MAX_QUERY_TEXT])[:MAX_QUERY_TERMS])}"'


def _quoted(word: str) -> str:
    quoted = f'"{word}"'
    return f"{quoted}*" if len(word) == 1 and _CJK_START.match(word) else quoted
