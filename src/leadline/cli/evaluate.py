"""`leadline eval`: strategies and models beside each other, over questions with known answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from leadline.api.evaluation import as_json, as_markdown, comparisons, result
from leadline.api.scoring import Expected
from leadline.cli.batch_files import Answers, Row, read_questions
from leadline.cli.batch_run import Batch, Purse
from leadline.cli.board import board_for
from leadline.cli.evaluate_files import Variant, make_folder, read_bodies, read_expected, write_summary
from leadline.cli.options import common, limits, served, setting_option, sources, watching, written
from leadline.cli.person import wishes_in
from leadline.cli.session import engine_of, on_loop, quiet_log, settings_of
from leadline.cli.shell import INTERRUPTED, Shell, pass_shell, write
from leadline.domain import StrategyName
from leadline.errors import BudgetError, InputError
from leadline.settings import Settings

EXAMPLES: Final = """\b
Examples:
  leadline eval questions.jsonl --out results --docs ./docs
  leadline eval questions.jsonl --out results --docs ./docs --strategies extractive,react
  leadline eval questions.jsonl --out results --web --models small,large --repeat 3

A line of QUESTIONS is {"id": "q1", "question": "...", "answers": ["..."]}; any one of the
answers is right. {"answerable": false} marks a question that should end in nothing found.
Without either, only what needs no answer is measured. What lies in the folder is not
asked again: call it again to go on, or to add a variant.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What one call of `eval` wants."""

    rows: tuple[Row, ...]
    expected: dict[str, Expected]
    folder: Path
    docs: tuple[Path, ...]
    servers: tuple[str, ...]
    language: str | None
    wishes: Mapping[str, Any]
    variants: tuple[Variant, ...]
    repetitions: int
    baseline: Variant
    total_usd: float | None

    def parts(self) -> list[tuple[Variant, Path]]:
        """Return what is worked off, one after the other: a variant, and the file of one repetition of it."""
        repetitions = range(1, self.repetitions + 1)
        return [(variant, variant.file(self.folder, number)) for variant in self.variants for number in repetitions]

    def left(self, answers: Answers) -> list[Row]:
        """Return the rows that are not in a file yet."""
        known = answers.answered | answers.failed
        return [row for row in self.rows if row.id not in known]


@click.command("eval", epilog=EXAMPLES)
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the results.")
@sources
@click.option("--web", is_flag=True, help="Search and read the open web, beside the documents where some are named.")
@click.option("--strategies", default="auto", show_default=True, help="Strategies to compare, separated by commas.")
@click.option("--models", help="Models to compare, by their names at the servers, separated by commas.")
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(1, 100), help="Runs of each question.")
@click.option("--baseline", help="The variant that others are compared with.  [default: the first one]")
@setting_option("--concurrency", "worker.concurrency", type=click.IntRange(1), help="Questions at a time.")
@click.option(
    "--total-budget-usd",
    type=click.FloatRange(0, min_open=True),
    help="US dollars that all of it may cost together.",
)
@served
@written
@limits
@watching
@common
@pass_shell
def evaluate(shell: Shell, /, *, questions: Path, out: Path, **wishes: Any) -> int:  # noqa: ANN401 click gives options of different types
    """Research the questions of a JSON Lines file with several strategies or models, and compare.

    Prints tables with 95 % intervals; `summary.json` in the folder holds every figure.
    """
    settings = settings_of(shell)
    rows = read_questions(questions)
    variants = _variants(wishes["strategies"], wishes["models"])
    order = Order(
        rows=rows,
        expected=read_expected(questions),
        folder=out,
        docs=wishes["docs"],
        servers=wishes["servers"],
        language=wishes["lang"],
        wishes={"web": wishes["web"]} | wishes_in(wishes["instructions"], wishes["schema"]),
        variants=variants,
        repetitions=wishes["repeat"],
        baseline=_baseline(wishes["baseline"], variants),
        total_usd=wishes["total_budget_usd"],
    )
    make_folder(out)
    quiet_log(debug=shell.debug)
    interrupted = on_loop(_work(shell, settings, order=order))
    write(_summarised(order).rstrip("\n"))
    return INTERRUPTED if interrupted else 0


def _variants(strategies: str, models: str | None) -> tuple[Variant, ...]:
    known = ", ".join(StrategyName)
    chosen: list[Variant] = []
    for name in _names(strategies):
        if name not in set(StrategyName):
            raise InputError(f"no such strategy: {name}; there are {known}")
        which: Sequence[str | None] = _names(models or "") or [None]
        chosen += [Variant(strategy=StrategyName(name), model=model) for model in which]
    if not chosen:
        raise InputError(f"`--strategies` names none; there are {known}")
    return tuple(dict.fromkeys(chosen))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _baseline(name: str | None, variants: Sequence[Variant]) -> Variant:
    if name is None:
        return variants[0]
    for variant in variants:
        if variant.name == name:
            return variant
    raise InputError(f"no such variant: {name}; there are {', '.join(each.name for each in variants)}")


async def _work(shell: Shell, settings: Settings, *, order: Order) -> bool:
    """Ask what is not answered yet; return whether a person broke it off. Raises `BudgetError`."""
    with ExitStack() as stack:
        files = {path: stack.enter_context(Answers(path)) for _, path in order.parts()}
        async with engine_of(shell, settings) as engine:
            make = partial(
                Batch,
                engine=engine,
                docs=order.docs,
                servers=order.servers,
                language=order.language,
                slots=settings.worker.concurrency,
            )
            return await _worked_off(shell, make, order=order, files=files, each_usd=settings.budget.usd)


async def _worked_off(
    shell: Shell,
    make: Callable[..., Batch],
    *,
    order: Order,
    files: Mapping[Path, Answers],
    each_usd: float | None,
) -> bool:
    """Work off one variant after the other; money is counted over all of them."""
    for variant, path in order.parts():
        shell.say(path.stem)
        purse = Purse(total=order.total_usd, each=each_usd, spent=sum(each.spent for each in files.values()))
        wishes = {**order.wishes, **variant.wishes()}
        if await _broken_off(shell, partial(make, wishes=wishes, purse=purse), order=order, answers=files[path]):
            return True
    return False


async def _broken_off(shell: Shell, make: Callable[..., Batch], *, order: Order, answers: Answers) -> bool:
    """Work off what one file lacks; return whether a person broke it off. Raises `BudgetError`."""
    rows = order.left(answers)
    with board_for(shell, total=len(order.rows), before=len(order.rows) - len(rows)) as board:
        work = make(answers=answers, board=board)
        await work.run(rows)
    left = len(order.left(answers))
    if left and not work.interrupted:
        raise BudgetError(f"the money for all of it is used up, {left} left: raise `--total-budget-usd` to go on")
    return work.interrupted


def _summarised(order: Order) -> str:
    """Write the summary of what was answered, and return its tables."""
    results = []
    for variant in order.variants:
        paths = [path for each, path in order.parts() if each == variant]
        bodies = [(id_, body) for id_, body in read_bodies(paths) if id_ in order.expected]
        results.append(result(variant.name, bodies, order.expected))
    compared = comparisons(results, baseline=order.baseline.name)
    tables = as_markdown(results, compared)
    write_summary(order.folder, as_json(results, compared), tables)
    return tables
