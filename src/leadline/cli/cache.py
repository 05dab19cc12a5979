"""`leadline cache`: what the cache of the web holds, forgetting, warming."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import money, plural
from leadline.errors import InputError

if TYPE_CHECKING:
    from leadline.api.warming import WarmReport
    from leadline.wiring import CacheFigures

CATEGORIES: Final = ("search", "page", "passages", "scholar", "other")
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
_UNITS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


@click.group(
    epilog="""\b
Examples:
  leadline cache stats
  leadline cache invalidate search
  leadline cache warm --history 7d
"""
)
def cache() -> None:
    """Look into the cache of the web, forget, or warm it."""


@cache.command()
@common
@pass_shell
def stats(shell: Shell) -> None:
    """Print how much the cache holds, and of what."""
    from leadline.wiring import cache_figures  # noqa: PLC0415 the whole engine: only where one is needed

    write(figures_text(on_loop(cache_figures(settings_of(shell)))))


@cache.command(
    epilog="""\b
Examples:
  leadline cache invalidate search
  leadline cache invalidate --pattern 'https://example.org/*'
  leadline cache invalidate --tenant acme
"""
)
@click.argument("category", required=False, type=click.Choice(CATEGORIES))
@click.option("--pattern", help="Forget what was asked for so: a query behind its service, an address. `*`: anything.")
@click.option("--tenant", help="Only what is this tenant's own.")
@common
@pass_shell
def invalidate(shell: Shell, *, category: str | None, pattern: str | None, tenant: str | None) -> None:
    """Forget answers, in every process: all, those of CATEGORY, or those that fit a pattern."""
    from leadline.wiring import forget_answers, forget_matching  # noqa: PLC0415 as above

    settings = settings_of(shell)
    if pattern is not None:
        if category or tenant:
            raise InputError("`--pattern` goes by itself: it looks through all categories and tenants")
        write(f"{plural(on_loop(forget_matching(settings, pattern)), 'answer')} forgotten")
        return
    on_loop(forget_answers(settings, category=category, tenant=tenant))
    whose = f" of tenant `{tenant}`" if tenant else ""
    write(f"all answers{whose} are forgotten" if category is None else f"`{category}`: all answers{whose} forgotten")


@cache.command(
    epilog="""\b
Examples:
  leadline cache warm queries.txt
  leadline cache warm --history 7d --budget-usd 0.50
  leadline cache warm --history 12h --max-loads 200 --budget-seconds 60
  leadline cache warm --history 1d --before 10m

A line of FILE is an address, words to search, or {"query", "num_results", "filter_year",
"language"}. From the history come the queries and pages of runs over the web, those asked often,
lately and at a price first; runs with documents are left out.
"""
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--history", metavar="SPAN", help="What runs asked in this time: `7d`, `12h`, `90m`, `2w`.")
@click.option(
    "--before",
    metavar="SPAN",
    default="5m",
    show_default=True,
    help="Load anew what gets old within this time: as long as from one pass to the next.",
)
@click.option("--max-loads", type=click.IntRange(1), default=1_000, show_default=True, help="Loads at most.")
@click.option(
    "--budget-seconds",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds at most.",
)
@click.option(
    "--budget-usd",
    type=click.FloatRange(0),
    help="US dollars at most, by `search.<service>.usd`.  [default: no limit]",
)
@common
@pass_shell
def warm(
    shell: Shell,
    *,
    file: Path | None,
    history: str | None,
    before: str,
    max_loads: int,
    budget_seconds: float,
    budget_usd: float | None,
) -> int:
    """Load answers before they are asked for, from a FILE, the history, or both.

    One process at a time does so.
    """
    from leadline.api.warming import Allowance, warm_cache  # noqa: PLC0415 as above

    if file is None and history is None:
        raise InputError("there is nothing to load: name a file, or `--history 7d`")
    allowance = Allowance(seconds=budget_seconds, usd=math.inf if budget_usd is None else budget_usd, loads=max_loads)
    span = None if history is None else seconds_of(history)
    done = on_loop(
        warm_cache(settings_of(shell), file=file, history=span, before=seconds_of(before), allowance=allowance)
    )
    write(warm_text(done))
    return 0 if done.led else 1


def seconds_of(span: str) -> float:
    """Return the seconds of `7d` and the like. Raises `InputError`."""
    match = _SPAN.fullmatch(span.strip().lower())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"not a span of time: {span}; use `7d`, `12h`, `90m` or `2w`")
    return float(match[1]) * _UNITS[match[2]]


def figures_text(figures: CacheFigures) -> str:
    """Return what the cache holds, for a person."""
    lines = [f"{figures.place}: {plural(figures.entries, 'answer')}, {figures.bytes / 1e6:,.1f} MB"]
    rows = sorted(figures.spaces.items(), key=lambda row: (row[0].owner != "public", row[0]))
    lines += [f"  {space.category:<9} {space.owner:<20} {count:>9,}" for space, count in rows]
    return "\n".join(lines)


def warm_text(done: WarmReport) -> str:
    """Return what a pass did, for a person."""
    if not done.led:
        return "another process is warming the cache: nothing was done"
    return (
        f"{done.loaded:,} loaded, {done.fresh:,} were there, {done.failed:,} failed, {done.skipped:,} left out; "
        f"{money(done.usd)}"
    )
