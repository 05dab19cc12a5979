"""The word tier on claim-excerpt pairs: every wrong claim is caught, nearly every right one passes.

The first file was written before the thresholds were chosen, the second after; both are our own.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leadline.domain import DraftSentence, Source, Verdict, sha256, source_id
from leadline.research.evidence import Ledger
from leadline.research.verification.judge import open_for_judge
from leadline.research.verification.verify import Checked, check_claims

HERE = Path(__file__).parent
FILES = ["claim_pairs.jsonl", "claim_pairs_heldout.jsonl"]
# Figures of the present rules; lowering one needs a reason in the same change.
FLOOR_RIGHT = {"claim_pairs.jsonl": 0.96, "claim_pairs_heldout.jsonl": 1.0}
FLOOR_NAMED = {"claim_pairs.jsonl": 0.88, "claim_pairs_heldout.jsonl": 0.9}
# Of 515 wrong claims of claim_adversaries.jsonl, and of 267 right ones; what is still wrong is told in docs/quality.md.
MOST_PASSED, MOST_PASSED_BY_VALUE = 109, 65
LEAST_RIGHT, MOST_RIGHT_REFUTED = 225, 4

pytestmark = pytest.mark.quality


def rows(name: str) -> list[dict[str, Any]]:
    text = (HERE / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def admitted(ledger: Ledger, text: str) -> str:
    """Admit a text and return the id of the excerpt that is all of it."""
    digest = sha256(text.encode())
    source = Source(
        id=source_id(digest),
        uri="document:pairs/1",
        sha256=digest,
        raw_sha256=digest,
        extractor="text/1",
        content_type="text/plain",
        chars=len(text),
    )
    ledger.admit(source, text)
    return ledger.excerpt(source.id, 0, len(text)).id


def check(row: dict[str, Any]) -> Checked:
    ledger = Ledger()
    excerpt = admitted(ledger, row["evidence"])
    sentence = DraftSentence(text=row["claim"], excerpt_ids=(excerpt,))
    return check_claims([sentence], ledger)[0]


def test_the_pairs_are_many_and_of_every_kind() -> None:
    first = rows("claim_pairs.jsonl")
    assert len(first) >= 120
    assert len(rows("claim_pairs_heldout.jsonl")) >= 40
    languages = Counter(row["language"] for row in first)
    assert abs(languages["en"] - languages["zh"]) <= len(first) // 10
    faults = Counter(row["fault"] for row in first)
    for fault in ("number", "date", "name", "negation", "unit"):
        assert faults[fault] >= 10, fault


@pytest.mark.parametrize("name", FILES)
def test_every_wrong_claim_is_caught(name: str) -> None:
    passed = [
        row["claim"] for row in rows(name) if row["label"] != "supported" and check(row).verdict is Verdict.SUPPORTED
    ]
    assert passed == []


@pytest.mark.parametrize("name", FILES)
def test_right_claims_pass(name: str) -> None:
    right = [row for row in rows(name) if row["label"] == "supported"]
    passed = sum(check(row).verdict is Verdict.SUPPORTED for row in right)
    assert passed / len(right) >= FLOOR_RIGHT[name]


@pytest.mark.parametrize("name", FILES)
def test_a_fault_is_mostly_called_what_it_is(name: str) -> None:
    wrong = [row for row in rows(name) if row["label"] != "supported"]
    named = sum(check(row).verdict == row["label"] for row in wrong)
    assert named / len(wrong) >= FLOOR_NAMED[name]


@pytest.mark.parametrize("name", FILES)
def test_every_wrong_claim_says_why(name: str) -> None:
    for row in rows(name):
        checked = check(row)
        if checked.verdict is not Verdict.SUPPORTED:
            assert checked.checks.reasons, row["claim"]


@pytest.fixture(scope="module")
def adversaries() -> list[tuple[dict[str, Any], Checked]]:
    """Close to their evidence: wrong ones of its own words, right ones in others."""
    return [(row, check(row)) for row in rows("claim_adversaries.jsonl")]


def test_next_to_no_wrong_claim_of_the_evidences_own_words_is_supported(
    adversaries: list[tuple[dict[str, Any], Checked]],
) -> None:
    wrong = [checked for row, checked in adversaries if not row["right"]]
    passed = [checked for checked in wrong if checked.verdict is Verdict.SUPPORTED]
    by_value = [checked for checked in passed if checked.checks.decided_by == "values"]
    assert len(wrong) >= 500
    assert len(passed) <= MOST_PASSED
    assert len(by_value) <= MOST_PASSED_BY_VALUE


def test_right_claims_in_other_words_are_seldom_held_against(
    adversaries: list[tuple[dict[str, Any], Checked]],
) -> None:
    right = Counter(checked.verdict for row, checked in adversaries if row["right"])
    assert right.total() >= 200
    assert right[Verdict.SUPPORTED] >= LEAST_RIGHT
    assert right[Verdict.CONTRADICTED] <= MOST_RIGHT_REFUTED


def test_a_judge_that_agrees_to_everything_changes_no_contradiction(
    adversaries: list[tuple[dict[str, Any], Checked]],
) -> None:
    refuted = [checked for _, checked in adversaries if checked.verdict is Verdict.CONTRADICTED]
    assert len(refuted) > 100
    assert open_for_judge(refuted) == ()


def test_claims_that_name_no_excerpt_find_theirs_among_all() -> None:
    every = [row for name in FILES for row in rows(name)]
    ledger = Ledger()
    for row in every:
        admitted(ledger, row["evidence"])
    checked = check_claims([DraftSentence(text=row["claim"]) for row in every], ledger)
    verdicts = Counter((row["label"] == "supported", one.verdict) for row, one in zip(every, checked, strict=True))
    assert verdicts[False, Verdict.SUPPORTED] == 0
    right = sum(count for (label, _), count in verdicts.items() if label)
    assert verdicts[True, Verdict.SUPPORTED] / right >= 0.95
