"""Fonts for every character of a text, from the machine's own folders: never a box in place of a letter.

Families known to suit a page come first; whatever they lack is looked for in every other font.
A letter that no font has is an error which names the command that installs one. Pictures, private
characters and the like, which often no font has, are written out instead: `[rocket]`, `[U+E001]`.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from leadline.errors import MissingExtra
from leadline.render.breaks import wide
from leadline.render.scripts import advice, is_letter

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FOLDERS: Final = (
    "~/.local/share/fonts",
    "~/.fonts",
    "/usr/local/share/fonts",
    "/usr/share/fonts",
    "~/Library/Fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
"""Where systems keep their fonts."""

_KINDS: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_LATIN: Final = (
    ("NotoSans-Regular", "NotoSans-Bold"),
    ("LiberationSans-Regular", "LiberationSans-Bold"),
    ("Arimo-Regular", "Arimo-Bold"),
    ("Arial", "Arial Bold"),
    ("arial", "arialbd"),
    ("DejaVuSans", "DejaVuSans-Bold"),
)
_CHINESE: Final = (
    ("NotoSansCJK-Regular", "NotoSansCJK-Bold"),
    ("NotoSansCJKsc-Regular", "NotoSansCJKsc-Bold"),
    ("NotoSansSC-Regular", "NotoSansSC-Bold"),
    ("SourceHanSans-Regular", "SourceHanSans-Bold"),
    ("SourceHanSansSC-Regular", "SourceHanSansSC-Bold"),
    ("SourceHanSansCN-Regular", "SourceHanSansCN-Bold"),
    ("PingFang", "PingFang"),
    ("Hiragino Sans GB", "Hiragino Sans GB"),
    ("STHeiti Light", "STHeiti Medium"),
    ("msyh", "msyhbd"),
    ("wqy-microhei", "wqy-microhei"),
    ("wqy-zenhei", "wqy-zenhei"),
    ("simhei", "simhei"),
    ("DroidSansFallbackFull", "DroidSansFallbackFull"),
    ("Arial Unicode", "Arial Unicode"),
)
_UNFIT: Final = ("bold", "italic", "oblique", "condensed", "light", "thin", "black", "mono", "extra", "semi", "medium")
_SHARED: Final = frozenset("‘’“”…—–·° ")
"""Characters that Chinese and other fonts draw with different widths: they follow their neighbours."""


class MissingLetters(NamedTuple):
    """Letters that no font has, and which commands bring one."""

    letters: str
    commands: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Face:
    """One face of a font file; `number` is its place in a collection, `covers` the characters wanted of it."""

    key: str
    path: Path
    number: int
    covers: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Wardrobe:
    """The faces of a page in order of preference; `spelled` are characters to be written out."""

    regular: tuple[Face, ...]
    bold: tuple[Face, ...]
    spelled: Mapping[int, str]

    def faces(self, text: str, *, bold: bool) -> list[Face]:
        """Return a face for each character of `text`, which holds only characters that the wardrobe was made for."""
        ranked = (*self.bold, *self.regular) if bold else self.regular
        chosen: list[Face] = []
        for at, char in enumerate(text):
            last = chosen[-1] if chosen else None
            if char == " " and last is not None:
                chosen.append(last)
                continue
            # A shared mark among letters of another script than the page's is drawn as theirs are.
            near = _neighbour(text, at) if char in _SHARED else char
            fit = [face for face in ranked if ord(char) in face.covers]
            chosen.append(next((face for face in fit if ord(near) in face.covers and _suits(face, near)), fit[0]))
        return chosen


def dress(regular: str, bold: str, *, chinese: bool, folders: Iterable[str] = FOLDERS) -> Wardrobe:
    """Return faces for the characters of `regular` and `bold`, a text's plain and its bold part.

    Raises `MissingExtra`, naming the commands that install a font, for letters that no font has.
    """
    files = font_files(folders)
    wanted = frozenset(map(ord, regular + bold)) | {ord(c) for c in "[U+0123456789ABCDEF] -"}
    families = (*_CHINESE, *_LATIN) if chinese else (*_LATIN, *_CHINESE)
    plain, left = _cover(_named(files, (f[0] for f in families)), wanted, prefix="r")
    if left:
        more, left = _cover(_others(files), left, prefix="o")
        plain += more
    letters = "".join(sorted(char for char in map(chr, left) if is_letter(char)))
    if letters or not plain:
        told = letters or "any text"
        raise MissingExtra(f"no font on this machine has the characters {told[:40]}; {advice(letters)}")
    spelled = {code: _spelled(chr(code)) for code in left}
    if spelled:
        ascii_only = frozenset(map(ord, "".join(spelled.values())))
        plain += _cover(_named(files, (f[0] for f in families)), ascii_only, prefix="s")[0]
    heavy, _ = _cover(_named(files, (f[1] for f in families)), frozenset(map(ord, bold)), prefix="b")
    return Wardrobe(regular=tuple(plain), bold=tuple(heavy), spelled=spelled)
