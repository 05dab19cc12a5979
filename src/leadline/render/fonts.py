"""Fonts for every character of a text, from the machine's own folders: never a box in place of a letter.

Families known to suit a page come first; whatever they lack is looked for in every other font.
A letter that no font has is an error which names the command that installs one. Pictures, private
characters and the like, which often no font has, are written out instead: `[rocket]`, `[U+E001]`.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadline.errors import MissingExtra
from leadline.render.breaks import wide
from leadline.render.scripts import advice

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

_COLLECTIONS: Final = frozenset({".ttc", ".otc"})
_KINDS: Final = frozenset({".ttf", ".otf", *_COLLECTIONS})
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
_ASCII: Final = frozenset(range(0x20, 0x7F))
_LETTERS: Final = frozenset("LMNPZ")
"""Categories of characters that carry the text; pictures, private and unknown ones can be written out."""
_SHOWN: Final = 40
_NO_EMBEDDING: Final = 0x0002  # OS/2 fsType: restricted licence
_NORMAL: Final = 400
_SHARED: Final = frozenset("‘’“”…—–·°")
"""Characters that Chinese and other fonts draw with different widths: they follow their neighbours."""
_MARKS: Final = frozenset(map(ord, _SHARED))
_NEAR: Final = 12
"""Characters within which a mark's neighbours are looked for: over a figure, not over a clause."""
_HAN: Final = ord("中")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Face:
    """One face of a font file.

    `number` is its place in a collection, `covers` are the characters wanted of it; `chinese` tells
    whether it is made for Chinese, with marks as wide as a Chinese character.
    """

    key: str
    path: Path
    number: int
    covers: frozenset[int]
    chinese: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Wardrobe:
    """The faces of a page in order of preference; `spelled` are characters to be written out."""

    regular: tuple[Face, ...]
    bold: tuple[Face, ...]
    spelled: Mapping[int, str]

    def faces(self, text: str, *, bold: bool) -> list[Face]:
        """Return a face for each character of `text`, which holds only characters that this was made for."""
        ranked = (*self.bold, *self.regular) if bold else self.regular
        chosen: list[Face] = []
        for at, char in enumerate(text):
            fit: Sequence[Face] = [face for face in ranked if ord(char) in face.covers]
            if char in _SHARED:
                # A mark among letters of another script than the page's is drawn as theirs are.
                fit = _like(fit, chinese=_in_chinese(text, at))
            chosen.append(fit[0])
        return chosen


def dress(regular: str, bold: str, *, chinese: bool, folders: Iterable[str] = FOLDERS) -> Wardrobe:
    """Return faces for the characters of `regular` and `bold`, a text's plain and its bold part.

    Raises `MissingExtra`, naming the commands that install a font, for letters that no font has.
    """
    files = _files(folders)
    families = (*_CHINESE, *_LATIN) if chinese else (*_LATIN, *_CHINESE)
    plain = [light for light, _ in families]
    wanted = frozenset(map(ord, regular + bold)) | _ASCII
    faces, left = _cover(_named(files, plain), wanted, prefix="r")
    more, left = _cover(_others(files), left, prefix="o")
    missing = [char for char in map(chr, sorted(left)) if unicodedata.category(char)[0] in _LETTERS]
    if missing:
        raise MissingExtra(_told(missing))
    narrow = _cover(_named(files, [light for light, _ in _LATIN]), wanted & _MARKS, prefix="m")[0] if chinese else []
    heavy = frozenset(map(ord, bold))
    return Wardrobe(
        regular=(*faces, *more, *narrow),
        bold=tuple(_cover(_named(files, [strong for _, strong in families]), heavy, prefix="b")[0]),
        spelled={code: _spelled(chr(code)) for code in sorted(left)},
    )


def _told(missing: Sequence[str]) -> str:
    shown = "".join(missing[:_SHOWN]) + ("…" if len(missing) > _SHOWN else "")
    return f"no font on this machine has these characters of the report: {shown}\n{advice(missing)}"


def _spelled(char: str) -> str:
    name = unicodedata.name(char, "").lower()
    return f"[{name or f'U+{ord(char):04X}'}]"


def _like(faces: Sequence[Face], *, chinese: bool | None) -> Sequence[Face]:
    """Return the faces made for Chinese, or those that are not; all where there is none, or no wish."""
    return [face for face in faces if chinese is None or face.chinese is chinese] or faces


def _in_chinese(text: str, at: int) -> bool | None:
    """Whether a shared mark stands beside a Chinese letter; `None` where no letter is near."""
    before = next((char for char in reversed(text[max(0, at - _NEAR) : at]) if char.isalpha()), "")
    behind = next((char for char in text[at + 1 : at + 1 + _NEAR] if char.isalpha()), "")
    return any(map(wide, before + behind)) if before or behind else None


# --- files -----------------------------------------------------------------------------------


def _files(folders: Iterable[str]) -> Mapping[str, Path]:
    """Return the font files of the folders by the stem of their names, the first of each in sorted order."""
    found: dict[str, Path] = {}
    for folder in folders:
        root = Path(folder).expanduser()
        for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in _KINDS):
            found.setdefault(path.stem, path)
    return found


def _named(files: Mapping[str, Path], stems: Iterable[str]) -> Iterator[Path]:
    return (files[stem] for stem in stems if stem in files)


def _others(files: Mapping[str, Path]) -> list[Path]:
    """Return all fonts fit for running text, those made for all scripts first."""
    fit = [path for stem, path in files.items() if not any(word in stem.lower() for word in _UNFIT)]
    return sorted(fit, key=lambda path: (not path.stem.startswith("NotoSans"), path.stem))


def _cover(paths: Iterable[Path], wanted: frozenset[int], *, prefix: str) -> tuple[list[Face], frozenset[int]]:
    """Return faces that have the wanted characters, each face only where it adds some, and what is left."""
    faces: list[Face] = []
    left = wanted
    for index, path in enumerate(paths):
        if not left:
            break
        number, has = _read(path)
        if has & left:
            # What an earlier face has as well counts too: neighbours are best drawn by one face.
            key = f"{prefix}{index}"
            faces.append(Face(key=key, path=path, number=number, covers=wanted & has, chinese=_HAN in has))
            left -= has
    return faces, left


def _read(path: Path) -> tuple[int, frozenset[int]]:
    """Return the number of a file's face that is best for reports, and its characters; none where it is unfit."""
    from fontTools.ttLib import TTCollection, TTFont, TTLibError  # noqa: PLC0415 only where a PDF is made

    try:
        with path.open("rb") as file:
            if path.suffix.lower() not in _COLLECTIONS:
                return 0, _characters(TTFont(file, lazy=True))
            fonts = TTCollection(file, lazy=True).fonts
            number = _simplified(fonts)
            return number, _characters(fonts[number])
    except (TTLibError, OSError, ValueError, LookupError, AttributeError, AssertionError, struct.error):
        # A file that is no font, or damaged, is passed over: another may do.
        return 0, frozenset()


def _simplified(fonts: Sequence[TTFont]) -> int:
    """Return the face of a collection that draws Chinese characters as the mainland does, else the first."""
    names = [str(font["name"].getDebugName(4) or "") for font in fonts]
    fit = (at for at, name in enumerate(names) if {"SC", "GB"} & set(name.split()) and "Mono" not in name)
    return next(fit, 0)


def _characters(font: TTFont) -> frozenset[int]:
    """Return what a font can draw in a PDF: with outlines, of normal weight, and with leave to be embedded."""
    if "CFF " not in font and "glyf" not in font:
        return frozenset()
    if font["OS/2"].fsType & _NO_EMBEDDING:
        return frozenset()
    if "fvar" in font and any(axis.axisTag == "wght" and axis.defaultValue != _NORMAL for axis in font["fvar"].axes):
        return frozenset()
    return frozenset(font.getBestCmap() or ())
