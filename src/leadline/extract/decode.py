"""Bytes to text: find the encoding, decode, never raise.

Order: byte order mark; the encoding that the sender or the document declares, if it fits; UTF-8, if
it fits; statistics. A declaration is believed only as far as the bytes bear it out, since many
servers declare one encoding for all they hold. Names mean what browsers read under them
(https://encoding.spec.whatwg.org).
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

# What browsers read under a declared name: the common superset.
_SUPERSETS: Final = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "iso-8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "big5": "big5hkscs",
    "x-mac-cyrillic": "mac_cyrillic",
    "maccyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "macroman": "mac_roman",
    "x-user-defined": "cp1252",
    "unicode": "utf-16-le",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Python codecs that turn bytes into something else than text, or run for long on hostile input.
_UNWANTED: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7"})
_META: Final = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML: Final = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{2,40})[\"']", re.IGNORECASE)
_META_WINDOW: Final = 4096
_SAMPLE: Final = 1 << 16
_SINGLE_BYTE: Final = re.compile(r"cp125\d|cp8\d\d|iso8859|mac_|koi8|latin")
_ESCAPES: Final = (
    ("iso2022_jp_2", (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b$(D")),
    ("iso2022_kr", (b"\x1b$)C",)),
    ("hz", (b"~{",)),
)
# A text is UTF-8 with damage, not some other encoding, if at most one of so many characters is bad.
_DAMAGE: Final = 50
_FEW: Final = 6


class Decoded(NamedTuple):
    """Text and the Python codec it was decoded with; `damaged` where bytes had to be replaced."""

    text: str
    encoding: str
    damaged: bool


def decode(data: bytes, *, declared: str | None = None, markup: bool = False) -> Decoded:
    """Decode `data`; declared: the sender's charset or content type; markup: heed `<meta>`."""
    encoding = detect(data, declared=declared, markup=markup)
    mark = next((mark for mark, _ in _MARKS if data.startswith(mark)), b"")
    text = data[len(mark) :].decode(encoding, "replace")
    return Decoded(text, encoding, "\ufffd" in text)


def detect(data: bytes, *, declared: str | None = None, markup: bool = True) -> str:
    """Name the Python codec that reads `data` best; always one that exists."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    for name in (_charset_of(declared), _declared_inside(data) if markup else None):
        codec = _codec(name)
        if codec and _fits(data, codec) and not _is_really_utf8(data, codec):
            return codec
    return _undeclared(data)


def _undeclared(data: bytes) -> str:
    escaped = _escape_encoding(data)
    if escaped:
        return escaped
    wide = _wide_encoding(data)
    if wide:
        return wide
    if _fits(data, "utf-8"):
        return "utf-8"
    if _is_western(data):
        return "cp1252"
    if _is_damaged_utf8(data):
        return "utf-8"
    return _by_statistics(data) or "cp1252"


def _charset_of(declared: str | None) -> str | None:
    """Take the charset out of a content type; a bare name is taken as it is."""
    if not declared:
        return None
    if "/" not in declared and "=" not in declared:
        return declared
    found = re.search(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", declared, re.IGNORECASE)
    return found[1] if found else None


def _declared_inside(data: bytes) -> str | None:
    head = data[:_META_WINDOW]
    found = _XML.search(head) or _META.search(head)
    if not found:
        return None
    name = found[1].decode("ascii", "replace").lower()
    # A declaration that was read as single bytes cannot stand in a text of two-byte units.
    return "utf-8" if name.startswith(("utf-16", "utf16", "ucs-2", "unicode")) else name


def _codec(name: str | None) -> str | None:
    if not name:
        return None
    name = name.strip().lower()
    try:
        info = codecs.lookup(_SUPERSETS.get(name, name))
    except (LookupError, ValueError):
        return None
    is_text: bool = getattr(info, "_is_text_encoding", True)
    canonical = info.name
    return canonical if is_text and canonical not in _UNWANTED else None


def _fits(data: bytes, codec: str) -> bool:
    """Whether `data` decodes without fault; a character cut off at the end is no fault."""
    try:
        decoder = codecs.getincrementaldecoder(codec)("strict")
        decoder.decode(data, final=False)
    except (UnicodeError, LookupError, ValueError):
        return False
    return True


def _is_really_utf8(data: bytes, codec: str) -> bool:
    """Single-byte codecs fit nearly anything; what is also valid UTF-8 beyond ASCII is UTF-8."""
    return bool(_SINGLE_BYTE.match(codec)) and not data.isascii() and _fits(data, "utf-8")


def _escape_encoding(data: bytes) -> str | None:
    if not data.isascii():
        return None
    for codec, escapes in _ESCAPES:
        if any(escape in data for escape in escapes) and _fits(data, codec):
            text = data.decode(codec, "replace")
            if not text.isascii() and "\x1b" not in text:
                return codec
    return None


def _wide_encoding(data: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 without a mark by where the zero bytes of ASCII text stand."""
    head = data[: 4 * 1024]
    if len(head) < 4 or b"\x00" not in head:
        return None
    zeros = [head[lane::4].count(0) * 4 / len(head) for lane in range(4)]
    rare, most = 0.1, 0.4
    for codec, pattern in (
        ("utf-32-le", (0, 1, 1, 1)),
        ("utf-32-be", (1, 1, 1, 0)),
        ("utf-16-le", (0, 1, 0, 1)),
        ("utf-16-be", (1, 0, 1, 0)),
    ):
        if all(share > most if zero else share < rare for share, zero in zip(zeros, pattern, strict=True)):
            return codec if _fits(data, codec) else None
    return None


def _is_damaged_utf8(data: bytes) -> bool:
    sample = data[:_SAMPLE].decode("utf-8", "replace")
    bad = sample.count("\ufffd")
    good = sum(1 for character in sample if character > "\x7f") - bad
    return good > _DAMAGE * bad


def _is_western(data: bytes) -> bool:
    """Whether few bytes stand out of ASCII letters, each a letter of Western Europe in cp1252."""
    high = [byte for byte in data[:_SAMPLE] if byte > 0x7F]
    letters = sum(byte in range(ord("A"), ord("z") + 1) for byte in data[:_SAMPLE])
    return len(high) < _FEW and letters > len(high) and all(byte >= 0xC0 for byte in high)


def _by_statistics(data: bytes) -> str | None:
    from charset_normalizer import from_bytes  # noqa: PLC0415 rarely needed and slow to import

    best = from_bytes(_sample(data)).best()
    codec = _codec(best.encoding) if best else None
    return "iso8859-2" if codec == "cp1250" and _is_latin2(data) else codec


def _is_latin2(data: bytes) -> bool:
    """Tell ISO 8859-2 from cp1250: the same letters, but s and z with caron stand elsewhere.

    cp1250 keeps them, and quotation marks, among the bytes that are control codes in ISO 8859-2.
    """
    return not re.search(rb"[\x80-\x9f]", data) and bool(re.search(rb"[\xa9\xae\xb9\xbe]", data))


def _sample(data: bytes) -> bytes:
    """Cut long input down to the stretch after its first non-ASCII byte, where the evidence is."""
    if len(data) <= _SAMPLE:
        return data
    first = re.search(rb"[\x80-\xff]", data)
    start = max(0, first.start() - 256) if first else 0
    return data[start : start + _SAMPLE]
