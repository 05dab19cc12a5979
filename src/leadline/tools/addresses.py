"""When two addresses are the same page, and how an address is shown."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_WEB: Final = frozenset({"http", "https"})
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
# Parameters that name a visitor or a campaign, never a page.
_TRACKER: Final = re.compile(
    r"(?:utm_\w+|gclid|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid"
    r"|_ga|_gl|_hsenc|_hsmi|mkt_tok|spm|ref_src|vero_id|oly_anon_id|oly_enc_id)",
    re.IGNORECASE,
)
# What no URI holds (RFC 3986), and what could pass for a tag or a new line in a prompt.
_UNSAFE: Final = re.compile(r"[\x00-\x20<>\"{}|\\^`\x7f-\x9f\u2028\u2029]")


def is_web(uri: str) -> bool:
    """Whether an address lies on the web."""
    return uri.partition(":")[0].strip().lower() in _WEB


def shown(uri: str) -> str:
    """Return an address on one line with nothing in it that is no part of a URI."""
    return _UNSAFE.sub(lambda found: quote(found[0]), uri.strip())


@lru_cache(maxsize=1024)
def canonical(uri: str) -> str:
    """Return the form that all addresses of one page share.

    Of a web address: scheme and host in lower case, no default port, fragment or tracking
    parameters, parameters sorted, no slash at the end. Other addresses are taken as they are.
    """
    uri = shown(uri)
    if not is_web(uri):
        return uri
    try:
        parts = urlsplit(uri)
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return uri
    kept = sorted(pair for pair in pairs if not _TRACKER.fullmatch(pair[0]))
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), urlencode(kept), ""))
