"""What is asked, made whole before a run begins: options, prices, the model's window."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, Final

from leadline.domain import Budget, Dialect, Length, Options, Policy, StrategyName
from leadline.errors import InputError, PriceUnknown, SettingsError
from leadline.research.pipeline import resolved
from leadline.settings import Settings
from leadline.wiring import Models

LONGEST_QUESTION: Final = 100_000
"""Characters of a question; longer material belongs into a document."""

DEFAULT_WINDOW: Final = Options().window
"""Tokens of a model's window where neither settings nor servers tell it."""

ASK: Final = 0
"""A window that the model's servers are asked for when the run begins."""

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def options_of(settings: Settings, overrides: Mapping[str, Any]) -> Options:
    """Return a run's options: those of the settings, with `overrides` by field name of `Options`.

    Raises `InputError` for a name that is none.
    """
    model, judge, budget = settings.model, settings.judge, settings.budget
    known = {item.name for item in fields(Options)}
    wrong = sorted(set(overrides) - known)
    if wrong:
        raise InputError(f"no such option: {wrong[0]}; there are {', '.join(sorted(known))}")
    has_model = bool(model.urls and model.name)
    judged = {"off": None, "main": model.name if has_model else None, "own": judge.name}[judge.use]
    return replace(
        Options(
            policy=Policy(settings.policy),
            length=Length(settings.length),
            budget=Budget(steps=budget.steps, tokens=budget.tokens, seconds=budget.seconds, usd=budget.usd),
            model=model.name if has_model else None,
            judge=judged,
            dialect=Dialect(model.dialect),
            temperature=model.temperature,
            top_p=model.top_p,
            max_tokens=model.max_tokens,
            window=model.context or ASK,
        ),
        **overrides,
    )


def checked(options: Options, settings: Settings, models: Models) -> Options:
    """Return the options with the models' prices.

    Raises `SettingsError` for a strategy without its model, `InputError` for what is no address
    or date, `PriceUnknown`.
    """
    _check_reach(options)
    if options.strategy is StrategyName.REACT and not options.model:
        raise SettingsError(
            "the strategy `react` needs a model: set LEADLINE_MODEL__URLS and LEADLINE_MODEL__NAME, "
            "or run `leadline init`"
        )
    priced = replace(options, price=models.price(options.model), judge_price=models.price(options.judge))
    if options.budget.usd is None or resolved(options) is StrategyName.EXTRACTIVE:
        return priced
    judge_is_free = settings.judge.free or (settings.judge.use == "main" and settings.model.free)
    wanted = (
        (options.model, priced.price, settings.model.free),
        (options.judge, priced.judge_price, judge_is_free),
    )
    unknown = [name for name, price, free in wanted if name and price is None and not free]
    if unknown:
        raise PriceUnknown(
            f"a money budget is set, but `{unknown[0]}` has no price; name a price file (LEADLINE_PRICES), "
            "or say that it costs nothing (LEADLINE_MODEL__FREE=true)"
        )
    return priced


def _check_reach(options: Options) -> None:
    """Refuse addresses that lie on no web and dates that are none."""
    for url in options.urls:
        if not url.lower().startswith(("http://", "https://")) or url != url.strip():
            raise InputError(f"not an address of the web: {url[:200]!r}; it begins with http:// or https://")
    for site in (*options.sites, *options.exclude):
        if not site.strip() or "/" in site or ":" in site:
            raise InputError(f"not the name of a site: {site[:200]!r}; give it as example.org")
    if options.since is not None:
        try:
            date.fromisoformat(options.since)
        except ValueError as error:
            raise InputError(f"not a date: {options.since[:40]!r}; give it as 2024-05-31") from error


async def with_window(options: Options, settings: Settings, models: Models) -> Options:
    """Return the options with the model's window, asked of its servers where it is not known.

    An answer gets at most half of a window that was asked for. Raises `SettingsError` where a
    window that was given leaves no room for a prompt.
    """
    if options.window == ASK:
        known = await models.window() if options.model and options.model == settings.model.name else None
        window = known or DEFAULT_WINDOW
        return replace(options, window=window, max_tokens=min(options.max_tokens, window // 2))
    if options.model and options.max_tokens >= options.window:
        raise SettingsError(
            f"an answer may have {options.max_tokens} tokens, but the model's window has only {options.window}: "
            "no room is left for a prompt"
        )
    return options


def checked_question(text: str) -> str:
    """Return a question without surrounding blanks. Raises `InputError` where it is empty or too long."""
    question = text.strip()
    if not question:
        raise InputError("the question is empty")
    if len(question) > LONGEST_QUESTION:
        raise InputError(
            f"the question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are taken: "
            "put long material into a document and name it with --docs"
        )
    return question


def new_run_id(now: float) -> str:
    """Return a run id that sorts by time: `r`, seconds in base 36, 40 random bits."""
    seconds, text = int(now), ""
    while seconds:
        seconds, rest = divmod(seconds, 36)
        text = _DIGITS[rest] + text
    return f"r{text}{secrets.token_hex(5)}"
