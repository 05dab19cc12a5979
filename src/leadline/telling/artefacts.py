"""Pictures and files that programs made, as every form of a report shows them: numbers, titles, places, listings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Final, NamedTuple

from leadline.domain import Artefact, Report
from leadline.telling.wording import word
from leadline.text.clean import squeeze, visible

FOLDER: Final = "artefacts"
"""Where pictures, files and programs lie beside a Markdown report and in an export."""

NO_BODIES: Final[Mapping[str, bytes]] = MappingProxyType({})

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_TAB: Final = 4
_NAME: Final = 120


class Shown(NamedTuple):
    """An artefact, and its number where it is a picture, from 1."""

    made: Artefact
    number: int | None


class Group(NamedTuple):
    """What one program made; `program` is the hash of its text."""

    program: str
    shown: tuple[Shown, ...]


def groups(report: Report) -> tuple[Group, ...]:
    """Return what programs made, program by program in the order of what they made first.

    What a report from elsewhere names by something else than a hash is passed over.
    """
    numbers = count(1)
    found: dict[str, list[Shown]] = {}
    for made in (made for made in report.artefacts if _HASH.fullmatch(made.sha256) and _HASH.fullmatch(made.program)):
        shown = Shown(made, next(numbers) if made.is_picture else None)
        found.setdefault(made.program, []).append(shown)
    return tuple(Group(program, tuple(shown)) for program, shown in found.items())


def title(shown: Shown, language: str) -> str:
    """Return `Figure 1: Rain by year (rain.png)`, or `table.csv (text/csv, 120 bytes)`: words of strangers, flat."""
    made, chinese = shown.made, language == "zh"
    named = squeeze(visible(made.name), limit=_NAME)
    if shown.number is None:
        size = word("bytes", language).format(f"{made.size:,}")
        return f"{named}（{made.media_type}，{size}）" if chinese else f"{named} ({made.media_type}, {size})"
    number = word("figure", language).format(shown.number)
    caption = squeeze(visible(made.caption))
    if not caption:
        return f"{number}：{named}" if chinese else f"{number}: {named}"
    return f"{number}：{caption}（{named}）" if chinese else f"{number}: {caption} ({named})"


def path_of(made: Artefact) -> str:
    """Return where an artefact lies beside a report, by the hash of its bytes."""
    return f"{FOLDER}/{made.sha256}{'.png' if made.is_picture else ''}"


def program_path(program: str) -> str:
    """Return where the text of a program lies beside a report."""
    return f"{FOLDER}/{program}.py"


def paths(report: Report) -> Mapping[str, str]:
    """Return the hash of every body that belongs to a report's artefacts, by its place beside the report."""
    found = groups(report)
    made = {path_of(one.made): one.made.sha256 for group in found for one in group.shown}
    return made | {program_path(group.program): group.program for group in found}


def listing(body: bytes | None, *, most: int) -> tuple[tuple[str, ...], int]:
    """Return a program's lines as they may be shown, `most` of them, and how many are left out.

    Tabs are blanks; characters that hide or turn text are gone. Nothing where the text is not at hand.
    """
    text = "" if body is None else body.decode("utf-8", "replace")
    lines = [visible(line.expandtabs(_TAB)).rstrip() for line in text.strip("\n").splitlines()]
    return tuple(lines[:most]), max(0, len(lines) - most)
