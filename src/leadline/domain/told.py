"""What is told: drafts as writers gave them, claims with verdicts, the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from leadline.domain.done import Usage
from leadline.domain.found import Source

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
class Report:
    """The result of a run, schema `leadline.report/1`; the same for every writer and strategy.

    `answer` is the direct answer's text, empty where none can be given; `answer_claims` are the
    ids of its claims. `unexamined` names open sub-questions, unread hits and failed sources.
    `notes` tell the reader what to know about how the report was made.
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
    schema: str = REPORT_SCHEMA
