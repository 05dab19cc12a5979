"""What a run sets aside of its tenant's day, and what it may use of it in the end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from leadline.domain import Budget
from leadline.ports import NewRun
from leadline.ports.admission import Admitted, Wanted, Wish

N = TypeVar("N", int, float)


def wish_of(new: NewRun, *, key: str, named: Collection[str]) -> Wish:
    """Return what is to be let in for a run whose asker named these limits of its budget, by field name.

    Those are wanted as they are; the others come from the settings, and less of them will do.
    """
    budget = new.options.budget
    asked_tokens, asked_usd = "tokens" in named, "usd" in named
    return Wish(
        tenant=new.tenant,
        key=key,
        wanted=Wanted.RUN,
        id=new.id,
        characters=len(new.question.text),
        tokens=budget.tokens if asked_tokens else None,
        usd=budget.usd if asked_usd else None,
        usual_tokens=None if asked_tokens else budget.tokens,
        usual_usd=None if asked_usd else budget.usd,
    )


def within(new: NewRun, admitted: Admitted) -> NewRun:
    """Return the run with a budget of no more than what was set aside."""
    return replace(new, options=replace(new.options, budget=bounded_by(new.options.budget, admitted)))


def bounded_by(budget: Budget, admitted: Admitted) -> Budget:
    """Return the stricter of a budget and what was set aside."""
    return replace(budget, tokens=_least(budget.tokens, admitted.tokens), usd=_least(budget.usd, admitted.usd))


def _least(one: N | None, other: N | None) -> N | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
