"""Outlines: a report's sections, each with the excerpts that its writer sees; read from untrusted text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leadline.domain import Json, Length
from leadline.research.evidence import Ledger
from leadline.text.clean import neutralise, squeeze
from leadline.text.rank import Bm25

SECTIONS: Final[Mapping[Length, str]] = {
    Length.SHORT: "One or two sections.",
    Length.NORMAL: "Two to five sections.",
    Length.LONG: "Four to eight sections.",
}
MOST_SECTIONS: Final[Mapping[Length, int]] = {Length.SHORT: 2, Length.NORMAL: 5, Length.LONG: 8}
SECTION_LENGTHS: Final[Mapping[Length, str]] = {
    Length.SHORT: "Two or three sentences.",
    Length.NORMAL: "About four to eight sentences.",
    Length.LONG: "About eight to sixteen sentences.",
}
MOST_EXCERPTS: Final = 40
"""Excerpts of a section."""

_TITLE: Final = 160
_ABOUT: Final = 600

OUTLINE_SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {
        "sections": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "about": {"type": "string"},
                    "excerpts": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["title", "about", "excerpts"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["sections"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSection:
    """A section to be written: `labels` name its excerpts."""

    title: str
    about: str
    labels: tuple[str, ...]


def outline_from(value: Json, ledger: Ledger, *, most: int) -> tuple[PlannedSection, ...]:
    """Return the sections that JSON describes; what names no excerpt of the ledger is left out.

    Raises `ValueError` where no section is left.
    """
    listed = value.get("sections") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise ValueError("there is no list under `sections`")  # noqa: TRY004 the model's text is at fault
    sections = [section for item in listed if isinstance(item, dict) and (section := _section(item, ledger))]
    if not sections:
        raise ValueError("no section has a title and numbers of excerpts that were given")
    return tuple(sections[:most])


def _section(item: Mapping[str, Json], ledger: Ledger) -> PlannedSection | None:
    title, about, named = item.get("title"), item.get("about"), item.get("excerpts")
    labels = [str(one).strip().strip("[]") for one in named] if isinstance(named, list) else []
    known = tuple(dict.fromkeys(label for label in labels if ledger.by_label(label) is not None))
    if not isinstance(title, str) or not title.strip() or not known:
        return None
    return PlannedSection(
        title=squeeze(neutralise(title), limit=_TITLE),
        about=squeeze(neutralise(about), limit=_ABOUT) if isinstance(about, str) else "",
        labels=known[:MOST_EXCERPTS],
    )


def balanced(queries: Sequence[str], ledger: Ledger, first: Sequence[str] = ()) -> list[str]:
    """Return the ids of all excerpts, those nearest to each query in turn, so that no query is crowded out.

    `first` are ids that come before all others.
    """
    excerpts = ledger.excerpts
    ranked = Bm25([ledger.quote(excerpt) for excerpt in excerpts])
    orders = []
    for query in queries:
        scores = ranked.scores(query)
        orders.append(sorted(range(len(excerpts)), key=lambda i: (-scores[i], i)))
    known = {excerpt.id for excerpt in excerpts}
    chosen = dict.fromkeys(one for one in first if one in known)
    for row in zip(*orders, strict=True):
        chosen.update(dict.fromkeys(excerpts[i].id for i in row))
    return list(chosen)
