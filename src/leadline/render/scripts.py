"""Which package brings a font for a script, on Debian, Fedora and macOS."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple


class Package(NamedTuple):
    """The names of one font in three package managers."""

    apt: str
    dnf: str
    brew: str


_CHINESE: Final = Package("fonts-noto-cjk", "google-noto-sans-cjk-fonts", "font-noto-sans-cjk")
_EUROPEAN: Final = Package("fonts-dejavu-core", "dejavu-sans-fonts", "font-dejavu")
_WORLD: Final = Package("fonts-noto-core", "google-noto-sans-fonts", "font-noto-sans")
_RARE_HAN: Final = Package("fonts-hanazono", "hanazono-fonts", "font-hanamina")

_NAMES: Final = (
    # By the first words of the characters' Unicode names.
    (("CJK UNIFIED IDEOGRAPH-2", "CJK UNIFIED IDEOGRAPH-3"), _RARE_HAN),  # five digits: beyond the basic plane
    (("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH"), _CHINESE),
    (("LATIN", "CYRILLIC", "GREEK", "DIGIT", "COMBINING"), _EUROPEAN),
)


def advice(missing: Iterable[str]) -> str:
    """Return the commands, one a line, that install fonts for characters which none has."""
    packages = list(dict.fromkeys(_package(char) for char in missing))
    apt, dnf, brew = (" ".join(names) for names in zip(*packages, strict=True))
    return f"install a font with one of:\n  apt-get install {apt}\n  dnf install {dnf}\n  brew install --cask {brew}"


def _package(char: str) -> Package:
    name = unicodedata.name(char, "")
    if ord(char) < 0x10000 and name.startswith("CJK UNIFIED"):
        return _CHINESE
    for starts, package in _NAMES:
        if name.startswith(starts):
            return package
    return _EUROPEAN if ord(char) < 0x0590 or 0x2000 <= ord(char) < 0x2C00 else _WORLD
