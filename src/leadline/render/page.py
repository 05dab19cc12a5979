"""A report as blocks of styled runs: what Word and PDF share, before any of their measures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from leadline.render.pictures import Picture


class Look(StrEnum):
    """What a run of text is, and hence how it looks."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"  # beside the matter: addresses, dates
    REMARK = "remark"  # how a statement was checked
    WARNING = "warning"  # the evidence does not carry the statement, or says otherwise


class Kind(StrEnum):
    """What a block is."""

    TITLE = "title"
    BYLINE = "byline"
    HEADING = "heading"
    SUBHEADING = "subheading"
    ANSWER = "answer"
    TEXT = "text"
    ITEM = "item"
    SOURCE = "source"  # a source's name
    DETAIL = "detail"  # what is known about it
    PICTURE = "picture"  # of a program; its title follows
    CAPTION = "caption"
    CODE = "code"  # one line of a program, its blanks kept
    CITED = "cited"  # one place of it that the report cites, behind the citations' numbers
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Run:
    """Text on one line, safe to show. `url` leads to the web, `cites` to the entry of that citation."""

    text: str
    look: Look = Look.PLAIN
    url: str | None = None
    cites: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a picture; `entries` are the citations whose links lead here."""

    kind: Kind
    runs: tuple[Run, ...]
    entries: tuple[int, ...] = ()
    picture: Picture | None = None

    @property
    def text(self) -> str:
        """The paragraph without its looks."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report: its title, its language (`zh` or another), when it was made, its blocks."""

    title: str
    language: str
    created_at: str
    blocks: tuple[Block, ...]

    @property
    def chinese(self) -> bool:
        """Whether the report is written in Chinese."""
        return self.language == "zh"
