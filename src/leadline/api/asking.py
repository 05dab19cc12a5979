"""What is asked, made whole before a run begins: options, prices, the model's window."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any, Final

from leadline.codec import encode
from leadline.domain import Budget, Dialect, Json, Length, Options, Policy, StrategyName, ToolSpec
from leadline.errors import InputError, PriceUnknown, SettingsError
from leadline.research.auto import choose
from leadline.research.planning import MOST_STEPS
from leadline.research.wishes import LONGEST_WISHES
from leadline.settings import Settings
from leadline.text.schema import inlined, refuse_unknown
from leadline.wiring import Models

LONGEST_QUESTION: Final = 100_000
"""Characters of a question; longer material belongs into a document."""

DEFAULT_WINDOW: Final = Options().window
"""Tokens of a model's window where neither settings nor servers tell it."""

LARGEST_SCHEMA: Final = 32_000
"""Bytes of a JSON schema; it stands in a prompt."""

ASK: Final = 0
"""A window that the model's servers are asked for when the run begins."""

_WITHOUT_MODEL: Final = frozenset({StrategyName.AUTO, StrategyName.EXTRACTIVE})
_PLANNING: Final = frozenset({StrategyName.AUTO, StrategyName.PLAN, StrategyName.HEAVY})
_SIDE_BY_SIDE: Final = frozenset({StrategyName.PLAN, StrategyName.HEAVY})
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def options_of(settings: Settings, overrides: Mapping[str, Any], *, can_compute: bool) -> Options:
    """Return a run's options: those of the settings, with `overrides` by field name of `Options`.

    With a model, and where a sandbox may be had (`can_compute`), there is the Python tool; with the
    web there is the tool for scholarly works. Raises `InputError` for a name that is none.
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
            python=has_model and can_compute and overrides.get("strategy") is not StrategyName.EXTRACTIVE,
            keeps_state=settings.python.keeps_state,
            scholar=bool(overrides.get("web") and settings.scholar.providers),
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
    _check_model(options)
    options = replace(options, schema=checked_schema(options.schema), instructions=_wishes(options.instructions))
    priced = replace(options, price=models.price(options.model), judge_price=models.price(options.judge))
    if options.budget.usd is None or options.strategy is StrategyName.EXTRACTIVE or not options.model:
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


def check_tools(options: Options, *, can_compute: bool) -> None:
    """Raise `SettingsError` where programs are wanted and no sandbox can be had."""
    if options.python and not can_compute:
        raise SettingsError(
            "the Python tool is wanted, but no sandbox can be had here: see `leadline sandbox check`, and "
            "LEADLINE_SANDBOX; without the tool: `--no-python`"
        )


def with_external(options: Options, tools: Sequence[ToolSpec]) -> Options:
    """Return the options with tools of other servers. Raises `SettingsError` where no model could call them."""
    if not options.model or options.strategy is StrategyName.EXTRACTIVE:
        raise SettingsError("tools of other servers need a strategy with a model: set LEADLINE_MODEL__URLS")
    return replace(options, external=tuple(tools))


def _check_model(options: Options) -> None:
    """Refuse what needs a model where none is set, and what needs a plan where none is made."""
    needs = [
        what
        for what, wanted in (
            (f"the strategy `{options.strategy}`", options.strategy not in _WITHOUT_MODEL),
            ("an answer by a JSON schema", options.schema is not None),
            ("a question back", options.clarify),
            ("a plan to approve", options.approve),
        )
        if wanted
    ]
    if needs and not options.model:
        raise SettingsError(
            f"{needs[0]} needs a model: set LEADLINE_MODEL__URLS and LEADLINE_MODEL__NAME, or run `leadline init`"
        )
    if needs[-1:] and options.strategy is StrategyName.EXTRACTIVE:
        raise InputError(f"{needs[-1]} needs a strategy with a model; `extractive` uses none")
    if options.approve and options.strategy not in _PLANNING:
        raise InputError(f"the strategy `{options.strategy}` makes no plan to approve; `plan` and `heavy` do")
    if not 2 <= options.researchers <= MOST_STEPS:
        raise InputError(f"{options.researchers} researchers: from 2 to {MOST_STEPS} can work side by side")


def checked_schema(schema: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """Return a JSON schema with its own definitions in their places.

    Raises `InputError` for one that is too large or that cannot be checked exactly.
    """
    if schema is None:
        return None
    try:
        whole = inlined(schema)
        refuse_unknown(whole)
    except ValueError as error:
        raise InputError(f"the answer's JSON schema: {error}") from error
    if len(encode(whole)) > LARGEST_SCHEMA:
        raise InputError(f"the answer's JSON schema has more than {LARGEST_SCHEMA:,} bytes")
    return whole


def _wishes(instructions: str | None) -> str | None:
    if instructions is not None and len(instructions) > LONGEST_WISHES:
        raise InputError(
            f"the instructions have {len(instructions):,} characters; at most {LONGEST_WISHES:,} are taken"
        )
    return (instructions or "").strip() or None


def decided(options: Options, question: str) -> Options:
    """Return the options with the strategy that `auto` becomes for this question, and why.

    Parts that work side by side share no interpreter: its names would depend on which of them is first.
    """
    strategy, reason = choose(question, options)
    keeps_state = options.keeps_state and strategy not in _SIDE_BY_SIDE
    return replace(options, strategy=strategy, chosen=options.chosen or reason, keeps_state=keeps_state)


def _check_reach(options: Options) -> None:
    """Refuse addresses that lie on no web, dates that are none, and services of the web without it."""
    if options.scholar and not options.web:
        raise InputError("scholarly works are searched on the web: with `--scholar` give `--web` as well")
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
