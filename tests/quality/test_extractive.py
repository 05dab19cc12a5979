"""Floors of the researcher without a model, on the corpus and questions of `examples/`.

The figures over public question sets are in docs/quality.md; these floors keep what they rest on
from breaking unseen. Lowering one is a decision, not a repair.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from leadline import Leadline, Report
from leadline.settings import load

EXAMPLES = Path(__file__).parents[2] / "examples"
FOUND = 16
"""Of the 17 questions that the corpus answers, those whose answer must stand in the report."""

SENTENCES = 8.0


def told(report: Report) -> str:
    """Return what a report says, as one text."""
    return " ".join([report.answer, *(s.text for section in report.sections for s in section.sentences)])


def holds(report: Report, row: dict[str, str | None]) -> bool:
    """Whether the answer's words and figures stand in the report."""
    parts = re.findall(r"\d[\d,.]*\d|[A-Za-z]{4,}|[\u4e00-\u9fff]{2,}", (row["answer"] or "").partition(";")[0])
    flat = told(report).replace(" ", "")
    telling = [p for part in parts for p in re.split("[和或]|两种说法不一", part) if len(p) > 1]
    return any(part in flat for part in telling)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, str | None], Report]]:
    """Research every question of the examples once."""
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return asyncio.run(research(rows, tmp_path_factory.mktemp("data")))


async def research(rows: list[dict[str, str | None]], data: Path) -> list[tuple[dict[str, str | None], Report]]:
    """Return each question with its report."""
    done = []
    async with Leadline(load(flags={"data_dir": str(data)})) as engine:
        corpus = await engine.corpus([EXAMPLES / "corpus"])
        for row in rows:
            run = await engine.start(row["question"] or "", options=engine.options(corpora=(corpus,)))
            done.append((row, await engine.result(run)))
    return done


def test_answers_stand_in_the_reports(reports: list[tuple[dict[str, str | None], Report]]) -> None:
    missed = [row["id"] for row, report in reports if row["answer"] and not holds(report, row)]
    asked = sum(1 for row, _ in reports if row["answer"])
    assert asked - len(missed) >= FOUND, missed


def test_what_the_corpus_cannot_answer_is_said(reports: list[tuple[dict[str, str | None], Report]]) -> None:
    for row, report in reports:
        if row["answer"] is None:
            assert report.stop_reason == "nothing_found", row["id"]
            assert not report.claims, row["id"]


def test_reports_are_short_and_every_quote_stands(
    reports: list[tuple[dict[str, str | None], Report]],
) -> None:
    lengths = [sum(len(section.sentences) for section in report.sections) for _, report in reports]
    assert sum(lengths) / len(lengths) <= SENTENCES
    for row, report in reports:
        question = row["question"] or ""
        assert question not in told(report), row["id"]
        for claim in report.claims:
            assert claim.citations, row["id"]
