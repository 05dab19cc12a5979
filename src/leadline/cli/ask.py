"""`leadline ask`: one question, one report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from leadline.cli.engine import Engine, Estimated, Form, Indexed
from leadline.cli.follow import Told, exit_code
from leadline.cli.keep import NOTHING, not_read
from leadline.cli.lookup import find_run
from leadline.cli.options import (
    FORMATS,
    check_sources,
    chosen,
    common,
    elsewhere,
    hosted,
    limits,
    person,
    queued,
    reach,
    reached,
    sources,
    strategy,
    tools,
    watching,
)
from leadline.cli.output import check_form, check_writable, deliver, format_for
from leadline.cli.person import attended, followed, wishes_in
from leadline.cli.session import with_engine
from leadline.cli.shell import Shell, pass_shell
from leadline.cli.views import view_for
from leadline.codec import encode
from leadline.domain import Options, StrategyName
from leadline.errors import InputError, MissingPath

_STDIN_LIMIT: Final = 1 << 22
"""Bytes that are read of a question on stdin; the engine refuses far shorter ones."""

EXAMPLES: Final = """\b
Examples:
  leadline ask "When did the cache change?" --docs ./docs
  leadline ask "Compare A and B" --docs a.pdf --docs b.pdf -o report.html
  leadline ask "What changed?" --url https://example.org/changes.html
  leadline ask "And in 2023?" --from last
  leadline ask "Compare A and B" --web --strategy plan --approve
  leadline ask "What failed?" --docs logs/ --budget-usd 0.50 --dry-run
  cat question.txt | leadline ask - --docs ./docs --format json

Ctrl-C once: stop gathering and write what there is. Twice: stop.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What one call of `ask` wants."""

    question: str
    docs: tuple[Path, ...]
    servers: tuple[str, ...]
    reach: Mapping[str, Any]
    earlier: str | None
    strategy: StrategyName
    language: str | None
    format: Form
    output: Path | None
    alone: bool
    """Whether the documents are all that is searched."""


@click.command(epilog=EXAMPLES)
@click.argument("question")
@sources
@reach
@click.option("--from", "earlier", metavar="RUN", help="Begin with the evidence of a run.")
@strategy
@tools
@hosted
@person
@limits
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the report.  [default: by the file's name, else text on a terminal, md elsewhere]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to a file, in one step, instead of stdout.",
)
@click.option("--dry-run", is_flag=True, help="Only estimate what it would use.")
@watching
@queued
@elsewhere
@common
@pass_shell
def ask(
    shell: Shell,
    *,
    question: str,
    docs: tuple[Path, ...],
    web: bool,
    urls: tuple[str, ...],
    sites: tuple[str, ...],
    exclude: tuple[str, ...],
    since: datetime | None,
    earlier: str | None,
    strategy: str,
    python: bool | None,
    scholar: bool | None,
    corpora: tuple[str, ...],
    servers: tuple[str, ...],
    researchers: int | None,
    approve: bool,
    clarify: bool,
    instructions: Path | None,
    schema: Path | None,
    format_: str | None,
    output: Path | None,
    lang: str | None,
    dry_run: bool,
) -> int:
    """Research QUESTION and print the report.

    Where a model is set and fails, the report is written without it, and the exit code is the
    failure's. QUESTION `-` is read from stdin. Progress goes to stderr.
    """
    check_sources(docs, earlier, online=bool(web or urls or corpora))
    check_writable(output)
    wish = Wish(
        question=_read(question),
        docs=docs,
        servers=servers,
        reach=reached(web=web, urls=urls, sites=sites, exclude=exclude, since=since)
        | chosen(python=python, scholar=scholar)
        | ({"corpora": corpora} if corpora else {})
        | {"approve": approve, "clarify": clarify}
        | ({} if researchers is None else {"researchers": researchers})
        | wishes_in(instructions, schema),
        earlier=earlier,
        strategy=StrategyName(strategy),
        language=lang,
        format=format_for(format_ or ("json" if schema and output is None else None), output),
        output=output,
        alone=bool(docs) and earlier is None and not (web or urls or corpora or scholar),
    )
    if dry_run:
        deliver(with_engine(shell, lambda engine: _estimate(engine, wish)), output)
        return 0
    research = partial(with_engine, shell, lambda engine: _research(shell, engine, wish))
    result = attended(shell, research, form=wish.format, output=output)
    try:
        deliver(result.text, output)
    except MissingPath as error:
        raise MissingPath(f"{error}; the report is kept: `leadline show last` prints it") from error
    return exit_code(shell, result)


async def _options(engine: Engine, wish: Wish) -> Options:
    earlier = None if wish.earlier is None else await find_run(engine, wish.earlier)
    return engine.options(strategy=wish.strategy, ledger_of=earlier, **wish.reach)


async def _research(shell: Shell, engine: Engine, wish: Wish) -> Told:
    check_form(engine, wish.format)
    options = await _options(engine, wish)
    with view_for(shell) as view:
        run_id = await engine.start(
            wish.question,
            docs=wish.docs,
            options=options,
            servers=wish.servers,
            language=wish.language,
            indexing=view.indexing,
            indexed=lambda found: _check_index(view.say, found, alone=wish.alone),
        )
        return await followed(engine, run_id, view, form=wish.format, output=wish.output)


def _check_index(say: Callable[[str], None], found: Indexed, *, alone: bool) -> None:
    """Name what could not be read. Raises `InputError` where that leaves nothing to search."""
    not_read(say, found, warn=not alone)
    if alone and not found.documents:
        raise InputError(f"{NOTHING}; name others with `--docs`, or read the web: `--web`, `--url`")


async def _estimate(engine: Engine, wish: Wish) -> str:
    estimate = await engine.estimate(wish.question, docs=wish.docs, options=await _options(engine, wish))
    if wish.format == "json":
        return encode(estimate).decode()
    return estimate_text(estimate)


def estimate_text(estimate: Estimated) -> str:
    """Return an estimate for a person."""
    lines = [
        f"strategy     {estimate.strategy}" + (f" ({estimate.chosen})" if estimate.chosen else ""),
        f"steps        at most {estimate.steps if estimate.steps is not None else 'unlimited'}",
        f"model calls  at most {estimate.model_calls:,}",
        f"tokens       {estimate.tokens_low:,} to {estimate.tokens_high:,}",
        f"US dollars   {_span(estimate.usd_low, estimate.usd_high)}",
    ]
    return "\n".join([*lines, *estimate.notes])


def _span(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "unknown: no price is set (see `prices` in `leadline settings`)"
    return f"{low:.4f} to {high:.4f}"


def _read(question: str) -> str:
    if question != "-":
        return question
    data = sys.stdin.buffer.read(_STDIN_LIMIT + 1)
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"the question on stdin is not UTF-8: byte {error.start}") from error
