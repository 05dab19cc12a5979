"""Reading a response: bounded after decompression, judged by its first bytes, cut where that is useful."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import aiohttp

from leadline.errors import FetchTooLarge, FetchUnreadable
from leadline.extract import sniff
from leadline.extract.registry import media_types
from leadline.fetch.urls import shortened

MIB: Final = 1 << 20
_PIECE: Final = 1 << 16
_BOUNDARY: Final = 4_096
_LONGEST_UTF8: Final = 4
# Whole or useless; text is worth reading also where it was cut off.
_WHOLE: Final = frozenset({sniff.PDF, sniff.DOCX, sniff.PPTX, sniff.XLSX, sniff.EPUB, sniff.ZIP, sniff.OLE})
_NEVER: Final = ("image/", "audio/", "video/", "font/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Bytes after decompression: `text` of a text or page, the rest is cut off; `whole` of anything else."""

    text: int = 5_000_000
    whole: int = 20 * MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What was read: `media_type` is what the bytes were taken for; `truncated`: the rest was not read."""

    data: bytes
    media_type: str
    truncated: bool


async def read_body(response: aiohttp.ClientResponse, *, sizes: Sizes, url: str) -> Body:
    """Read as much as `sizes` allow, in small pieces, so that a bomb never unfolds.

    Raises `FetchUnreadable` for a kind that no parser reads, as soon as that is known, and
    `FetchTooLarge`.
    """
    declared = response.headers.get("Content-Type")
    _refuse_declared(declared, url)
    pieces: list[bytes] = []
    size, media_type, most = 0, "", sizes.whole
    async for piece in response.content.iter_chunked(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if not media_type and size >= _PIECE:
            media_type = _kind(b"".join(pieces), declared, url=url)
            most = sizes.whole if media_type in _WHOLE else sizes.text
        if size > most:
            break
    if not media_type:
        media_type = _kind(b"".join(pieces), declared, url=url)
        most = sizes.whole if media_type in _WHOLE else sizes.text
    if size <= most:
        return Body(data=b"".join(pieces), media_type=media_type, truncated=False)
    if media_type in _WHOLE:
        raise FetchTooLarge(f"{shortened(url)} is larger than {most / MIB:.3g} MiB; a part of it would be of no use")
    return Body(data=cut(b"".join(pieces), most), media_type=media_type, truncated=True)


def cut(data: bytes, most: int) -> bytes:
    """Return at most `most` bytes, ending where no character and, if possible, no tag is torn."""
    kept = data[:most]
    end = max(kept.rfind(b"\n", -_BOUNDARY), kept.rfind(b">", -_BOUNDARY))
    if end >= 0:
        return kept[: end + 1]
    for back in range(1, min(_LONGEST_UTF8, len(kept)) + 1):
        byte = kept[-back]
        if byte < 0x80:
            return kept
        if byte >= 0xC0:
            return kept[:-back]
    return kept


def _refuse_declared(declared: str | None, url: str) -> None:
    kind = (declared or "").partition(";")[0].strip().lower()
    if kind.startswith(_NEVER):
        raise _unreadable(url, kind)


def _kind(head: bytes, declared: str | None, *, url: str) -> str:
    found = sniff.media_type(url.partition("?")[0], head[: sniff.HEAD], declared)
    if found is None or not (found in media_types() or found in _WHOLE or found.startswith("text/")):
        raise _unreadable(url, found or "binary data of an unknown kind")
    return found


def _unreadable(url: str, kind: str) -> FetchUnreadable:
    return FetchUnreadable(f"{shortened(url)} is {shortened(kind, 80)}; no parser reads it")
