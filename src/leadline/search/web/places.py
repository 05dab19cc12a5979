"""Language and region of a query, by its script: what is asked in Japanese is looked for in Japan."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Place(NamedTuple):
    """ISO 639-1 language and ISO 3166-1 country, both in lower case."""

    language: str
    country: str


_ENGLISH: Final = Place("en", "us")
# Looked for in this order: kana and Hangul first, because Japanese and Korean use ideographs as well.
_SCRIPTS: Final = (
    (re.compile("[\u3040-\u30ff]"), Place("ja", "jp")),
    (re.compile("[\u1100-\u11ff\uac00-\ud7a3]"), Place("ko", "kr")),
    (re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"), Place("zh", "cn")),
    (re.compile("[іїєґІЇЄҐ]"), Place("uk", "ua")),
    (re.compile("[\u0400-\u04ff]"), Place("ru", "ru")),
    (re.compile("[\u0370-\u03ff]"), Place("el", "gr")),
    (re.compile("[\u0590-\u05ff]"), Place("he", "il")),
    (re.compile("[\u0600-\u06ff]"), Place("ar", "sa")),
    (re.compile("[\u0900-\u097f]"), Place("hi", "in")),
    (re.compile("[\u0e00-\u0e7f]"), Place("th", "th")),
)
_COUNTRIES: Final = (
    _ENGLISH,
    Place("zh", "cn"),
    Place("de", "de"),
    Place("fr", "fr"),
    Place("es", "es"),
    Place("it", "it"),
    Place("pt", "br"),
    Place("ja", "jp"),
    Place("ko", "kr"),
    Place("ru", "ru"),
)
_LETTERS: Final = re.compile(r"[^\W\d_]")
# A formula may hold a Greek letter: a script decides from this share of the letters on.
_SHARE: Final = 0.2


def place_of(text: str, language: str) -> Place:
    """Return where to look for `text`; Latin script says nothing, so `language` decides there."""
    letters = len(_LETTERS.findall(text))
    for script, place in _SCRIPTS:
        if letters and len(script.findall(text)) >= _SHARE * letters:
            return place
    if text.isascii() and language == "zh":
        return _ENGLISH  # an English query within a Chinese question asks for English pages
    return next((place for place in _COUNTRIES if place.language == language[:2]), _ENGLISH)
