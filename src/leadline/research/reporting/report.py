"""Draft and verdicts -> report. Pure: the same inputs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson

from leadline import codec
from leadline.domain import (
    Draft,
    Failure,
    Options,
    Part,
    Question,
    Report,
    Source,
    StopReason,
    StrategyName,
    Structured,
    Usage,
)
from leadline.research.artefacts import bounded
from leadline.research.evidence import Ledger
from leadline.research.phrases import phrase, spoken
from leadline.research.verification.checking import Findings
from leadline.research.write import EXTRACTIVE
from leadline.telling.addresses import readable

UNREAD_NAMED = 8
UNSEARCHED_NAMED = 3
"""Unread hits that are named one by one; the rest are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a run ended, beside what it found. `at` is Unix time.

    `failed` maps addresses to the reasons why they were not read, `failed_searches` queries that no search answered.
    """

    run_id: str
    question: Question
    options: Options
    strategy: StrategyName
    stop: StopReason
    at: float
    usage: Usage
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    failed_searches: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    structured: Structured | None = None


def assemble(ending: Ending, *, ledger: Ledger, draft: Draft, findings: Findings) -> Report:
    """Return the report of a draft whose claims were checked."""
    told = findings.told
    return Report(
        run_id=ending.run_id,
        question=ending.question.text,
        language=ending.question.language,
        strategy=ending.strategy,
        stop_reason=ending.stop,
        created_at=datetime.fromtimestamp(ending.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        answer=told.answer,
        answer_claims=told.answer_claims,
        sections=told.sections,
        claims=told.claims,
        sources=_cited(ledger, findings),
        contradictions=findings.contradictions,
        unexamined=_unexamined(ending),
        notes=_notes(ending, draft, told.dropped),
        usage=ending.usage,
        models=_models(ending, draft),
        parts=ending.parts,
        structured=ending.structured,
        artefacts=bounded(ledger.artefacts),
    )


def _cited(ledger: Ledger, findings: Findings) -> tuple[Source, ...]:
    """Return the sources that claims or contradictions cite, in order of their first citation."""
    ids = dict.fromkeys(c.source_id for claim in findings.told.claims for c in claim.citations)
    ids.update(dict.fromkeys(side.source_id for pair in findings.contradictions for side in pair.sides))
    return tuple(replace(ledger.source(i), marks=()) for i in ids)


def _models(ending: Ending, draft: Draft) -> tuple[str, ...]:
    models = []
    if ending.usage.model_calls and ending.options.model and (draft.written_by != EXTRACTIVE or ending.failure is None):
        models.append(ending.options.model)
    if ending.options.judge and ending.options.judge not in models and ending.usage.model_calls:
        models.append(ending.options.judge)
    return tuple(models)


def _unexamined(ending: Ending) -> tuple[str, ...]:
    language = ending.question.language
    named = [phrase("unread", language, title=title) for title in ending.unread[:UNREAD_NAMED]]
    if len(ending.unread) > UNREAD_NAMED:
        named.append(phrase("unread_more", language, count=len(ending.unread) - UNREAD_NAMED))
    missed = ending.options.not_read
    reasons = (*missed.named.items(), *ending.failed.items())
    failed = [phrase("failed_source", language, uri=readable(uri), reason=why) for uri, why in reasons]
    if missed.count > len(missed.named):
        more = phrase("failed_more", language, count=missed.count - len(missed.named))
        failed.insert(len(missed.named), more)
    return (*ending.gaps, *named, *failed, *_unsearched(ending))


def _unsearched(ending: Ending) -> Iterator[str]:
    """Yield what no search answered, by the reason."""
    queries: dict[str, list[str]] = {}
    for query, why in ending.failed_searches.items():
        queries.setdefault(why, []).append(query)
    for why, asked in queries.items():
        shown = "; ".join(asked[:UNSEARCHED_NAMED]) + ("; …" if len(asked) > UNSEARCHED_NAMED else "")
        yield phrase("failed_search", ending.question.language, queries=shown, reason=why)


def _notes(ending: Ending, draft: Draft, dropped: int) -> tuple[str, ...]:
    language = ending.question.language
    notes = list(ending.notes)
    if draft.written_by == EXTRACTIVE:
        if ending.failure is not None:
            notes.insert(0, phrase("model_failed", language, reason=ending.failure.message))
        elif ending.options.model is None:
            notes.insert(0, phrase("no_model", language))
    if spoken(ending.stop):
        notes.append(phrase("stopped", language, reason=phrase(ending.stop, language)))
    if dropped:
        notes.append(phrase("dropped", language, count=dropped))
    if draft.unknown_ids:
        notes.append(phrase("unknown_ids", language, count=draft.unknown_ids))
    return tuple(notes)


def to_json(report: Report) -> bytes:
    """Return the report as the bytes of schema `leadline.report/1`: what is stored, hashed and verified."""
    tree = orjson.loads(codec.encode(report))
    for source in tree["sources"]:
        del source["marks"]  # thousands in a long document; each citation carries its own place
    return codec.encode(tree)


def from_json(data: bytes | str) -> Report:
    """Return the report that `to_json` wrote. Raises `ValueError` for anything else."""
    return codec.decode(Report, data)
