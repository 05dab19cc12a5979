from __future__ import annotations

from dataclasses import replace

import pytest

from leadline.domain import Budget, Dialect, Length, Options, StrategyName
from leadline.research.auto import choose

MODEL = Options(model="m")
NARROW = "When was the first lighthouse on the Eddystone lit?"
BROAD = "Compare the first and the third lighthouse on the Eddystone"

AUTO, PLAN, REACT = StrategyName.AUTO, StrategyName.PLAN, StrategyName.REACT
RESUM, ITER, EXTRACTIVE = StrategyName.RESUM, StrategyName.ITERRESEARCH, StrategyName.EXTRACTIVE


def steps(count: int | None) -> Budget:
    return Budget(steps=count)


CASES = [
    # no model: nothing else matters
    (NARROW, Options(), EXTRACTIVE, "no model is set"),
    (BROAD, Options(), EXTRACTIVE, "no model is set"),
    # one line of research
    (NARROW, MODEL, REACT, "one question that a single line of research can follow"),
    ("埃迪斯通灯塔何时点亮？", MODEL, REACT, "one question that a single line of research can follow"),
    # small windows, at the border and beyond; a window that is not known yet is not small
    (NARROW, replace(MODEL, window=11_999), RESUM, "a small window of 11,999 tokens"),
    (NARROW, replace(MODEL, window=12_000), REACT, "one question"),
    (NARROW, replace(MODEL, window=0), REACT, "one question"),
    (BROAD, replace(MODEL, window=8_000), RESUM, "a small window"),
    # very large step budgets
    (NARROW, replace(MODEL, budget=steps(150)), ITER, "a budget of 150 steps"),
    (NARROW, replace(MODEL, budget=steps(149)), REACT, "one question"),
    (NARROW, replace(MODEL, budget=steps(None)), REACT, "one question"),
    (NARROW, replace(MODEL, budget=steps(400), window=8_000), ITER, "a budget of 400 steps"),
    # broad questions
    (BROAD, MODEL, PLAN, "a broad question (`compare`)"),
    ("Redis vs. Valkey for queues", MODEL, PLAN, "a broad question (`vs.`)"),
    ("A survey of lighthouse lamps", MODEL, PLAN, "a broad question (`survey`)"),
    ("Write a report on oak in lighthouses", MODEL, PLAN, "a broad question (`report on`)"),
    ("What are the pros and cons of granite?", MODEL, PLAN, "a broad question (`pros and cons`)"),
    ("What is the difference between oak and granite?", MODEL, PLAN, "a broad question (`difference between`)"),
    ("对比第一座与第三座灯塔", MODEL, PLAN, "a broad question (`对比`)"),
    ("Who built it? Of what?", MODEL, PLAN, "several questions in one"),
    (NARROW, replace(MODEL, length=Length.LONG), PLAN, "a long report"),
    # words that only look like it
    ("What did the surveyor write about the comparator?", MODEL, REACT, "one question"),
    ("Who is the reporter?", MODEL, REACT, "one question"),
    # a broad question and too small a budget
    (BROAD, replace(MODEL, budget=steps(19)), REACT, "a broad question (`compare`), but only 19 steps"),
    (BROAD, replace(MODEL, budget=Budget(tokens=150_000)), REACT, "but only 150,000 tokens"),
    (BROAD, replace(MODEL, budget=Budget(seconds=60.0)), REACT, "but only 60 seconds"),
    # a model that was trained for one format
    (BROAD, replace(MODEL, dialect=Dialect.TONGYI), REACT, "one question"),
    # a person wants a plan
    (NARROW, replace(MODEL, approve=True), PLAN, "a person is to approve a plan"),
    # what was named is taken, heavy only so
    (BROAD, replace(MODEL, strategy=StrategyName.HEAVY), StrategyName.HEAVY, "named"),
    (NARROW, replace(MODEL, strategy=EXTRACTIVE), EXTRACTIVE, "named"),
]


@pytest.mark.parametrize(("question", "options", "strategy", "reason"), CASES)
def test_auto_chooses_by_a_table(question: str, options: Options, strategy: StrategyName, reason: str) -> None:
    choice = choose(question, options)
    assert choice.strategy is strategy
    assert reason in choice.reason


def test_heavy_is_never_chosen() -> None:
    chosen = {choose(question, options).strategy for question, options, _, _ in CASES if options.strategy is AUTO}
    assert chosen == {EXTRACTIVE, REACT, RESUM, ITER, PLAN}


def test_what_was_chosen_stays_chosen() -> None:
    """A resumed run, whose strategy is recorded, comes to the same whatever the rules are then."""
    for question, options, _, _ in CASES:
        chosen = choose(question, options).strategy
        assert choose("another question", replace(options, strategy=chosen)).strategy is chosen
