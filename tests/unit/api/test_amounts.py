"""What a run sets aside of its tenant's day."""

from __future__ import annotations

import pytest

from leadline.api.amounts import bounded_by, wish_of, within
from leadline.domain import Budget, Options, Question
from leadline.ports import NewRun
from leadline.ports.admission import Admitted


def new(budget: Budget) -> NewRun:
    options = Options(budget=budget)
    return NewRun(id="r1", tenant="acme", question=Question(text="What?", language="en"), options=options, seed=1)


def test_limits_that_are_named_are_asked_for_and_the_others_are_only_usual() -> None:
    wish = wish_of(new(Budget(tokens=500, usd=2.0)), key="k", named=["steps", "tokens"])
    assert (wish.tokens, wish.usual_tokens) == (500, None)
    assert (wish.usd, wish.usual_usd) == (None, 2.0)
    assert (wish.id, wish.characters) == ("r1", 5)


def test_a_limit_that_nobody_has_set_is_open() -> None:
    wish = wish_of(new(Budget(usd=None)), key="k", named=())
    assert (wish.usd, wish.usual_usd) == (None, None)


@pytest.mark.parametrize(
    ("own", "admitted", "left"), [(None, None, None), (10, None, 10), (None, 5, 5), (10, 5, 5), (5, 10, 5)]
)
def test_no_more_is_used_than_was_set_aside(own: int | None, admitted: int | None, left: int | None) -> None:
    assert bounded_by(Budget(tokens=own), Admitted(tokens=admitted)).tokens == left


def test_a_run_keeps_its_other_limits() -> None:
    bounded = within(new(Budget(steps=3, tokens=500)), Admitted(tokens=100, usd=0.5)).options.budget
    assert (bounded.steps, bounded.tokens, bounded.usd) == (3, 100, 0.5)
