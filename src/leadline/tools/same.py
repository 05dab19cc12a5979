"""When two hits are the same page, or the same work: keys for fusion."""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import idna

from leadline.tools.addresses import canonical, is_web, shown

_DOI_HOST: Final = re.compile(r"(?:dx\.|www\.)?doi\.org", re.IGNORECASE)
_DOI: Final = re.compile(r"10\.\d{4,9}/\S+")
_ARXIV: Final = re.compile(r"/(?:abs|pdf|html)/(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?/?")
_ARXIV_DOI: Final = "10.48550/arxiv."
_SAFE: Final = "/%!$&'()*+,;=:@-._~"


def page_key(uri: str) -> str:
    """Return what all addresses of one page share: `canonical`, and more.

    The host is in ASCII, dot segments are resolved, `http` and `https` and a leading `www.` count
    as one. A DOI and an arXiv id are keys of their own: `doi:10.1000/1`, `arxiv:1706.03762`.
    """
    if not is_web(uri) or "://" not in uri:
        return shown(uri)
    try:
        parts = urlsplit(canonical(uri))
        host = _ascii(parts.hostname or "")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return shown(uri)
    return _work(host, parts.path) or urlunsplit(
        ("", host.removeprefix("www.") + port, _path(parts.path), parts.query, "")
    )


def host_of(uri: str) -> str:
    """Return the host that a cap counts by; nothing for what lies on no web."""
    if not is_web(uri):
        return ""
    try:
        return _ascii(urlsplit(uri).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _work(host: str, path: str) -> str | None:
    if _DOI_HOST.fullmatch(host):
        found = _DOI.search(unquote(path))
        doi = found[0].rstrip("/").lower() if found else ""
        if doi.startswith(_ARXIV_DOI):
            return f"arxiv:{doi.removeprefix(_ARXIV_DOI)}"
        return f"doi:{doi}" if doi else None
    if host in {"arxiv.org", "www.arxiv.org", "export.arxiv.org"}:
        found = _ARXIV.fullmatch(path)
        return f"arxiv:{found[1]}" if found else None
    return None


def _ascii(host: str) -> str:
    host = host.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host


def _path(path: str) -> str:
    """Return a path without dot segments, every character encoded the same way."""
    if not path:
        return ""
    resolved = posixpath.normpath(path) if "/." in path else path
    return quote(resolved.replace("//", "/") if resolved.startswith("//") else resolved, safe=_SAFE).rstrip("/")
