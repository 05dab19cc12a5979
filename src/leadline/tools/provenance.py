"""Where an address has to come from before it is visited: the user, a search, or a page that was read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from leadline.domain import Options
from leadline.tools.addresses import is_web, shown
from leadline.tools.same import host_of

_IN_TEXT: Final = re.compile(r"https?://[^\s<>\"'`{}|\\^\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)]*_~"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

UNKNOWN: Final = "this address comes neither from the question, nor from a search, nor from a page that was read"
OUTSIDE: Final = "this address lies outside of the sites that the run is narrowed to"


class Provenance:
    """The addresses that a run may visit."""

    def __init__(self, options: Options, *, question: str) -> None:
        self._options = options
        self._given = {exact(url) for url in (*options.urls, *addresses_in(question))}
        self._keys: dict[str, str] = {}

    def is_given(self, url: str) -> bool:
        """Return whether the user gave the address."""
        return exact(url) in self._given

    def refusal(self, url: str, known: Iterable[str]) -> str | None:
        """Return why `url` may not be visited, `None` where it may; what lies on no web is not decided here."""
        if not is_web(url) or self.is_given(url):
            return None
        if not self._within(url):
            return OUTSIDE
        wanted = exact(url)
        for address in known:
            key = self._keys.get(address)
            if key is None:
                key = self._keys[address] = exact(address)
            if key == wanted:
                return None
        return UNKNOWN

    def _within(self, url: str) -> bool:
        host = host_of(url)
        if any(_belongs(host, site) for site in self._options.exclude):
            return False
        sites = self._options.sites
        return not sites or any(_belongs(host, site) for site in sites)


def exact(url: str) -> str:
    """Return an address so that only what a server cannot tell apart is the same.

    The fragment is dropped, scheme, host and default port are alike. Unlike `canonical`, the query
    stays as it is: a parameter that names a campaign could carry anything.
    """
    url = shown(url)
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
    except ValueError:
        return url
    return urlunsplit((scheme, host, parts.path or "/", parts.query, ""))


def addresses_in(text: str) -> list[str]:
    """Return the addresses of the web that a text names."""
    return [found.rstrip(_TRAILING) for found in _IN_TEXT.findall(text)]


def _belongs(host: str, site: str) -> bool:
    domain = site.strip().lower().removeprefix("www.").partition("/")[0]
    return host == domain or host.endswith(f".{domain}")
