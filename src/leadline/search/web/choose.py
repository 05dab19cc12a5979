"""Providers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from leadline.errors import SettingsError
from leadline.search.web.brave import Brave
from leadline.search.web.exa import Exa
from leadline.search.web.jina import Jina
from leadline.search.web.searxng import SearxNG
from leadline.search.web.serpapi import SerpApi
from leadline.search.web.serper import Serper
from leadline.search.web.tavily import Tavily
from leadline.search.web.types import Provider
from leadline.search.web.wikipedia import Wikipedia

_MAKERS: Final[Mapping[str, Callable[..., Provider]]] = MappingProxyType(
    {
        "brave": Brave,
        "exa": Exa,
        "jina": Jina,
        "searxng": SearxNG,
        "serpapi": SerpApi,
        "serper": Serper,
        "tavily": Tavily,
        "wikipedia": Wikipedia,
    }
)


def provider_named(name: str, base_url: str | None = None) -> Provider:
    """Return a provider at its public address, or at `base_url`. Raises `SettingsError` for an unknown name."""
    maker = _MAKERS.get(name)
    if maker is None:
        raise SettingsError(f"no service that searches the web is called `{name}`; there are {', '.join(_MAKERS)}")
    return maker() if base_url is None else maker(base_url)
