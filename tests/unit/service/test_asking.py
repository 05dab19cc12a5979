"""A request's options, and what is left of a budget."""

from __future__ import annotations

import pytest

from leadline.domain import Budget, Length, Policy, StrategyName
from leadline.service.asking import budget_of, limits_named, overrides_of
from leadline.service.shapes import BudgetTaken, ResearchTaken


def test_what_is_left_out_stays_as_it_is_set() -> None:
    assert overrides_of(ResearchTaken(question="q")) == {
        "strategy": StrategyName.AUTO,
        "web": True,
        "approve": False,
        "clarify": False,
        "urls": (),
        "sites": (),
        "exclude": (),
    }


def test_everything_that_is_named_arrives() -> None:
    taken = ResearchTaken(
        question="q", strategy="heavy", policy="drop", length="long", json_schema={"type": "object"}, researchers=4
    )
    made = overrides_of(taken)
    assert (made["strategy"], made["policy"], made["length"]) == (StrategyName.HEAVY, Policy.DROP, Length.LONG)
    assert (made["schema"], made["researchers"]) == ({"type": "object"}, 4)


@pytest.mark.parametrize(
    ("fields", "web"),
    [
        ({}, True),
        ({"corpora": ["c1"]}, False),
        ({"urls": ["https://a.test/"]}, False),
        ({"corpora": ["c1"], "web": True}, True),
        ({"web": False}, False),
    ],
)
def test_the_web_is_searched_unless_something_else_is_named(fields: dict[str, object], web: bool) -> None:
    assert overrides_of(ResearchTaken.model_validate({"question": "q", **fields}))["web"] is web


def test_a_budget_is_what_the_request_names_over_what_is_set() -> None:
    taken = ResearchTaken(question="q", budget=BudgetTaken(tokens=5_000, usd=0.5))
    assert budget_of(taken, Budget(steps=7)) == Budget(steps=7, tokens=5_000, seconds=1_800.0, usd=0.5)
    assert limits_named(taken) == {"tokens": 5_000, "usd": 0.5}
