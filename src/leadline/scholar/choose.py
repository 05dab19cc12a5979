"""Services by the names that settings have for them."""

from __future__ import annotations

from leadline.errors import SettingsError
from leadline.scholar.arxiv import Arxiv
from leadline.scholar.crossref import Crossref
from leadline.scholar.europepmc import EuropePmc
from leadline.scholar.openalex import OpenAlex
from leadline.scholar.semanticscholar import SemanticScholar
from leadline.scholar.serper import SerperScholar
from leadline.scholar.types import Source


def source_named(name: str, base_url: str | None = None, *, contact: str | None = None) -> Source:
    """Return a service, at its public address unless another is given; `contact` is an address of mail.

    Raises `SettingsError` for a name that is none.
    """
    address = () if base_url is None else (base_url,)
    match name:
        case "openalex":
            return OpenAlex(*address, contact=contact)
        case "crossref":
            return Crossref(*address, contact=contact)
        case "arxiv":
            return Arxiv(*address)
        case "europepmc":
            return EuropePmc(*address)
        case "semanticscholar":
            return SemanticScholar(*address)
        case "serper":
            return SerperScholar(*address)
        case _:
            raise SettingsError(f"no such scholarly service: {name}")
