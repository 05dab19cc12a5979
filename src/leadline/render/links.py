"""Addresses as files carry them: ASCII alone, as RFC 3986 has it, and DOIs found in them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from leadline.telling.addresses import linkable

_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
_DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)(10\.\d{4,9}/\S+)", re.IGNORECASE)


def web_address(uri: str) -> str | None:
    """Return a web address with other letters encoded (RFC 3987, 3.1), `None` for what may not be a link."""
    if not linkable(uri):
        return None
    try:
        parts = urlsplit(uri)
        host = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except ValueError:  # no host that names can have
        return None
    path, query, fragment = (quote(part, safe=_SAFE) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme.lower(), host, path, query, fragment))


def doi(uri: str) -> str | None:
    """Return the DOI that an address is: `https://doi.org/10.1000/182` and `doi:10.1000/182` give `10.1000/182`."""
    found = _DOI.fullmatch(uri.strip())
    return unquote(found[1]) if found else None
