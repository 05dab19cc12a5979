"""A report as text for a terminal: the same parts as its Markdown, without a mark that would have to be escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from leadline.domain import Report, Source
from leadline.research.reporting.sheet import LISTED, Sheet
from leadline.telling.addresses import address, name, readable
from leadline.telling.artefacts import NO_BODIES, Group, listing, path_of, program_path, title
from leadline.text.clean import squeeze, visible
from leadline.text.lines import columns

_WIDEST: Final = 80
"""Columns of a line under a title, at most."""


def to_text(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> str:
    """Return the report as text with numbered citations; `bodies` are by their hash programs' texts to list."""
    return _Plain(report).whole(bodies)


def changes_to_text(report: Report) -> str:
    """Return what changed since an earlier report, alone; empty where the report is compared with none."""
    return _Plain(report).changes()


def plain(text: str) -> str:
    """Return text on one line, without characters that hide or turn it."""
    return visible(squeeze(text)).strip()


def _under(text: str, line: str) -> str:
    """Return a title with a line under it, as wide as it."""
    shown = plain(text)
    return f"{shown}\n{line * min(columns(shown), _WIDEST)}"


class _Plain(Sheet):
    def shown(self, text: str) -> str:
        return plain(text)

    def title(self, text: str) -> str:
        return _under(text, "=")

    def head(self, text: str) -> str:
        return _under(text, "-")

    def strong(self, text: str) -> str:
        return text

    def remark(self, text: str) -> str:
        return f"({text})"

    def gone(self, text: str) -> str:
        return text  # its kind's title says so

    def address(self, source: Source) -> str:
        return readable(address(source))

    def named(self, source: Source, about: Sequence[str]) -> str:
        return f"{', '.join((plain(name(source)), *about))}\n{self.address(source)}"

    def group(self, group: Group, program: bytes | None) -> Iterator[str]:
        shown = [f"- {title(one, self.language)}: {path_of(one.made)}" for one in group.shown]
        shown.append(f"- {self.word('program')}: {program_path(group.program)}")
        yield "\n".join(shown)
        lines, more = listing(program, most=LISTED)
        if lines:
            yield "\n".join(f"    {line}".rstrip() for line in lines)
        if more:
            yield self.word("more_lines").format(f"{more:,}")
