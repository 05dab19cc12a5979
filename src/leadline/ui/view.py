"""A report as the page shows it: numbers of citations, labels of verdicts and places in the reader's language.

The page draws what stands here and computes none of it, so that it says the same as every other
form of the report. Texts are fit for a page: nothing in them hides or turns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from leadline.domain import Claim, Report, Source, Verdict
from leadline.telling.addresses import address, linkable, name, readable
from leadline.telling.artefacts import groups, title
from leadline.telling.news import Item, heading, news, titled
from leadline.telling.numbering import Numbered, Numbers, Told, answer, quoting, sentences, subject
from leadline.telling.wording import facts, label, meaning, place, reasons, strong
from leadline.text.clean import visible


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A piece of the report's text, and the id of the claim that it is."""

    text: str
    claim: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A titled part of the report; `quoted`: its pieces stand as a list of quotations."""

    title: str
    quoted: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimView:
    """A claim. `kind` is its verdict, `strong` where it needs no remark; `cites` are numbers of citations."""

    id: str
    text: str
    verdict: str
    kind: str
    label: str
    reasons: tuple[str, ...]
    cites: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CitationView:
    """A span of a source's stored text; offsets in code points."""

    number: int
    source_id: str
    start: int
    end: int
    quote: str
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceView:
    """A source. `link` is its address where that may be a link, `where` the address as text."""

    id: str
    name: str
    link: str | None
    where: str
    also: tuple[str, ...]
    authors: tuple[str, ...]
    published: str
    language: str
    fetched_at: str
    sha256: str
    truncated: bool
    cites: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairView:
    """What sources disagree about, and the numbers of both sides."""

    about: str
    cites: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeView:
    """A change since an earlier report; `source` is the id of the source that it is about."""

    text: str
    cites: tuple[int, ...]
    source: str | None
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewsView:
    """Changes of one kind; `more` are not told one by one."""

    kind: str
    title: str
    items: tuple[ChangeView, ...]
    more: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangesView:
    """What changed since the report of run `earlier`, by kind; nothing where `kinds` is empty."""

    earlier: str
    earlier_at: str
    title: str
    kinds: tuple[NewsView, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """All that the page shows of a report. `counts` are claims by kind, `legend` what labels mean."""

    run_id: str
    question: str
    language: str
    strategy: str
    stop_reason: str
    created_at: str
    models: tuple[str, ...]
    answer: tuple[Piece, ...]
    changes: ChangesView | None
    parts: tuple[Part, ...]
    claims: tuple[ClaimView, ...]
    counts: Mapping[str, int]
    citations: tuple[CitationView, ...]
    sources: tuple[SourceView, ...]
    contradictions: tuple[PairView, ...]
    unexamined: tuple[str, ...]
    artefacts: tuple[str, ...]
    notes: tuple[str, ...]
    facts: str
    legend: Mapping[str, str]


class _Viewing:
    """What the parts of a view share."""

    def __init__(self, report: Report, language: str) -> None:
        self.report = report
        self.language = language
        self.numbers = Numbers(report)
        self.sources = {source.id: source for source in report.sources}
        self.claims = {claim.id: claim for claim in report.claims}

    def claim(self, claim: Claim) -> ClaimView:
        return ClaimView(
            id=claim.id,
            text=visible(claim.text),
            verdict=claim.verdict.value,
            kind="strong" if strong(claim) else claim.verdict.value,
            label=label(claim, self.language),
            reasons=tuple(visible(reason) for reason in reasons(claim, self.language)),
            cites=self.numbers.of(claim.citations),
        )

    def citation(self, numbered: Numbered) -> CitationView:
        cited = numbered.citation
        where = place(cited.locator, title=self.sources[cited.source_id].title, language=self.language)
        return CitationView(
            number=numbered.number,
            source_id=cited.source_id,
            start=cited.start,
            end=cited.end,
            quote=visible(cited.quote),
            place=visible(where),
        )

    def change(self, item: Item) -> ChangeView:
        return ChangeView(
            text=visible(item.text),
            cites=() if item.claim is None else self.numbers.of(item.claim.citations),
            source=None if item.source is None else item.source.id,
            note=visible(item.note),
        )

    def source(self, source: Source) -> SourceView:
        uri = address(source)
        return SourceView(
            id=source.id,
            name=name(source),
            link=uri if linkable(uri) else None,
            where=readable(uri),
            also=tuple(readable(other) for other in source.also[:2]),
            authors=tuple(visible(author) for author in source.authors),
            published=visible(source.published or ""),
            language=visible(source.language or ""),
            fetched_at=visible(source.fetched_at),
            sha256=source.sha256,
            truncated=source.truncated,
            cites=tuple(numbered.number for numbered in self.numbers.in_source(source.id)),
        )


def report_view(report: Report, language: Literal["en", "zh"]) -> ReportView:
    """Return a report for a reader of `language`; what the report itself says stays in its own."""
    viewing = _Viewing(report, language)
    claims = tuple(viewing.claim(claim) for claim in report.claims)
    numbered = (n for source in report.sources for n in viewing.numbers.in_source(source.id))
    return ReportView(
        run_id=report.run_id,
        question=visible(report.question),
        language=report.language,
        strategy=report.strategy,
        stop_reason=report.stop_reason,
        created_at=report.created_at,
        models=tuple(visible(model) for model in report.models),
        answer=_pieces(answer(report, viewing.claims)),
        changes=_changes(viewing),
        parts=tuple(_parts(viewing)),
        claims=claims,
        counts=dict(Counter(claim.kind for claim in claims)),
        citations=tuple(viewing.citation(n) for n in sorted(numbered, key=lambda n: n.number)),
        sources=tuple(viewing.source(source) for source in report.sources),
        contradictions=tuple(
            PairView(about=visible(subject(pair)), cites=viewing.numbers.of(pair.sides))
            for pair in report.contradictions
        ),
        unexamined=tuple(visible(line) for line in report.unexamined),
        artefacts=tuple(title(shown, language) for group in groups(report) for shown in group.shown),
        notes=tuple(visible(line) for line in report.notes),
        facts=facts(report),
        legend={
            f"{'✓ ' if strong(claim) else ''}{label(claim, language)}": meaning(claim, language)
            for claim in sorted(report.claims, key=lambda claim: list(Verdict).index(claim.verdict))
        },
    )


def _pieces(told: Iterable[Told]) -> tuple[Piece, ...]:
    return tuple(Piece(text=visible(t.text), claim=None if t.claim is None else t.claim.id) for t in told)


def _changes(viewing: _Viewing) -> ChangesView | None:
    found = viewing.report.changes
    if found is None:
        return None
    kinds = news(viewing.report, viewing.language)
    return ChangesView(
        earlier=found.earlier,
        earlier_at=found.earlier_at,
        title=heading(found, viewing.language),
        kinds=tuple(
            NewsView(kind=kind.kind, title=kind.title, items=tuple(map(viewing.change, kind.items)), more=kind.more)
            for kind in kinds
        ),
    )


def _parts(viewing: _Viewing) -> Iterable[Part]:
    for headed, section in titled(viewing.report):
        told = sentences(section, viewing.claims)
        yield Part(title=visible(headed), quoted=quoting(told), pieces=_pieces(told))
