"""Settings of searching scholarly works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadline.settings.kinds import Switch, setting
from leadline.settings.web import OWN_KEYS, ProviderSettings, RankedSettings, Words, provider, ranked

SERVICES: Final = ("openalex", "crossref", "arxiv", "europepmc", "semanticscholar", "serper")
NEED_KEYS: Final = frozenset({"serper"})
TAKE_KEYS: Final = ("openalex", "crossref", "semanticscholar", "serper")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScholarSettings:
    """Searching scholarly works, where a run is allowed to."""

    providers: tuple[str, ...] = setting(
        ("openalex", "crossref", "arxiv", "europepmc"),
        Words(SERVICES),
        "Services that are asked side by side; their answers are joined. Only `serper` needs a key. "
        "Empty: no such tool.",
    )
    own_keys: bool = setting(False, Switch(), OWN_KEYS)
    openalex: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    crossref: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    arxiv: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    europepmc: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    semanticscholar: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    serper: RankedSettings = ranked()  # noqa: RUF009 makes a dataclass field
    unpaywall: ProviderSettings = provider()  # noqa: RUF009 makes a dataclass field

    def of(self, name: str) -> RankedSettings:
        """Return the section of a service of `SERVICES`.

        `unpaywall` is none of them: it finds free copies, and is asked where `fetch.contact` is mail.
        """
        found: RankedSettings = getattr(self, name)
        return found

    def needs_own(self, name: str) -> bool:
        """See `SearchSettings.needs_own`."""
        return name in NEED_KEYS and not self.of(name).api_keys
