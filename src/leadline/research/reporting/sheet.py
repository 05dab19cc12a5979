"""A report from its title to its facts, in the order in which people read it; how each part is marked is a form's.

`markdown` and `plain` are the forms. A page (`html`) and printed files (`render`) have more to place
than lines, and compose for themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from leadline.domain import Report, Source
from leadline.telling.addresses import name
from leadline.telling.artefacts import NO_BODIES, Group, groups
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, flat, quoting, said, sentences, subject
from leadline.telling.wording import facts, label, place, reasons, strong, word
from leadline.text.clean import squeeze

LISTED: Final = 200
"""Lines of a program that are listed; the whole of it lies beside a report that is written to a file."""

_QUOTE: Final = 300
"""Characters of a quotation that are shown beside its source; the whole of it is in JSON and HTML."""


class Sheet(ABC):
    """A report, and what its parts share: its claims, its citations by number, its language."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.language = report.language
        self.colon = "：" if self.language == "zh" else ":"
        self._claims = {claim.id: claim for claim in report.claims}
        self._sources = {source.id: source for source in report.sources}
        self._numbers = Numbers(report)

    # --- what a form is -------------------------------------------------------------------------

    @abstractmethod
    def shown(self, text: str) -> str:
        """Return text on one line, as this form shows it and nothing else."""

    @abstractmethod
    def title(self, text: str) -> str:
        """Return the title of the report."""

    @abstractmethod
    def head(self, text: str) -> str:
        """Return the title of a part."""

    @abstractmethod
    def strong(self, text: str) -> str:
        """Return text of the frame that is set off from what follows it."""

    @abstractmethod
    def remark(self, text: str) -> str:
        """Return what is said of a sentence behind it, already shown."""

    @abstractmethod
    def gone(self, text: str) -> str:
        """Return what an earlier report said and this one does not, already shown."""

    @abstractmethod
    def address(self, source: Source) -> str:
        """Return where a source lies."""

    @abstractmethod
    def named(self, source: Source, about: Sequence[str]) -> str:
        """Return a source's name, what is known `about` it, and its address."""

    @abstractmethod
    def group(self, group: Group, program: bytes | None) -> Iterator[str]:
        """Yield what a program made, and the program."""

    # --- the parts ------------------------------------------------------------------------------

    def whole(self, bodies: Mapping[str, bytes] = NO_BODIES) -> str:
        """Return the report; `bodies` are by their hash programs' texts to list."""
        report = self.report
        parts = [self.title(report.question)]
        direct = answer(report, self._claims)
        if direct:
            parts.append(f"{self.strong(self.word('answer') + self.colon)} {self._prose(direct)}")
        parts += self._changes()
        for headed, section in titled(report):
            if headed:
                parts.append(self.head(headed))
            told = sentences(section, self._claims)
            parts.append("\n".join(f"- {self._told(t)}" for t in told) if quoting(told) else self._prose(told))
        parts += self._artefacts(bodies)
        parts += self._contradictions()
        parts += self._listed(self.word("unexamined"), report.unexamined)
        if report.sources:
            parts.append(self.head(self.word("sources")))
            repeated = frozenset(said(report))
            parts += [self._source(source, repeated) for source in report.sources]
        notes = list(report.notes)
        if any(strong(claim) and claim.checks.decided_by == "values" for claim in report.claims):
            notes.append(self.word("unmarked"))
        parts.append("---")
        parts += [self.shown(line) for line in (*notes, facts(report))]
        return "\n\n".join(part for part in parts if part) + "\n"

    def changes(self) -> str:
        """Return what changed since an earlier report, alone; empty where the report is compared with none."""
        return "\n\n".join(self._changes()) + "\n" if self.report.changes is not None else ""

    def word(self, key: str) -> str:
        """Return a word of the frame."""
        return word(key, self.language)

    def _prose(self, told: Iterable[Told]) -> str:
        return " ".join(filter(None, map(self._told, told)))

    def _told(self, told: Told) -> str:
        """Return a sentence, its citations, and its verdict unless that is the best there is."""
        text, claim = self.shown(told.text), told.claim
        if claim is None:
            return text
        marks = "".join(f"[{n}]" for n in self._numbers.of(claim.citations))
        parts = [part for part in (text, marks) if part]
        if not strong(claim):
            why = [label(claim, self.language), *reasons(claim, self.language)]
            stop = "；" if self.language == "zh" else "; "
            parts.append(self.remark(stop.join(map(self.shown, why))))
        return " ".join(parts)

    def _changes(self) -> Iterator[str]:
        """Yield what changed since an earlier report, by kind."""
        changes = self.report.changes
        if changes is None:
            return
        yield self.head(heading(changes, self.language))
        if not changes.any:
            yield self.shown(self.word("no_changes"))
        for kind in news(self.report, self.language):
            lines = [f"- {self._item(item, gone=kind.gone)}" for item in kind.items]
            if kind.more:
                lines.append(f"- {self.shown(self.word('more').format(kind.more))}")
            yield f"{self.strong(self.shown(kind.title))}\n\n" + "\n".join(lines)

    def _item(self, item: Item, *, gone: bool) -> str:
        text = self._short(item.text)
        marks = "".join(f"[{n}]" for n in self._numbers.of(item.claim.citations)) if item.claim is not None else ""
        if item.source is not None:
            text = f"{text} {self.address(item.source)}"
        note = self.remark(self.shown(item.note)) if item.note else ""
        return " ".join(filter(None, (self.gone(text) if gone and item.claim is None else text, marks, note)))

    def _artefacts(self, bodies: Mapping[str, bytes]) -> Iterator[str]:
        """Yield what programs made, by its place beside the report, then the program."""
        made = groups(self.report)
        if made:
            yield self.head(self.word("artefacts"))
            yield self.shown(self.word("computed"))
        for group in made:
            yield from self.group(group, bodies.get(group.program))

    def _contradictions(self) -> list[str]:
        lines = []
        for pair in self.report.contradictions:
            lines.append(f"- {self._short(subject(pair))}")
            for side in self._numbers.numbered(pair.sides):
                source = self._sources[side.citation.source_id]
                lines.append(f"  - {self._quote(side)} [{side.number}] ({self.shown(name(source))})")
        return [self.head(self.word("contradictions")), "\n".join(lines)] if lines else []

    def _listed(self, headed: str, items: Sequence[str]) -> list[str]:
        return [self.head(headed), "\n".join(f"- {self.shown(item)}" for item in items)] if items else []

    def _source(self, source: Source, repeated: frozenset[str]) -> str:
        """Return a source, and by place what is cited of it; a quote that stands in the report is not repeated."""
        about = [self.shown(known) for known in (*source.authors, source.published or "") if known]
        head = self.named(source, about)
        lines = [f"{head} ({self.word('truncated')})" if source.truncated else head]
        places: dict[str, list[int]] = {}
        for numbered in self._numbers.in_source(source.id):
            where = self._short(place(numbered.citation.locator, title=source.title, language=self.language))
            if flat(numbered.citation.quote) not in repeated:
                where = f"{where}{self.colon} {self._quote(numbered)}" if where else self._quote(numbered)
            places.setdefault(where, []).append(numbered.number)
        lines += [f"- {''.join(f'[{n}]' for n in cited)} {where}".rstrip() for where, cited in places.items()]
        return "\n".join(lines)

    def _quote(self, numbered: Numbered) -> str:
        return f"“{self._short(numbered.citation.quote)}”"

    def _short(self, text: str) -> str:
        return self.shown(squeeze(text, limit=_QUOTE))
