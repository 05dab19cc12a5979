"""What changed since an earlier report, as every form of a report tells it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from leadline.domain import Changed, Changes, Cited, Claim, Difference, Report, Section, Source
from leadline.telling.addresses import name, readable
from leadline.telling.wording import label, strong, word

MOST: Final = 24
"""Changes of one kind that are told one by one; the rest are counted."""

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A change. `claim` and `source` are this report's, where it is about one; `note` is in the reader's language."""

    text: str
    claim: Claim | None = None
    source: Source | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """Changes of one kind, `new_claims` and so on; `more` are left out."""

    kind: str
    title: str
    items: tuple[Item, ...]
    more: int = 0

    @property
    def gone(self) -> bool:
        """Whether it is what this report no longer has."""
        return self.kind.startswith("gone_")


def heading(changes: Changes, language: str) -> str:
    """Return the title above the changes."""
    return word("changes", language).format(_TIME.sub(r"\1 \2 UTC", changes.earlier_at))


def news(report: Report, language: str) -> tuple[News, ...]:
    """Return a report's changes by kind, none where it has none; ids that it does not know are left out."""
    changes = report.changes
    if changes is None:
        return ()
    claims = {claim.id: claim for claim in report.claims}
    sources = {source.id: source for source in report.sources}
    found = {
        "changed_claims": _changed(changes.changed_claims, claims, language),
        "new_claims": (
            Item(text=claims[key].text, claim=claims[key], note=_remark(claims[key], language))
            for key in changes.new_claims
            if key in claims
        ),
        "gone_claims": (Item(text=stated.text) for stated in changes.gone_claims),
        "new_sources": _sources(changes.new_sources, sources),
        "changed_sources": _sources(changes.changed_sources, sources),
        "gone_sources": (Item(text=_name(cited)) for cited in changes.gone_sources),
    }
    told = ((kind, tuple(items)) for kind, items in found.items())
    return tuple(
        News(kind=kind, title=word(kind, language), items=items[:MOST], more=max(0, len(items) - MOST))
        for kind, items in told
        if items
    )


def titled(report: Report) -> Iterator[tuple[str, Section]]:
    """Yield the sections with their titles; text without one gets one where it follows the changes."""
    for index, section in enumerate(report.sections):
        parted = report.changes is not None and index == 0 and not section.title
        yield word("in_full", report.language) if parted else section.title, section


def _changed(changed: Iterable[Changed], claims: Mapping[str, Claim], language: str) -> Iterator[Item]:
    stop = "；" if language == "zh" else "; "
    for one in changed:
        claim = claims.get(one.claim_id)
        if claim is None:
            continue
        notes = []
        if Difference.VERDICT not in one.differs:
            notes.append(_remark(claim, language))
        if Difference.VALUE in one.differs:
            notes.append(word("before", language).format(f"“{one.before.text}”"))
        if Difference.VERDICT in one.differs:
            moved = word(one.before.verdict, language), label(claim, language)
            notes.append(word("verdict_moved", language).format(*moved))
        yield Item(text=claim.text, claim=claim, note=stop.join(filter(None, notes)))


def _remark(claim: Claim, language: str) -> str:
    """Return a claim's verdict, unless that is the best there is: nothing weak is shown as if it stood."""
    return "" if strong(claim) else label(claim, language)


def _sources(ids: Iterable[str], sources: Mapping[str, Source]) -> Iterator[Item]:
    return (Item(text=name(sources[key]), source=sources[key]) for key in ids if key in sources)


def _name(cited: Cited) -> str:
    uri = readable(cited.uri)
    return f"{cited.title} ({uri})" if cited.title else uri
