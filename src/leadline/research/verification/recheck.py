"""Checks a finished report against the stored texts, without a network or a model.

What was true when the report was made must be true again: hashes, ids, quotes at their offsets,
and every verdict that values and words decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leadline.domain import Citation, Claim, Excerpt, Report, Source, Verdict, claim_id, sha256, source_id
from leadline.errors import BlobMissing
from leadline.research.evidence import Ledger, ReadText
from leadline.research.verification.statements import Desk
from leadline.research.verification.verify import check


class ProblemKind(StrEnum):
    """What does not stand."""

    TEXT_MISSING = "text_missing"  # the stored text of a source cannot be read
    TEXT_CHANGED = "text_changed"  # it does not have the hash or length that the report states
    SOURCE_ID = "source_id"  # the source's id does not derive from its hash, or stands twice
    UNKNOWN_SOURCE = "unknown_source"  # a citation names a source that the report does not list
    QUOTE = "quote"  # the quote is not what stands at its offsets
    CLAIM_ID = "claim_id"  # the claim's id does not derive from its text and evidence
    UNKNOWN_CLAIM = "unknown_claim"  # a sentence names a claim that the report does not list
    SENTENCE = "sentence"  # a sentence does not read as the claim that it names
    VERDICT = "verdict"  # checked again, the evidence gives less than the report states


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something in a report that does not stand; `where` is the id of a source or claim."""

    kind: ProblemKind
    where: str
    message: str


# Verdicts that state something about the evidence, and what a second check may find for each.
_ALLOWED: Final = {
    Verdict.SUPPORTED: frozenset([Verdict.SUPPORTED]),
    Verdict.PARTIAL: frozenset([Verdict.PARTIAL, Verdict.SUPPORTED]),
    Verdict.CONTRADICTED: frozenset([Verdict.CONTRADICTED]),
}
_RECOMPUTED: Final = frozenset(["quote", "values", "words"])


def recheck(report: Report, read: ReadText) -> tuple[Problem, ...]:
    """Return everything in `report` that does not stand; empty where all of it does.

    `read` returns a stored text by its hash and raises `BlobMissing` where it is gone. Verdicts of
    a judge are not asked for again.
    """
    texts: dict[str, str] = {}
    problems = [p for source in report.sources for p in _source(source, read, texts=texts)]
    listed = {source.id for source in report.sources}
    if len(listed) < len(report.sources):
        problems.append(_problem(ProblemKind.SOURCE_ID, "", "two sources have the same id"))
    for index, claim in enumerate(report.claims):
        problems.extend(_claim(index, claim, texts=texts, listed=listed))
    problems.extend(_sides(report, texts=texts, listed=listed))
    problems.extend(_sentences(report))
    if not problems:
        problems.extend(_verdicts(report, texts))
    return tuple(problems)


def _problem(kind: ProblemKind, where: str, message: str) -> Problem:
    return Problem(kind=kind, where=where, message=message)


def _source(source: Source, read: ReadText, *, texts: dict[str, str]) -> Iterator[Problem]:
    if source.id != source_id(source.sha256):
        yield _problem(ProblemKind.SOURCE_ID, source.id, "the id does not derive from the hash")
    try:
        text = read(source.sha256)
    except BlobMissing as error:
        yield _problem(ProblemKind.TEXT_MISSING, source.id, str(error))
        return
    if sha256(text.encode("utf-8", "surrogatepass")) != source.sha256:
        yield _problem(ProblemKind.TEXT_CHANGED, source.id, "the stored text has another hash")
        return
    if len(text) != source.chars:
        message = f"the stored text has {len(text)} characters, not {source.chars}"
        yield _problem(ProblemKind.TEXT_CHANGED, source.id, message)
    texts[source.id] = text


def _claim(index: int, claim: Claim, *, texts: Mapping[str, str], listed: set[str]) -> Iterator[Problem]:
    if claim.id != claim_id(index, claim.text, claim.citations):
        message = "the id does not derive from text and evidence"
        yield _problem(ProblemKind.CLAIM_ID, claim.id, message)
    if claim.verdict in _ALLOWED and not claim.citations:
        message = f"{claim.verdict} without any evidence"
        yield _problem(ProblemKind.VERDICT, claim.id, message)
    for citation in claim.citations:
        yield from _citation(claim.id, citation, texts=texts, listed=listed)


def _citation(where: str, citation: Citation, *, texts: Mapping[str, str], listed: set[str]) -> Iterator[Problem]:
    if citation.source_id not in listed:
        message = f"the source is not listed: {citation.source_id}"
        yield _problem(ProblemKind.UNKNOWN_SOURCE, where, message)
        return
    text = texts.get(citation.source_id)
    if text is None:
        return  # told with the source
    start, end = citation.start, citation.end
    if not 0 <= start < end <= len(text) or text[start:end] != citation.quote:
        message = f"the quote does not stand at {citation.source_id}[{start}:{end}]"
        yield _problem(ProblemKind.QUOTE, where, message)


def _sides(report: Report, *, texts: Mapping[str, str], listed: set[str]) -> Iterator[Problem]:
    for contradiction in report.contradictions:
        for side in contradiction.sides:
            yield from _citation(contradiction.about, side, texts=texts, listed=listed)


def _sentences(report: Report) -> Iterator[Problem]:
    claims = {claim.id: claim for claim in report.claims}
    for named in report.answer_claims:
        if named not in claims:
            yield _problem(ProblemKind.UNKNOWN_CLAIM, named, "the answer names an unknown claim")
        elif claims[named].text not in report.answer:
            yield _problem(ProblemKind.SENTENCE, named, "the answer does not hold its claim")
    for section in report.sections:
        for sentence in section.sentences:
            if sentence.claim_id is None:
                continue
            claim = claims.get(sentence.claim_id)
            if claim is None:
                message = "a sentence names an unknown claim"
                yield _problem(ProblemKind.UNKNOWN_CLAIM, sentence.claim_id, message)
            elif claim.text != sentence.text:
                message = "a sentence does not read as its claim"
                yield _problem(ProblemKind.SENTENCE, claim.id, message)


def _verdicts(report: Report, texts: Mapping[str, str]) -> Iterator[Problem]:
    ledger, desk = Ledger(), Desk()
    for source in report.sources:
        ledger.admit(source, texts[source.id])
    for claim in report.claims:
        allowed = _ALLOWED.get(claim.verdict)
        if allowed is None or claim.checks.decided_by not in _RECOMPUTED:
            continue
        spans = [Excerpt(id="", source_id=c.source_id, start=c.start, end=c.end) for c in claim.citations]
        again = check(claim.text, spans, ledger=ledger, desk=desk)
        if again.verdict not in allowed:
            message = f"stated {claim.verdict}, checked again {again.verdict}"
            yield _problem(ProblemKind.VERDICT, claim.id, message)
