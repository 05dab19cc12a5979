"""A request's options, and what is left of a budget."""

from __future__ import annotations

import pytest

from leadline.domain import Budget, Length, Policy, StrategyName
from leadline.ports.admission import Admitted
from leadline.service.asking import budget_of, overrides_of, within
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


@pytest.mark.parametrize(
    ("own", "admitted", "left"), [(None, None, None), (10, None, 10), (None, 5, 5), (10, 5, 5), (5, 10, 5)]
)
def test_no_more_is_used_than_was_set_aside(own: int | None, admitted: int | None, left: int | None) -> None:
    budget = Budget(tokens=own, usd=None)
    assert within(budget, Admitted(tokens=admitted)).tokens == left
