from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

QUESTIONS = (
    {"id": "sunk", "question": "When did the Orlova sink?", "answers": ["the year 2013", "2013"]},
    {"id": "built", "question": "Where was the Orlova built?", "answer": "Yugoslavia"},
    {"id": "桥", "question": "赵州桥由谁设计？", "answers": ["李春"]},
    {"id": "none", "question": "What is the boiling point of gallium?", "answer": None},
)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS), encoding="utf-8")
    return path


def test_variants_are_scored_compared_and_gone_on_with(
    leadline: Any, documents: Path, questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    order = ("eval", str(questions), "--out", str(out), "--docs", str(documents))
    first = leadline(*order, "--strategies", "extractive")
    assert first.returncode == 0, first.stderr
    assert "| extractive | 4 | 1.000 (1.00 to 1.00) |" in first.stdout

    # A variant is added, and a torn line of a killed process is asked again; the rest is not.
    file = out / "extractive.1.jsonl"
    rows = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(rows[:3]) + rows[3][:50])
    again = leadline(*order, "--strategies", "extractive,auto", "--repeat", "1")
    assert again.returncode == 0, again.stderr
    assert file.read_bytes().splitlines(keepends=True)[:3] == rows[:3]
    assert len(file.read_bytes().splitlines()) == 4

    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["schema"] == "leadline.evaluation/1"
    assert [each["variant"] for each in summary["results"]] == ["extractive", "auto"]
    assert summary["results"][1]["values"]["right"] == {"sunk": 1.0, "built": 1.0, "桥": 1.0, "none": 1.0}
    [right] = [each for each in summary["comparisons"] if each["measure"] == "right"]
    assert (right["difference"]["value"], right["difference"]["p"]) == (0.0, 1.0)
    assert (out / "summary.md").read_text("utf-8") == again.stdout


def test_wishes_are_those_of_every_run(leadline: Any, documents: Path, questions: Path, tmp_path: Path) -> None:
    out, wishes = tmp_path / "results", tmp_path / "wishes.txt"
    wishes.write_text("For sailors.", encoding="utf-8")
    order = ("eval", str(questions), "--out", str(out), "--docs", str(documents), "--strategies", "extractive")
    done = leadline(*order, "--instructions", str(wishes), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (out / "extractive.1.jsonl").read_bytes().splitlines()]
    assert {row["language"] for row in rows} == {"zh"}
    missing = leadline(*order, "--schema", str(tmp_path / "none.json"))
    assert (missing.returncode, "cannot read" in missing.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--strategies", "guess"), "no such strategy: guess"),
        (("--strategies", ","), "names none"),
        (("--baseline", "react"), "no such variant: react; there are auto"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    leadline: Any, questions: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    refused = leadline("eval", str(questions), "--out", str(tmp_path / "results"), "--docs", str(tmp_path), *more)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_wrong_expectation_names_its_line(leadline: Any, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"id": 1, "question": "A?"}\n{"id": 2, "question": "B?", "answers": "one"}\n', encoding="utf-8")
    refused = leadline("eval", str(path), "--out", str(tmp_path / "results"), "--docs", str(tmp_path))
    assert refused.returncode == 2
    assert "line 2: `answers` must be a list of texts" in refused.stderr
