"""Locators of an extracted text as the marks that a source keeps."""

from __future__ import annotations

from collections.abc import Sequence

from leadline.domain import Mark
from leadline.extract.builder import sparse
from leadline.extract.types import Locator, locate


def marks(locators: Sequence[Locator]) -> tuple[Mark, ...]:
    """Return locators as marks whose labels say the whole place: `sheet Sales, row 12`.

    Rows, lines and cells are joined to ranges where there are many: marks go into the record of
    every run that reads the source.
    """
    latest: dict[str, Locator] = {}
    found: list[Mark] = []
    for locator in sparse(locators):
        latest.pop(locator.kind, None)
        latest[locator.kind] = locator
        label = locate(tuple(latest.values()), locator.start)
        if found and found[-1].start == locator.start:
            found.pop()
        found.append(Mark(start=locator.start, label=label))
    return tuple(found)
