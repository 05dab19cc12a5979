"""Estimates without a tokenizer."""

from __future__ import annotations

import pytest

from leadline.domain import Message, ModelRequest, ToolCall, ToolSpec
from leadline.model.tokens import TokenEstimator, guess_messages, guess_request, guess_tokens

ENGLISH = "The lead line is a marked and weighted rope. " * 20
CHINESE = "测深锤是一条带有标记的绳索，船只用它来测量水深。" * 20


def test_scripts_weigh_what_they_do_in_byte_pair_vocabularies() -> None:
    assert guess_tokens(ENGLISH) / len(ENGLISH) == pytest.approx(0.25)
    assert 0.5 < guess_tokens(CHINESE) / len(CHINESE) < 0.9
    assert 0.3 < guess_tokens("Привет, мир") / len("Привет, мир") < 0.6
    assert guess_tokens("") == 0
    assert guess_tokens("\ud800") > 0


def test_a_request_counts_messages_calls_tools_and_schema() -> None:
    bare = (Message(role="user", content=ENGLISH),)
    calling = (Message(role="assistant", content=ENGLISH, tool_calls=(ToolCall(name="x", arguments={"a": "b" * 99}),)),)
    assert guess_messages(calling) > guess_messages(bare)
    plain = ModelRequest(messages=bare, model="m")
    tool = ToolSpec(name="x", description="d" * 100, parameters={"type": "object"})
    full = ModelRequest(messages=bare, model="m", tools=(tool,), schema={"type": "object"})
    assert guess_request(full) > guess_request(plain) > guess_tokens(ENGLISH)


def test_the_factor_is_learnt_for_each_model() -> None:
    estimator = TokenEstimator()
    estimator.learn(100.0, 150, model="a")
    assert estimator.factor("a") == pytest.approx(1.5)
    assert estimator.factor("b") == 1.0
    for _ in range(30):
        estimator.learn(100.0, 80, model="a")
    assert estimator.factor("a") == pytest.approx(0.8, rel=0.01)
    assert estimator.text(ENGLISH, model="a") == pytest.approx(guess_tokens(ENGLISH) * 0.8, rel=0.01)


@pytest.mark.parametrize(("guess", "tokens"), [(5.0, 40), (100.0, 0), (100.0, -3), (100.0, 10_000), (1000.0, 10)])
def test_short_texts_and_absurd_counts_teach_nothing(guess: float, tokens: int) -> None:
    estimator = TokenEstimator()
    estimator.learn(guess, tokens, model="a")
    assert estimator.factor("a") == 1.0
