"""A report as text for a terminal: the same parts as its Markdown, without a mark that would have to be escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from leadline.domain import Report, Source
from leadline.telling.addresses import address, name, readable
from leadline.telling.artefacts import NO_BODIES, groups, listing, path_of, program_path, title
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, flat, quoting, said, sentences, subject
from leadline.telling.wording import facts, label, place, reasons, strong, word
from leadline.text.clean import squeeze, visible

_QUOTE: Final = 300
"""Characters of a quotation that are shown beside its source; the whole of it is in JSON and HTML."""

_LISTED: Final = 200
"""Lines of a program that are listed."""

_WIDEST: Final = 80
"""Columns of a line under a title, at most."""


def to_text(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> str:
    """Return the report as text with numbered citations; `bodies` are by their hash programs' texts to list."""
    page = _Page(report)
    parts = [_under(report.question, "=")]
    direct = answer(report, page.claims)
    if direct:
        parts.append(f"{page.word('answer')}{page.colon} {page.prose(direct)}")
    parts += _changes(page)
    for headed, section in titled(report):
        if headed:
            parts.append(_under(headed))
        told = sentences(section, page.claims)
        parts.append("\n".join(f"- {page.told(t)}" for t in told) if quoting(told) else page.prose(told))
    parts += _artefacts(page, bodies)
    parts += _contradictions(page)
    parts += _listed(page.word("unexamined"), report.unexamined)
    if report.sources:
        parts.append(_under(page.word("sources")))
        repeated = frozenset(said(report))
        parts += [_source(page, source, repeated) for source in report.sources]
    notes = list(report.notes)
    if any(strong(claim) and claim.checks.decided_by == "values" for claim in report.claims):
        notes.append(page.word("unmarked"))
    parts.append("---")
    parts += [plain(line) for line in (*notes, facts(report))]
    return "\n\n".join(part for part in parts if part) + "\n"


def changes_to_text(report: Report) -> str:
    """Return what changed since an earlier report, alone; empty where the report is compared with none."""
    return "\n\n".join(_changes(_Page(report))) + "\n" if report.changes is not None else ""


def plain(text: str) -> str:
    """Return text on one line, without characters that hide or turn it."""
    return visible(squeeze(text)).strip()


def _under(text: str, line: str = "-") -> str:
    """Return a title with a line under it, as wide as it."""
    shown = plain(text)
    columns = sum(2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1 for char in shown)
    return f"{shown}\n{line * min(columns, _WIDEST)}"


class _Page:
    """What the parts of a report share: its claims, its citations by number, its language."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.language = report.language
        self.claims = {claim.id: claim for claim in report.claims}
        self.sources = {source.id: source for source in report.sources}
        self.numbers = Numbers(report)
        self.colon = "：" if self.language == "zh" else ":"

    def word(self, key: str) -> str:
        """Return a word of the frame."""
        return word(key, self.language)

    def prose(self, told: Iterable[Told]) -> str:
        """Return sentences as one paragraph."""
        return " ".join(filter(None, map(self.told, told)))

    def told(self, told: Told) -> str:
        """Return a sentence, its citations, and its verdict unless that is the best there is."""
        text, claim = plain(told.text), told.claim
        if claim is None:
            return text
        marks = "".join(f"[{n}]" for n in self.numbers.of(claim.citations))
        parts = [part for part in (text, marks) if part]
        if not strong(claim):
            why = [label(claim, self.language), *reasons(claim, self.language)]
            stop = "；" if self.language == "zh" else "; "
            parts.append(f"({stop.join(map(plain, why))})")
        return " ".join(parts)

    def place(self, numbered: Numbered, source: Source) -> str:
        """Return where in its source a citation lies."""
        shown = place(numbered.citation.locator, title=source.title, language=self.language)
        return plain(squeeze(shown, limit=_QUOTE))


def _changes(page: _Page) -> Iterator[str]:
    """Yield what changed since an earlier report, by kind."""
    changes = page.report.changes
    if changes is None:
        return
    yield _under(heading(changes, page.language))
    if not changes.any:
        yield page.word("no_changes")
    for kind in news(page.report, page.language):
        lines = [f"- {_item(page, item)}" for item in kind.items]
        if kind.more:
            lines.append(f"- {page.word('more').format(kind.more)}")
        yield f"{plain(kind.title)}{page.colon}\n" + "\n".join(lines)


def _item(page: _Page, item: Item) -> str:
    text = plain(squeeze(item.text, limit=_QUOTE))
    marks = "".join(f"[{n}]" for n in page.numbers.of(item.claim.citations)) if item.claim is not None else ""
    where = readable(address(item.source)) if item.source is not None else ""
    return " ".join(filter(None, (text, where, marks, f"({plain(item.note)})" if item.note else "")))


def _artefacts(page: _Page, bodies: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what programs made, by their place beside a report that is written to a file, then the program."""
    made = groups(page.report)
    if made:
        yield _under(page.word("artefacts"))
        yield page.word("computed")
    for group in made:
        shown = [f"- {title(one, page.language)}: {path_of(one.made)}" for one in group.shown]
        shown.append(f"- {page.word('program')}: {program_path(group.program)}")
        yield "\n".join(shown)
        lines, more = listing(bodies.get(group.program), most=_LISTED)
        if lines:
            yield "\n".join(f"    {line}".rstrip() for line in lines)
        if more:
            yield page.word("more_lines").format(f"{more:,}")


def _contradictions(page: _Page) -> list[str]:
    lines = []
    for pair in page.report.contradictions:
        lines.append(f"- {plain(squeeze(subject(pair), limit=_QUOTE))}")
        for side in page.numbers.numbered(pair.sides):
            source = page.sources[side.citation.source_id]
            lines.append(f"  - {_quote(side)} [{side.number}] ({name(source)})")
    return [_under(page.word("contradictions")), "\n".join(lines)] if lines else []


def _quote(numbered: Numbered) -> str:
    return f"“{plain(squeeze(numbered.citation.quote, limit=_QUOTE))}”"


def _listed(headed: str, items: Sequence[str]) -> list[str]:
    return [_under(headed), "\n".join(f"- {plain(item)}" for item in items)] if items else []


def _source(page: _Page, source: Source, repeated: frozenset[str]) -> str:
    """Return a source, and by place what is cited of it; a quote that stands in the report is not repeated."""
    about = ", ".join(filter(None, map(plain, (name(source), *source.authors, source.published or ""))))
    lines = [about, readable(address(source))]
    if source.truncated:
        lines[-1] += f" ({page.word('truncated')})"
    places: dict[str, list[int]] = {}
    for numbered in page.numbers.in_source(source.id):
        where = page.place(numbered, source)
        if flat(numbered.citation.quote) not in repeated:
            where = f"{where}{page.colon} {_quote(numbered)}" if where else _quote(numbered)
        places.setdefault(where, []).append(numbered.number)
    lines += [f"- {''.join(f'[{n}]' for n in cited)} {where}".rstrip() for where, cited in places.items()]
    return "\n".join(lines)
