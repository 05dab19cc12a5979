from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.api.scoring import MEASURES, Expected, f1, score, stands


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Marie Curie", "It was Marie Curie, in Paris."),
        ("the Seine", "The river Seine runs there."),
        ("5 March 2024", "It opened on 2024-03-05."),
        ("2024年3月5日", "It opened on March 5, 2024."),
        ("120 million", "总投资1.2亿。"),
        ("1,169", "The folder has 1169 files."),
        ("10.9 km", "a depth of 10,900 m"),
        ("1960", "The dive of 23 January 1960 took five hours."),
        ("故宫", "他参观了北京故宫博物院。"),
        ("臺灣", "在台湾举行"),
    ],
)
def test_an_answer_stands_by_words_or_by_value(answer: str, text: str) -> None:
    assert stands(answer, text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Marie Curie", "It was Pierre Curie and Marie."),
        ("5 March 2024", "It opened in 2024."),
        ("5", "There were 15 of them."),
        ("10 km", "10 miles"),
        ("cat", "concatenation"),
        ("", "anything"),
        ("!?", "anything!?"),
    ],
)
def test_another_answer_does_not_stand(answer: str, text: str) -> None:
    assert not stands(answer, text)


def test_f1_counts_shared_words() -> None:
    assert f1("Marie Curie", "Marie Curie") == 1.0
    assert f1("Marie Curie", "the Pierre Curie") == pytest.approx(0.5)
    assert f1("Marie Curie", "") == 0.0
    assert f1("故宫博物院", "故宫") == pytest.approx(2 / 5)


@given(st.text(max_size=40), st.text(max_size=40))
def test_measures_stay_in_bounds(answer: str, text: str) -> None:
    assert 0.0 <= f1(answer, text) <= 1.0
    assert stands(answer, text) in {True, False}


def _report(**changes: Any) -> dict[str, Any]:
    return {
        "answer": "The Trieste dived on 23 January 1960.",
        "claims": [
            {"text": "The Trieste dived on 23 January 1960.", "verdict": "supported", "citations": [{}]},
            {"text": "Don Walsh was aboard.", "verdict": "unsupported", "citations": []},
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "cost_usd": 0.5, "seconds": 3, "tool_calls": {"a": 2}},
        "stop_reason": "answered",
    } | changes


def test_a_report_is_measured() -> None:
    found = score(_report(), Expected(answers=("Don Walsh",)))
    assert found.measures == {
        "failed": 0.0,
        "silent": 0.0,
        "right": 1.0,
        "answered": 0.0,
        "f1": 0.0,
        "supported": 0.5,
        "contradicted": 0.0,
        "cited": 0.5,
        "tokens": 120.0,
        "cost_usd": 0.5,
        "seconds": 3.0,
        "tool_calls": 2.0,
    }
    assert found.verdicts == {"supported": 1, "unsupported": 1}
    assert set(found.measures) == set(MEASURES)


def test_silence_is_right_only_where_nothing_can_be_said() -> None:
    nothing = _report(answer="", claims=[], stop_reason="nothing_found")
    assert score(nothing, Expected(answerable=False)).measures["right"] == 1.0
    assert score(nothing, Expected(answers=("1960",))).measures["right"] == 0.0
    assert score(_report(), Expected(answerable=False)).measures["right"] == 0.0
    assert "right" not in score(_report(), Expected()).measures


def test_a_failed_run_counts_as_wrong() -> None:
    failed = score({"error": {"code": "model_timeout", "message": "..."}}, Expected(answers=("1960",)))
    assert (failed.measures, failed.stop) == ({"right": 0.0, "failed": 1.0}, "model_timeout")
