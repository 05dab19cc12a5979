"""What changed between two reports on the same question; pure, and the same on every machine."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from leadline.domain import Claim, Report, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What the later report has and the earlier one lacks (`new_`), and the other way round (`gone_`).

    Sources are the same by their address, claims by their words: blanks, case and the full stop
    aside. What was said anew in other words counts as gone and new.
    """

    earlier: str
    later: str
    new_sources: tuple[Source, ...]
    gone_sources: tuple[Source, ...]
    new_claims: tuple[Claim, ...]
    gone_claims: tuple[Claim, ...]

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.new_sources or self.gone_sources or self.new_claims or self.gone_claims)


def changes(earlier: Report, later: Report) -> Changes:
    """Return what changed, each part in its own report's order."""
    old_uris, new_uris = ({source.uri for source in report.sources} for report in (earlier, later))
    old_said, new_said = (_said(report.claims) for report in (earlier, later))
    return Changes(
        earlier=earlier.run_id,
        later=later.run_id,
        new_sources=tuple(source for source in later.sources if source.uri not in old_uris),
        gone_sources=tuple(source for source in earlier.sources if source.uri not in new_uris),
        new_claims=tuple(claim for claim in later.claims if _bare(claim.text) not in old_said),
        gone_claims=tuple(claim for claim in earlier.claims if _bare(claim.text) not in new_said),
    )


def _said(claims: Iterable[Claim]) -> frozenset[str]:
    return frozenset(_bare(claim.text) for claim in claims)


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".。")
