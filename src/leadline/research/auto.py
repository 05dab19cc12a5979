"""What `auto` becomes: one rule a row, the first that fits; the reason is recorded with the run.

It goes by the model's window, the question's wording and the budget, all of which are known before
anything is asked of a model. `heavy` costs several times as much and is never chosen here.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from leadline.domain import Budget, Dialect, Length, Options, StrategyName

SMALL_WINDOW: Final = 12_000
"""Tokens below which a transcript is full after a few pages."""

MANY_STEPS: Final = 150
"""A step budget from which a transcript that only grows costs more than rounds of one size."""

PLAN_STEPS: Final = 20
PLAN_TOKENS: Final = 200_000
PLAN_SECONDS: Final = 300.0
"""The least budget that sub-questions, an outline and its sections need."""

_BROAD: Final = re.compile(
    r"\b(?:compar(?:e|es|ing|ison|isons|ative)|contrast|versus|vs\.?|survey|overview|review of|state of the art"
    r"|landscape|report on|pros and cons|advantages and disadvantages|trade-?offs?|similarities and differences"
    r"|differences? between|history of|in depth|comprehensive)(?!\w)",
    re.IGNORECASE,
)
_BROAD_HAN: Final = re.compile("比较|对比|异同|区别|综述|概述|调研|报告|现状|全景|优缺点|利弊|发展史|全面|深入分析")
_QUESTION_MARKS: Final = re.compile("[?？]")


class Choice(NamedTuple):
    """A strategy, and why it is the one."""

    strategy: StrategyName
    reason: str


def choose(question: str, options: Options) -> Choice:
    """Return what a run's strategy is: the one that was named, or what `auto` becomes."""
    if options.strategy is not StrategyName.AUTO:
        return Choice(options.strategy, "named")
    if not options.model:
        return Choice(StrategyName.EXTRACTIVE, "no model is set")
    if options.approve:
        return Choice(StrategyName.PLAN, "a person is to approve a plan")
    single = choose_single(options)
    broad = breadth(question, options)
    if single.strategy is StrategyName.REACT and broad and options.dialect is not Dialect.TONGYI:
        poor = poverty(options.budget)
        if not poor:
            return Choice(StrategyName.PLAN, broad)
        return Choice(StrategyName.REACT, f"{broad}, but {poor}")
    return single


def choose_single(options: Options) -> Choice:
    """Return how one researcher works by itself."""
    budget, window = options.budget, options.window
    if budget.steps is not None and budget.steps >= MANY_STEPS:
        return Choice(StrategyName.ITERRESEARCH, f"a budget of {budget.steps} steps")
    if 0 < window < SMALL_WINDOW:
        return Choice(StrategyName.RESUM, f"a small window of {window:,} tokens")
    return Choice(StrategyName.REACT, "one question that a single line of research can follow")


def breadth(question: str, options: Options) -> str:
    """Return why a question is broad, empty where it is not."""
    found = _BROAD.search(question) or _BROAD_HAN.search(question)
    if found:
        return f"a broad question (`{found[0].lower()}`)"
    if len(_QUESTION_MARKS.findall(question)) > 1:
        return "several questions in one"
    return "a long report" if options.length is Length.LONG else ""


def poverty(budget: Budget) -> str:
    """Return which limit is too small for a plan, empty where none is."""
    if budget.steps is not None and budget.steps < PLAN_STEPS:
        return f"only {budget.steps} steps"
    if budget.tokens is not None and budget.tokens < PLAN_TOKENS:
        return f"only {budget.tokens:,} tokens"
    if budget.seconds is not None and budget.seconds < PLAN_SECONDS:
        return f"only {budget.seconds:.0f} seconds"
    return ""
