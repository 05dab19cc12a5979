"""Reports for tests: small ones built by hand, and real ones that went through ledger, checks and assembly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from leadline.domain import (
    Checks,
    Citation,
    Cited,
    Claim,
    Contradiction,
    Draft,
    DraftSection,
    DraftSentence,
    Mark,
    Options,
    Question,
    Report,
    Section,
    Sentence,
    Source,
    Stated,
    StopReason,
    StrategyName,
    Usage,
    Verdict,
    claim_id,
    sha256,
    source_id,
)
from leadline.research.evidence import Ledger
from leadline.research.reporting.report import Ending, assemble
from leadline.research.verification.checking import Findings
from leadline.research.verification.claims import build_claims, sentences_of
from leadline.research.verification.verify import check_claims
from leadline.telling.changes import changes, gist

AT = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


class Made(NamedTuple):
    """A report, and the stored texts of its sources by source id."""

    report: Report
    texts: Mapping[str, str]


def a_source(text: str, uri: str = "https://example.org/a", **fields: object) -> Source:
    digest = sha256(text.encode("utf-8", "surrogatepass"))
    known: dict[str, object] = {
        "id": source_id(digest),
        "uri": uri,
        "sha256": digest,
        "raw_sha256": sha256(b"raw" + digest.encode()),
        "extractor": "text/1",
        "content_type": "text/plain",
        "chars": len(text),
        "fetched_at": "2026-01-01T00:00:00Z",
    }
    return Source(**{**known, **fields})  # type: ignore[arg-type]  # fields of Source by name


def cite(source: Source, text: str, quote: str, *, locator: str = "") -> Citation:
    start = text.index(quote)
    return Citation(source_id=source.id, quote=quote, start=start, end=start + len(quote), locator=locator)


def a_claim(
    text: str,
    *citations: Citation,
    verdict: Verdict = Verdict.SUPPORTED,
    decided_by: str = "values",
    bound_by: str = "writer",
    reasons: Sequence[str] = (),
    index: int = 0,
) -> Claim:
    return Claim(
        id=claim_id(index, text.encode("utf-8", "replace").decode(), citations),
        text=text,
        verdict=verdict,
        checks=Checks(decided_by=decided_by, bound_by=bound_by, reasons=tuple(reasons)),
        citations=citations,
    )


def a_report(claims: Sequence[Claim], sources: Sequence[Source], **fields: object) -> Report:
    """Return a report whose one section says the claims in order."""
    told = tuple(Sentence(text=claim.text, claim_id=claim.id) for claim in claims)
    known: dict[str, object] = {
        "run_id": "r1",
        "question": "What is it?",
        "language": "en",
        "strategy": "react",
        "stop_reason": "answered",
        "created_at": "2026-01-01T00:00:00Z",
        "answer": "",
        "answer_claims": (),
        "sections": (Section(title="Findings", sentences=told),),
        "claims": tuple(claims),
        "sources": tuple(sources),
    }
    return Report(**{**known, **fields})  # type: ignore[arg-type]  # fields of Report by name


def simple(text: str, quote: str, **fields: object) -> Made:
    """Return a report of one claim that cites `quote` in the one source `text`."""
    source = a_source(text)
    report = a_report([a_claim(quote, cite(source, text, quote), decided_by="quote")], [source], **fields)
    return Made(report, {source.id: text})


# --- through the real parts ------------------------------------------------------------------

LIGHTHOUSE = (
    "The lighthouse\n\nThe lighthouse at Skarvik was built in 1868. It stands 34 metres tall. "
    + "The coast is rocky and the winters are long. " * 160
    + "Automation\n\nThe lamp was automated in 1979. No keeper has lived there since."
)
REGISTER = "Register of lights. Skarvik: height 31 metres, built 1868, white tower with a red gallery."
BRIDGE = (
    "赵州桥\n\n赵州桥建于隋代，由工匠李春设计。桥的净跨度为37.02米，拱高7.23米。"
    + "桥身用石块砌成，历经多次洪水与地震。" * 400
    + "修缮\n\n1955年对该桥进行了全面修缮。"
)
GAZETTEER = "地方志记载：赵州桥净跨度为37.4米，桥面宽约9米。"


class _Case(NamedTuple):
    question: str
    language: str
    texts: tuple[str, str]
    sources: tuple[Mapping[str, object], Mapping[str, object]]
    answer: str
    prose: tuple[tuple[str, str], ...]
    gaps: tuple[str, str]
    about: str
    sides: tuple[str, str]


_ENGLISH = _Case(
    question="How tall is the lighthouse at Skarvik, and when was it automated?",
    language="en",
    texts=(LIGHTHOUSE, REGISTER),
    sources=(
        {
            "uri": "https://example.org/skarvik",
            "title": "The lighthouse",
            "authors": ("A. Author",),
            "published": "2019-05-02",
        },
        {
            "uri": "file:///srv/papers/lights/register%20of%20lights.txt",
            "title": "Register of lights",
            "truncated": True,
        },
    ),
    answer="The lighthouse at Skarvik stands 34 metres tall.",
    prose=(
        ("The lighthouse was built in 1868.", "The lighthouse at Skarvik was built in 1868."),
        ("The lamp was automated in 1982.", "The lamp was automated in 1979."),
        ("No keeper has lived there since automation.", "No keeper has lived there since."),
        ("The keepers grew apples in the garden.", "The coast is rocky and the winters are long."),
    ),
    gaps=("What was not found", "Nothing was found about its present owner."),
    about="It stands 34 metres tall.: 34 metres / 31 metres",
    sides=("It stands 34 metres tall.", "height 31 metres"),
)
_CHINESE = _Case(
    question="赵州桥的净跨度是多少，何时修缮？",
    language="zh",
    texts=(BRIDGE, GAZETTEER),
    sources=(
        {
            "uri": "https://example.org/bridge",
            "title": "赵州桥",
            "authors": ("李四",),
            "published": "2020-03-01",
            "language": "zh",
        },
        {"uri": "file:///srv/papers/%E5%9C%B0%E6%96%B9%E5%BF%97.txt", "title": "地方志", "language": "zh"},
    ),
    answer="赵州桥的净跨度为37.02米。",
    prose=(
        ("赵州桥由工匠李春设计。", "由工匠李春设计"),
        ("1965年对该桥进行了全面修缮。", "1955年对该桥进行了全面修缮。"),
        ("桥身用石块砌成，经历过洪水与地震。", "桥身用石块砌成，历经多次洪水与地震。"),
        ("桥上曾设有收税的关卡。", "赵州桥建于隋代"),
    ),
    gaps=("未找到的内容", "未找到桥梁目前管理机构的信息。"),
    about="桥的净跨度为37.02米: 37.02米 / 37.4米",
    sides=("桥的净跨度为37.02米", "净跨度为37.4米"),
)


def english() -> Made:
    """Return a report as a model would have written it, checked and assembled by the real parts."""
    return _assembled(_ENGLISH)


def chinese() -> Made:
    """Return the same in Chinese."""
    return _assembled(_CHINESE)


def compared(language: str = "en") -> Made:
    """Return a report that says what changed since an earlier one: something of every kind."""
    made = english() if language == "en" else chinese()
    report = made.report
    first, second, third, *_ = report.claims
    older = replace(
        gist(report),
        run_id="r0",
        created_at="2025-12-25T08:00:00Z",
        claims=(
            *(Stated(text=claim.text, verdict=claim.verdict) for claim in report.claims[3:]),
            Stated(text=_other_values(first.text), verdict=first.verdict),
            Stated(text=second.text, verdict=Verdict.UNCHECKED),
            Stated(
                text="It *was* <b>painted</b> green." if language == "en" else "它曾是*绿色*的。", verdict=third.verdict
            ),
        ),
        sources=(
            replace(gist(report).sources[0], sha256="0" * 64),
            Cited(uri="https://gone.example/page", title="A page [gone]", sha256="1" * 64),
        ),
    )
    return Made(replace(report, changes=changes(older, report)), made.texts)


def _other_values(text: str) -> str:
    return re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), text)


def _assembled(case: _Case) -> Made:
    ledger = Ledger()
    sources = [
        ledger.admit(a_source(text, **{**fields, "marks": _marks(text)}), text)  # type: ignore[arg-type]  # fields by name
        for text, fields in zip(case.texts, case.sources, strict=True)
    ]
    main, body = sources[0], case.texts[0]

    def sentence(text: str, quote: str) -> DraftSentence:
        start = body.index(quote)
        return DraftSentence(text=text, excerpt_ids=(ledger.excerpt(main.id, start, start + len(quote)).id,))

    draft = Draft(
        answer=(sentence(case.answer, case.sides[0]),),
        sections=(
            DraftSection(title="", sentences=tuple(sentence(*pair) for pair in case.prose)),
            DraftSection(title=case.gaps[0], sentences=(DraftSentence(text=case.gaps[1], claims=False),)),
        ),
        written_by="a-model",
    )
    told = build_claims(draft, check_claims(sentences_of(draft), ledger))
    first, second = (
        ledger.citation(source.id, text.index(quote), text.index(quote) + len(quote))
        for source, text, quote in zip(sources, case.texts, case.sides, strict=True)
    )
    findings = Findings(told=told, contradictions=(Contradiction(about=case.about, sides=(first, second)),))
    ending = Ending(
        run_id="rtest1",
        question=Question(text=case.question, language=case.language),
        options=Options(model="a-model"),
        strategy=StrategyName.REACT,
        stop=StopReason.ANSWERED,
        at=AT,
        usage=Usage(
            model_calls=4,
            prompt_tokens=12_345,
            completion_tokens=678,
            cost_usd=0.0123,
            seconds=9.5,
            tool_calls={"search": 3},
        ),
        unread=("An unread page",),
        failed={"https://example.org/gone": "404"},
    )
    report = assemble(ending, ledger=ledger, draft=draft, findings=findings)
    return Made(report, {source.id: ledger.text(source.id) for source in sources})


def _marks(text: str) -> tuple[Mark, ...]:
    title = text.splitlines()[0].partition("。")[0][:20]
    marks = [Mark(start=0, label=f"page 1, heading: {title}")]
    found = (heading for heading in ("Automation", "修缮\n") if heading in text)
    marks.extend(Mark(start=text.index(h), label=f"page 3, heading: {title} › {h.strip()}") for h in found)
    return tuple(marks)
