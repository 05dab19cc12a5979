from __future__ import annotations

from typing import Any

import pytest
from tests.support.reports import english

from leadline.domain import Checks, Citation, Claim, Json, Verdict
from leadline.research.evidence import Ledger
from leadline.research.structured import fitting, leaves, stand

SAID = "The third lighthouse, of 1,493 blocks of granite, was lit on 16 October 1759 by John Smeaton at a cost of 45%."


def claim(text: str = SAID, verdict: Verdict = Verdict.SUPPORTED, quote: str = "") -> Claim:
    citations = (Citation(source_id="s", quote=quote, start=0, end=len(quote)),) if quote else ()
    checks = Checks(decided_by="words", bound_by="writer")
    return Claim(id=f"c-{verdict}", text=text, verdict=verdict, checks=checks, citations=citations)


def verdict_of(value: Json, *claims: Claim) -> Verdict:
    [found] = stand({"it": value}, claims or (claim(),), Ledger())
    assert found.path == "/it"
    assert bool(found.claim_ids) == (found.verdict is Verdict.SUPPORTED)
    return found.verdict


@pytest.mark.parametrize(
    "value",
    [1493, 1493.0, 1759, 45, 0.45, "1759-10-16", "16 October 1759", "John Smeaton", "john  smeaton", "GRANITE", "1759"],
)
def test_what_a_supported_claim_says_is_supported(value: Json) -> None:
    assert verdict_of(value) is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "value", [1494, 1758, -1493, "1759-10-17", "John Smeatons", "Jane Smeaton", True, False, "no", "a", "unknown", "an"]
)
def test_what_no_claim_says_is_unchecked(value: Json) -> None:
    assert verdict_of(value) is Verdict.UNCHECKED


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.SUPPORTED])
def test_claims_that_do_not_stand_support_nothing(verdict: Verdict) -> None:
    assert verdict_of("John Smeaton", claim(verdict=verdict)) is Verdict.UNCHECKED


def test_the_evidence_of_a_claim_counts_as_its_words() -> None:
    assert verdict_of("约翰·斯密顿", claim("It was built.", quote="灯塔由约翰·斯密顿建造")) is Verdict.SUPPORTED


def test_nothing_is_said_of_what_is_empty() -> None:
    assert stand({"a": None, "b": "", "c": [], "d": {}}, [claim()], Ledger()) == ()


def test_values_are_named_by_pointer() -> None:
    value: Json = {"a/b": [{"~": 1}, "x"], "": {"c": False}}
    assert [leaf.path for leaf in leaves(value)] == ["/a~1b/0/~0", "/a~1b/1", "//c"]


def test_a_very_long_answer_is_looked_at_up_to_a_limit() -> None:
    values = stand([1493] * 500, [claim()], Ledger())
    assert len(values) == 500
    assert {v.verdict for v in values[:400]} == {Verdict.SUPPORTED}
    assert {v.verdict for v in values[400:]} == {Verdict.UNCHECKED}


def test_a_sentence_is_checked_like_any_claim() -> None:
    made = english()
    supported = next(c for c in made.report.claims if c.verdict is Verdict.SUPPORTED)
    ledger = Ledger()
    for source in made.report.sources:
        ledger.admit(source, made.texts[source.id])
    [found] = stand([f"{supported.citations[0].quote}"], [], ledger)
    assert found.verdict is Verdict.SUPPORTED
    [found] = stand(["The reef was dissolved by a committee of seven penguins in 1923."], [], ledger)
    assert found.verdict is not Verdict.SUPPORTED


def test_what_does_not_fit_is_told_in_words() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    assert fitting({"year": 3}, schema=schema) == {"year": 3}
    with pytest.raises(ValueError, match="`year` is missing"):
        fitting({}, schema=schema)
    with pytest.raises(ValueError, match="must be an integer"):
        fitting({"year": "x"}, schema=schema)
