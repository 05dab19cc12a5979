"""Report to page: the order of its parts, its citations and remarks, its table of sources."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from leadline.domain import Claim, Contradiction, Report, Source, Verdict
from leadline.render.breaks import wide
from leadline.render.compose_artefacts import artefacts
from leadline.render.links import web_address
from leadline.render.page import Block, Kind, Look, Page, Run
from leadline.telling.addresses import address, name, readable
from leadline.telling.artefacts import NO_BODIES
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, flat, quoting, said, sentences, subject
from leadline.telling.wording import facts, label, place, reasons, strategy, strong, word
from leadline.text.clean import squeeze, visible

QUOTE: Final = 300
"""Characters of a quotation beside its source; the whole of it is in JSON and HTML."""

TITLE: Final = 200
"""Characters of a question that make a title; a longer one follows it in full."""

_WRONG: Final = frozenset({Verdict.CONTRADICTED, Verdict.UNSUPPORTED})
_MEANINGLESS: Final = frozenset({"Co", "Cn"})
_CLOSED: Final = "。！？；：，、”’）」』】》"


def compose(report: Report, bodies: Mapping[str, bytes] = NO_BODIES) -> Page:
    """Return the report as blocks, in the order of reading; a closed report (see `telling`) is expected.

    `bodies` are by their hash what programs made, and the programs' texts.
    """
    return _Composer(report).page(bodies)


def shown(text: str, *, limit: int | None = None) -> str:
    """Return text on one line, without characters that hide, turn, or cannot be in XML.

    What means nothing outside its own page (private use, unassigned) is written out as `[U+E001]`.
    """
    flat = squeeze(visible(text), limit=limit)
    if flat.isascii():
        return flat
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _MEANINGLESS else c for c in flat)


class _Composer:
    """What the parts of a page share: the report, its claims and sources, its citations by number."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._language = report.language
        self._chinese = report.language == "zh"
        self._claims = {claim.id: claim for claim in report.claims}
        self._sources = {source.id: source for source in report.sources}
        self._numbers = Numbers(report)
        self._title = shown(report.question, limit=TITLE)

    def page(self, bodies: Mapping[str, bytes]) -> Page:
        """Return all of it."""
        report = self._report
        blocks = [
            *self._head(),
            *self._answer(),
            *self._changes(),
            *(block for title, part in titled(report) for block in self._section(title, sentences(part, self._claims))),
            *artefacts(report, bodies),
            *self._contradictions(),
            *self._listed(self._word("unexamined"), report.unexamined),
            *self._table(),
            *self._notes(),
        ]
        return Page(title=self._title, language=self._language, created_at=report.created_at, blocks=tuple(blocks))

    def _word(self, key: str) -> str:
        return word(key, self._language)

    def _head(self) -> Iterator[Block]:
        report = self._report
        yield _plain(Kind.TITLE, self._title)
        made = [
            f"{self._word('generated')} {_moment(report.created_at)}",
            strategy(report.strategy, report.language),
            ", ".join(report.models),
        ]
        yield Block(Kind.BYLINE, (Run(" · ".join(shown(part) for part in made if part), Look.QUIET),))
        whole = shown(report.question)
        if whole != self._title:
            yield _plain(Kind.TEXT, whole)

    # --- what is told ------------------------------------------------------------------------

    def _answer(self) -> Iterator[Block]:
        told = answer(self._report, self._claims)
        if told:
            yield _plain(Kind.HEADING, self._word("answer"))
            yield Block(Kind.ANSWER, self._prose(told))

    def _changes(self) -> Iterator[Block]:
        changes = self._report.changes
        if changes is None:
            return
        yield _plain(Kind.HEADING, shown(heading(changes, self._language)))
        if not changes.any:
            yield _plain(Kind.TEXT, self._word("no_changes"))
        for kind in news(self._report, self._language):
            yield _plain(Kind.SUBHEADING, kind.title)
            yield from (Block(Kind.ITEM, tuple(self._item(item))) for item in kind.items)
            if kind.more:
                yield _plain(Kind.ITEM, self._word("more").format(kind.more))

    def _item(self, item: Item) -> Iterator[Run]:
        """Yield a change: what is said or cited now, its citations, and what was said before."""
        yield Run(shown(item.text, limit=QUOTE))
        if item.claim is not None and item.claim.citations:
            yield Run(" ")
            yield from _links(self._numbers.numbered(item.claim.citations))
        if item.note:
            yield Run(f"（{shown(item.note)}）" if self._chinese else f" ({shown(item.note)})", Look.REMARK)

    def _section(self, title: str, told: Sequence[Told]) -> Iterator[Block]:
        if shown(title):
            yield _plain(Kind.HEADING, shown(title))
        if told and quoting(told):
            yield from (Block(Kind.ITEM, tuple(self._told(t))) for t in told)
        elif told:
            yield Block(Kind.TEXT, self._prose(told))

    def _prose(self, told: Iterable[Told]) -> tuple[Run, ...]:
        runs: list[Run] = []
        for each in told:
            more = list(self._told(each))
            if runs and more and not (self._chinese and _tight(runs[-1].text, more[0].text)):
                runs.append(Run(" "))
            runs += more
        return tuple(runs)

    def _told(self, told: Told) -> Iterator[Run]:
        """Yield a sentence, its citations, and its verdict unless that is the best there is."""
        text, claim = shown(told.text), told.claim
        wrong = claim is not None and claim.verdict in _WRONG
        if text:
            yield Run(text)
        if claim is None:
            return
        cited = self._numbers.numbered(claim.citations)
        if text and cited and not self._chinese:
            yield Run(" ")
        yield from _links(cited)
        if not strong(claim):
            yield Run(self._remark(claim), Look.WARNING if wrong else Look.REMARK)

    def _remark(self, claim: Claim) -> str:
        why = [shown(part) for part in (label(claim, self._language), *reasons(claim, self._language))]
        return f"（{'；'.join(why)}）" if self._chinese else f" ({'; '.join(why)})"

    def _contradictions(self) -> Iterator[Block]:
        for index, pair in enumerate(self._report.contradictions):
            if index == 0:
                yield _plain(Kind.HEADING, self._word("contradictions"))
            yield from self._pair(pair)

    def _pair(self, pair: Contradiction) -> Iterator[Block]:
        yield _plain(Kind.SUBHEADING, shown(subject(pair), limit=QUOTE))
        for side in self._numbers.numbered(pair.sides):
            named = shown(name(self._sources[side.citation.source_id]))
            quote = Run(self._quoted(side) if self._chinese else self._quoted(side) + " ")
            where = f"（{named}）" if self._chinese else f" ({named})"
            yield Block(Kind.ITEM, (quote, *_links([side]), Run(where, Look.QUIET)))

    def _listed(self, title: str, items: Sequence[str]) -> Iterator[Block]:
        if items:
            yield _plain(Kind.HEADING, title)
        yield from (_plain(Kind.ITEM, shown(item)) for item in items)

    # --- what it stands on -------------------------------------------------------------------

    def _table(self) -> Iterator[Block]:
        if self._report.sources:
            yield _plain(Kind.HEADING, self._word("sources"))
        repeated = frozenset(said(self._report))
        for source in self._report.sources:
            yield from self._source(source, repeated)

    def _source(self, source: Source, repeated: frozenset[str]) -> Iterator[Block]:
        uri = address(source)
        url = web_address(uri)
        yield Block(Kind.SOURCE, (Run(shown(name(source)), Look.STRONG, url=url),))
        about = [*source.authors, source.published or "", self._word("truncated") if source.truncated else ""]
        known = " · ".join(shown(part) for part in about if part)
        if known:
            yield Block(Kind.DETAIL, (Run(known, Look.QUIET),))
        yield Block(Kind.DETAIL, (Run(shown(readable(uri)), Look.QUIET, url=url),))
        if source.also:
            also = f"{self._word('also')} {', '.join(shown(readable(more)) for more in source.also[:2])}"
            yield Block(Kind.DETAIL, (Run(also, Look.QUIET),))
        yield from self._cited(source, repeated)

    def _cited(self, source: Source, repeated: frozenset[str]) -> Iterator[Block]:
        """Yield by place what is cited of a source; a quotation that the report shows is not repeated."""
        places: dict[str, list[int]] = {}
        colon = "：" if self._chinese else ": "
        for numbered in self._numbers.in_source(source.id):
            where = shown(place(numbered.citation.locator, title=source.title, language=self._language), limit=QUOTE)
            if not where or flat(numbered.citation.quote) not in repeated:
                where = f"{where}{colon}{self._quoted(numbered)}" if where else self._quoted(numbered)
            places.setdefault(where, []).append(numbered.number)
        for where, cited in places.items():
            marks = Run("".join(f"[{number}]" for number in cited), Look.STRONG)
            yield Block(Kind.CITED, (marks, Run(" "), Run(where)), entries=tuple(cited))

    def _quoted(self, numbered: Numbered) -> str:
        return f"“{shown(numbered.citation.quote, limit=QUOTE)}”"

    def _notes(self) -> Iterator[Block]:
        report = self._report
        notes = list(report.notes)
        if any(strong(claim) and claim.checks.decided_by == "values" for claim in report.claims):
            notes.append(self._word("unmarked"))
        yield _plain(Kind.HEADING, self._word("notes"))
        yield from (_plain(Kind.NOTE, shown(line)) for line in (*notes, facts(report)) if shown(line))


def _moment(at: str) -> str:
    """Return a moment as people read it; text that is none stays as it is."""
    try:
        made = datetime.fromisoformat(at)
    except ValueError:
        return at
    return made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if made.tzinfo else at


def _plain(kind: Kind, text: str) -> Block:
    return Block(kind, (Run(text),))


def _links(cited: Iterable[Numbered]) -> Iterator[Run]:
    return (Run(f"[{numbered.number}]", cites=numbered.number) for numbered in cited)


def _tight(before: str, behind: str) -> bool:
    """Whether two sentences of a Chinese text stand side by side without a blank."""
    return wide(behind[0]) or before[-1] in _CLOSED or before.endswith("]")
