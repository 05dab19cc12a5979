"""What passes between the registry and a parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from leadline.extract.types import Limits, Link, Locator

if TYPE_CHECKING:
    from leadline.extract.builder import TextBuilder


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One document to parse. name: file name or URL; declared: content type or charset as sent."""

    raw: bytes
    media_type: str
    name: str | None = None
    declared: str | None = None
    password: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a parser made of a document; the registry completes it to an `Extracted`."""

    text: str
    title: str | None = None
    authors: tuple[str, ...] = ()
    published: str | None = None
    language: str | None = None
    locators: tuple[Locator, ...] = ()
    links: tuple[Link, ...] = ()
    truncated: bool = False
    warnings: tuple[str, ...] = ()
    reader: str | None = None  # library and version that read it, where the text depends on one

    @classmethod
    def of(
        cls,
        out: TextBuilder,
        *,
        title: str | None = None,
        authors: tuple[str, ...] = (),
        published: str | None = None,
        language: str | None = None,
        links: tuple[Link, ...] = (),
        warnings: tuple[str, ...] = (),
        cut: bool = False,
        reader: str | None = None,
    ) -> Self:
        """Take text and locators from a builder; `cut` where input was left unread."""
        return cls(
            text=out.text(),
            title=title,
            authors=authors,
            published=published,
            language=language,
            locators=out.locators(),
            links=links,
            truncated=out.truncated or cut,
            warnings=warnings,
            reader=reader,
        )
