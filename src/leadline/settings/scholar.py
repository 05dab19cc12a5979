"""Settings of searching scholarly works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadline.settings.kinds import setting
from leadline.settings.web import ProviderSettings, Words, provider

SERVICES: Final = ("openalex", "crossref", "arxiv", "europepmc", "semanticscholar", "serper")
NEED_KEYS: Final = frozenset({"serper"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ScholarSettings:
    """Searching scholarly works, where a run is allowed to."""

    providers: tuple[str, ...] = setting(
        ("openalex", "crossref", "arxiv", "europepmc"),
        Words(SERVICES),
        "Services that are asked side by side; their answers are joined. Only `serper` needs a key. "
        "Empty: no such tool.",
    )
    openalex: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    crossref: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    arxiv: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    europepmc: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    semanticscholar: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    serper: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field
    unpaywall: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field

    def of(self, name: str) -> ProviderSettings:
        """Return the section of a service; `unpaywall` finds free copies and is asked where `fetch.contact` is mail."""
        found: ProviderSettings = getattr(self, name)
        return found
