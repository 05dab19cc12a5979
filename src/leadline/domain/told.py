"""What is told: drafts as writers gave them, claims with verdicts, the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from leadline.domain.done import Usage
from leadline.domain.found import Source
from leadline.domain.values import Json

REPORT_SCHEMA = "leadline.report/1"


class Verdict(StrEnum):
    """How a claim stands against the excerpts it cites."""

    SUPPORTED = "supported"
    PARTIAL = "partial"  # some of it stands
    CONTRADICTED = "contradicted"  # the evidence says otherwise
    UNSUPPORTED = "unsupported"  # the evidence does not say it
    UNCHECKED = "unchecked"  # no evidence named, or no budget left to look


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftSentence:
    """A sentence as a writer gave it: its text without markers, and the excerpts it names.

    `quotes` are passages that the writer put in quotation marks as verbatim. `claims` is false
    for sentences that assert nothing (transitions, statements of what was not found).
    """

    text: str
    excerpt_ids: tuple[str, ...] = ()
    claims: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftSection:
    """A titled part of a draft; the title may be empty."""

    title: str
    sentences: tuple[DraftSentence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a writer made of the ledger: the direct answer first, then sections.

    `written_by` is a model's name, or `extractive`. `unknown_ids` counts ids that the writer
    named and the ledger does not know.
    """

    answer: tuple[DraftSentence, ...]
    sections: tuple[DraftSection, ...]
    written_by: str
    unknown_ids: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """The evidence of a claim: the exact span `quote == text[start:end]` of a source's stored text."""

    source_id: str
    quote: str
    start: int
    end: int
    locator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checks:
    """How a verdict came about.

    `decided_by`: `quote` (the claim is its quote), `values` (numbers, dates, names, negation),
    `words`, `judge`, `none`. `bound_by`: `writer` (it named the excerpt), `retrieval`, `none`.
    `reasons` are short and fit for a reader.
    """

    decided_by: str
    bound_by: str
    reasons: tuple[str, ...] = ()
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A sentence of the report that asserts something, with its evidence and verdict."""

    id: str
    text: str
    verdict: Verdict
    checks: Checks
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A sentence of the report; `claim_id` is `None` where it asserts nothing."""

    text: str
    claim_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A titled part of the report."""

    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contradiction:
    """Two pieces of evidence that cannot both be right about `about`."""

    about: str
    sides: tuple[Citation, Citation]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one of several did that researched side by side: a sub-question of a plan, or a researcher.

    `sources` counts what it brought, `addresses` what it read, `shared` how many of these addresses
    another part read as well.
    """

    question: str
    stop_reason: str
    sources: int
    addresses: int
    shared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A string or number of a structured answer; `path` is its JSON pointer (RFC 6901).

    `verdict` is `supported` where the claims `claim_ids` or the sources say it, else `unchecked` or
    what the check of a whole sentence came to.
    """

    path: str
    verdict: Verdict
    claim_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Structured:
    """The answer once more, as JSON of the schema that was asked for, and how its values stand."""

    value: Json
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Artefact:
    """A file that a program of the run made; a picture where `media_type` is `image/png`, encoded by us.

    `sha256` is of its bytes, `size` their number, `program` the hash of the text of the program
    that made it. `caption` is the title that the program gave it, empty where it gave none. It is
    no evidence: what a program of a model computed is checked by nobody.
    """

    name: str
    sha256: str
    media_type: str
    size: int
    program: str
    caption: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether it can be shown."""
        return self.media_type == "image/png"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """A claim as an earlier report stated it."""

    text: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """A source as an earlier report cited it; `sha256` is the hash of its stored text."""

    uri: str
    title: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gist:
    """What a later report on the same question is compared with."""

    run_id: str
    question: str
    created_at: str
    claims: tuple[Stated, ...] = ()
    sources: tuple[Cited, ...] = ()


class Difference(StrEnum):
    """In what a claim differs from what an earlier report stated."""

    VALUE = "value"  # another number, date or amount, or the denial of it
    VERDICT = "verdict"  # the evidence for it stands otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """A claim that an earlier report stated otherwise: `before`."""

    claim_id: str
    differs: tuple[Difference, ...]
    before: Stated


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How many claims and sources are new, other and gone against the report of run `earlier`."""

    earlier: str
    new_claims: int
    changed_claims: int
    gone_claims: int
    new_sources: int
    changed_sources: int
    gone_sources: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What is new, other and gone against the report of run `earlier`, which was made at `earlier_at`.

    Ids are of claims and sources of the report that this stands in. A changed source has the same
    address and another text; sources are those that the reports cite.
    """

    earlier: str
    earlier_at: str
    new_claims: tuple[str, ...] = ()
    changed_claims: tuple[Changed, ...] = ()
    gone_claims: tuple[Stated, ...] = ()
    new_sources: tuple[str, ...] = ()
    changed_sources: tuple[str, ...] = ()
    gone_sources: tuple[Cited, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        claims = self.new_claims or self.changed_claims or self.gone_claims
        return bool(claims or self.new_sources or self.changed_sources or self.gone_sources)

    @property
    def tally(self) -> Tally:
        """How much changed."""
        return Tally(
            earlier=self.earlier,
            new_claims=len(self.new_claims),
            changed_claims=len(self.changed_claims),
            gone_claims=len(self.gone_claims),
            new_sources=len(self.new_sources),
            changed_sources=len(self.changed_sources),
            gone_sources=len(self.gone_sources),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a run, schema `leadline.report/1`; the same for every writer and strategy.

    `answer` is the direct answer's text, empty where none can be given; `answer_claims` are the
    ids of its claims. `unexamined` names open sub-questions, unread hits and failed sources.
    `notes` tell the reader what to know about how the report was made. `parts` are what was
    researched side by side, `structured` the answer as JSON where a schema was given. `artefacts` are
    pictures and files that programs of the run made, in order. `changes` compares it with the report
    of the run that it went on with, where that answered the same question.
    """

    run_id: str
    question: str
    language: str
    strategy: str
    stop_reason: str
    created_at: str
    answer: str
    answer_claims: tuple[str, ...]
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]
    sources: tuple[Source, ...]
    contradictions: tuple[Contradiction, ...] = ()
    unexamined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    models: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    structured: Structured | None = None
    artefacts: tuple[Artefact, ...] = ()
    changes: Changes | None = None
    schema: str = REPORT_SCHEMA
