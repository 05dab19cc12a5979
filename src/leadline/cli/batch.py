"""`leadline batch`: many questions, one line of JSON each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from leadline.cli.batch_files import Answers, Row, read_questions
from leadline.cli.batch_run import Batch, Purse
from leadline.cli.board import board_for
from leadline.cli.options import (
    check_sources,
    chosen,
    common,
    elsewhere,
    hosted,
    limits,
    queued,
    reach,
    reached,
    setting_option,
    sources,
    strategy,
    tools,
    watching,
    written,
)
from leadline.cli.output import check_writable
from leadline.cli.person import wishes_in
from leadline.cli.session import engine_of, on_loop, quiet_log, settings_of
from leadline.cli.shell import INTERRUPTED, Shell, pass_shell, write
from leadline.cli.story import money, plural
from leadline.domain import StrategyName
from leadline.errors import BudgetError
from leadline.settings import Settings

EXAMPLES: Final = """\b
Examples:
  leadline batch questions.jsonl --out answers.jsonl --docs ./docs
  leadline batch questions.jsonl --out answers.jsonl --web --site example.org
  leadline batch questions.jsonl --out answers.jsonl --concurrency 16 --total-budget-usd 5
  leadline batch questions.jsonl --out answers.jsonl --docs ./docs --schema answer.json
  leadline batch questions.jsonl --out answers.jsonl --retry-failed

A line of QUESTIONS is {"id": "q1", "question": "..."}. A line of the output is the
report in JSON with that `id`, or {"id", "run_id", "error": {"code", "message"}}. A
report with `failure` is what could be done after one, and counts as failed. What
is in the output is not asked again: call it again to go on after a crash. Ctrl-C once:
begin no more, and write what there is. Twice: stop.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What one call of `batch` wants."""

    rows: tuple[Row, ...]
    docs: tuple[Path, ...]
    servers: tuple[str, ...]
    language: str | None
    wishes: Mapping[str, Any]
    total_usd: float | None


@click.command(epilog=EXAMPLES)
@click.argument("questions", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file that answers are appended to.",
)
@sources
@reach
@setting_option("--concurrency", "worker.concurrency", type=click.IntRange(1), help="Questions at a time.")
@click.option("--retry-failed", is_flag=True, help="Ask again what failed before.")
@click.option(
    "--total-budget-usd",
    type=click.FloatRange(0, min_open=True),
    help="US dollars that all answers in the output may cost together.",
)
@strategy
@tools
@hosted
@written
@limits
@watching
@queued
@elsewhere
@common
@pass_shell
def batch(
    shell: Shell,
    *,
    questions: Path,
    out: Path,
    docs: tuple[Path, ...],
    web: bool,
    urls: tuple[str, ...],
    sites: tuple[str, ...],
    exclude: tuple[str, ...],
    since: datetime | None,
    retry_failed: bool,
    total_budget_usd: float | None,
    strategy: str,
    python: bool | None,
    scholar: bool | None,
    corpora: tuple[str, ...],
    servers: tuple[str, ...],
    instructions: Path | None,
    schema: Path | None,
    lang: str | None,
) -> int:
    """Research every question of QUESTIONS, a JSON Lines file.

    Documents are scanned once. Rows are written whole, in order of completion.
    """
    check_sources(docs, online=bool(web or urls or corpora))
    check_writable(out)
    settings = settings_of(shell)
    order = Order(
        rows=read_questions(questions),
        docs=docs,
        servers=servers,
        language=lang,
        wishes={"strategy": StrategyName(strategy)}
        | reached(web=web, urls=urls, sites=sites, exclude=exclude, since=since)
        | chosen(python=python, scholar=scholar)
        | ({"corpora": corpora} if corpora else {})
        | wishes_in(instructions, schema),
        total_usd=total_budget_usd,
    )
    quiet_log(debug=shell.debug)
    with Answers(out) as answers:
        if retry_failed:
            answers.forget_failures()
        done = on_loop(_work(shell, settings, order=order, answers=answers))
        return _conclude(shell, done, order=order, answers=answers)


async def _work(shell: Shell, settings: Settings, *, order: Order, answers: Answers) -> Batch:
    known = answers.answered | answers.failed
    rows = [row for row in order.rows if row.id not in known]
    async with engine_of(shell, settings) as engine:
        with board_for(shell, total=len(order.rows), before=len(order.rows) - len(rows)) as board:
            work = Batch(
                engine=engine,
                answers=answers,
                board=board,
                docs=order.docs,
                servers=order.servers,
                language=order.language,
                wishes=order.wishes,
                slots=settings.worker.concurrency,
                purse=Purse(total=order.total_usd, each=settings.budget.usd, spent=answers.spent),
            )
            await work.run(rows)
            return work


def _conclude(shell: Shell, work: Batch, *, order: Order, answers: Answers) -> int:
    """Say what was done, clean up, and return the exit code."""
    wanted = {row.id for row in order.rows}
    left = len(wanted - answers.answered - answers.failed)
    failed = len(wanted & answers.failed)
    write(f"{len(wanted & answers.answered):,} answered, {failed:,} failed, {left:,} left; {money(answers.spent)}")
    if not left:
        answers.complete()
    if work.interrupted:
        return INTERRUPTED
    if left:
        raise BudgetError(
            f"the money for all answers is used up ({money(answers.spent)}): "
            f"{plural(left, 'question')} not asked; raise `--total-budget-usd` to go on"
        )
    if failed:
        shell.say(f"{plural(failed, 'question')} failed; ask again with `--retry-failed`")
    return 1 if failed else 0
