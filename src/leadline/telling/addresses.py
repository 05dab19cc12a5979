"""Addresses of sources as a report shows them: which may be links, and how the others read."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from leadline.domain import Source
from leadline.text.clean import squeeze, visible

_LINK: Final = re.compile(r"https?://[^\s<>\"'`\\^{|}/?#@]+(?:[/?#][^\s<>\"'`\\^{|}]*)?", re.IGNORECASE)
_LONGEST_LINK: Final = 2_000
_SHOWN: Final = 300
_FILE: Final = re.compile(r"file:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_DOCUMENT: Final = re.compile(r"document:[^/]*/", re.IGNORECASE)


def address(source: Source) -> str:
    """Return where the stored text came from: the address that answered."""
    return source.final_uri or source.uri


def linkable(uri: str) -> bool:
    """Whether an address may be a link: web only, nothing that hides, turns, or poses as another host."""
    return len(uri) <= _LONGEST_LINK and visible(uri) == uri and _LINK.fullmatch(uri) is not None


def readable(uri: str) -> str:
    """Return an address as text on one line: a file's path, a document's name, else the address itself."""
    for scheme in (_FILE, _DOCUMENT):
        found = scheme.match(uri)
        if found:
            return visible(squeeze(unquote(uri[found.end() :]), limit=_SHOWN))
    return visible(squeeze(uri, limit=_SHOWN))


def name(source: Source) -> str:
    """Return a source's title, or the last part of its address where it has none."""
    title = visible(squeeze(source.title, limit=_SHOWN))
    if title:
        return title
    uri = readable(address(source))
    return uri.rstrip("/").rpartition("/")[2] or uri
