"""Whether a text that is about to go out repeats private text.

A check of wording, not of meaning: what a model says in its own words passes, as does what it
hides in a code that is not undone here. It raises the price of carrying text away; the real wall
is to give a run private documents or the web, not both.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import unicodedata
from collections import Counter
from typing import Final
from urllib.parse import unquote_plus

SHARED: Final = 24
"""Characters in a row that count as repeated; an ideograph counts for two."""

# A run of SHARED holds at least one whole block that begins at a multiple of its length.
_BLOCK: Final = SHARED // 2
_WORD: Final = re.compile(r"[^\W_]+")
_IDEOGRAPH: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{6,199}")
_SWITCH: Final = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])", re.IGNORECASE)
_LEAST_TOKEN: Final = 8
_LEAST_DIGITS: Final = 9
_SWITCHES: Final = 2
_LEAST_BITS: Final = 2.5
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){8,}", re.IGNORECASE)
_UNDONE: Final = 3
_MOST_CODED: Final = 16


class PrivateText:
    """Private text, indexed as it comes, so that a look costs what the outgoing text is long."""

    def __init__(self) -> None:
        self._folded: list[str] = []
        self._blocks: dict[str, list[tuple[int, int]]] = {}
        self._tokens: set[str] = set()
        self._known: set[str] = set()

    def add(self, text: str) -> None:
        """Take in one passage; the same passage again costs a look."""
        if text in self._known:
            return
        self._known.add(text)
        for folded in _forms(text):
            number = len(self._folded)
            self._folded.append(folded)
            for start in range(0, len(folded) - _BLOCK + 1, _BLOCK):
                self._blocks.setdefault(folded[start : start + _BLOCK], []).append((number, start))
        self._tokens.update(_secrets(text))

    def repeated_in(self, outgoing: str, *, allowed: str = "") -> bool:
        """Return whether `outgoing` repeats private text that is not in `allowed` as well."""
        granted = _forms(allowed)
        return any(self._repeats(text, granted) for text in _undone(outgoing))

    def _repeats(self, text: str, granted: tuple[str, str]) -> bool:
        spaced, packed = _forms(text)
        if any(token in packed and token not in granted[1] for token in self._tokens):
            return True
        return self._runs(spaced, granted[0]) or self._runs(packed, granted[1])

    def _runs(self, text: str, granted: str) -> bool:
        for at in range(len(text) - _BLOCK + 1):
            for number, start in self._blocks.get(text[at : at + _BLOCK], ()):
                run = _common(text, at, private=self._folded[number], start=start)
                if any(run[i : i + SHARED] not in granted for i in range(len(run) - SHARED + 1)):
                    return True
        return False


def _common(text: str, at: int, *, private: str, start: int) -> str:
    """Return the run that two texts have in common around the block at `at` and `start`."""
    left = 0
    while left < min(at, start) and text[at - left - 1] == private[start - left - 1]:
        left += 1
    right = _BLOCK
    room = min(len(text) - at, len(private) - start)
    while right < room and text[at + right] == private[start + right]:
        right += 1
    return text[at - left : at + right]


def _forms(text: str) -> tuple[str, str]:
    """Return a text as words in lower case with single blanks, and without any blanks."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    spaced, packed = " ".join(words), "".join(words)
    return _IDEOGRAPH.sub(r"\g<0>\g<0>", spaced), _IDEOGRAPH.sub(r"\g<0>\g<0>", packed)


def _secrets(text: str) -> set[str]:
    """Return the tokens that look like keys, passwords or numbers of accounts, folded."""
    found: set[str] = set()
    for token in _TOKEN.findall(text):
        packed = "".join(_WORD.findall(token.casefold()))
        mixed = (
            len(packed) >= _LEAST_TOKEN and len(_SWITCH.findall(packed)) >= _SWITCHES and _bits(packed) >= _LEAST_BITS
        )
        if mixed or (packed.isdecimal() and len(packed) >= _LEAST_DIGITS):
            found.add(packed)
    return found


def _bits(token: str) -> float:
    """Return the entropy of a token's characters, in bits a character (Shannon 1948)."""
    counts = Counter(token).values()
    return -sum(count / len(token) * math.log2(count / len(token)) for count in counts)


def _undone(text: str) -> list[str]:
    """Return a text and what is left of it once percent-encoding, Base64, hexadecimal or a reversal is undone."""
    forms = [text]
    for _ in range(_UNDONE):
        plain = unquote_plus(forms[-1])
        if plain == forms[-1]:
            break
        forms.append(plain)
    decoded = [piece for form in forms for piece in _decoded(form)]
    return [*forms, *decoded, text[::-1]]


def _decoded(text: str) -> list[str]:
    found: list[bytes] = []
    for coded in _CODED.findall(text)[:_MOST_CODED]:
        body = coded.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            found.append(base64.b64decode(body + "=" * (-len(body) % 4)))
        except binascii.Error:
            continue
    found += [bytes.fromhex(coded) for coded in _HEX.findall(text)[:_MOST_CODED]]
    return [data.decode("utf-8", "ignore") for data in found]
