"""What a run asks of a person: shown on a terminal and answered there, or told how to answer later.

No run is held while its reader thinks: between question and answer there is no engine at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson

from leadline.cli.engine import Engine, Form
from leadline.cli.follow import Told, exit_code, follow, told
from leadline.cli.lookup import find_run, take_up
from leadline.cli.options import FORMATS, common, elsewhere, watching
from leadline.cli.output import check_form, check_writable, deliver, format_for, printed
from leadline.cli.session import with_engine
from leadline.cli.shell import Shell, pass_shell, write_error
from leadline.cli.views import View, view_for
from leadline.domain import Json
from leadline.errors import InputError, MissingPath, RunWaits

LARGEST: Final = 1 << 20
"""Bytes of a file with wishes, a plan or a schema."""

_YES: Final = "y"
_EDIT: Final = "edit"
_NO: Final = "no"

Reply = Mapping[str, Json]


def attended(shell: Shell, work: Callable[[], Told], *, form: Form, output: Path | None) -> Told:
    """Return what `work` gives; where its run waits, ask the person at the terminal, and go on with the answer.

    Raises `RunWaits` where nobody is there, or the answer is to come later.
    """
    while True:
        try:
            return work()
        except RunWaits as waits:
            reply = asked(shell, waits)
            if reply is None:
                raise
            work = going_on(shell, waits.run_id, reply, form=form, output=output)


def going_on(shell: Shell, run_id: str, reply: Reply, *, form: Form, output: Path | None) -> Callable[[], Told]:
    """Return what answers a run, follows it and gives its report."""

    async def work(engine: Engine) -> Told:
        with view_for(shell) as view:
            await engine.reply(run_id, reply)
            return await followed(engine, run_id, view, form=form, output=output)

    return lambda: with_engine(shell, work)


async def followed(engine: Engine, run_id: str, view: View, *, form: Form, output: Path | None) -> Told:
    """Show a run until its end and return its report as it is printed."""
    report = await follow(engine, run_id, view)
    return await told(engine, run_id, await printed(engine, report, form, output=output, say=view.say))


def asked(shell: Shell, waits: RunWaits) -> Reply | None:
    """Ask the person at the terminal; `None` where there is none, or none who answers now."""
    if shell.quiet or shell.events or not at_terminal():
        return None
    try:
        return _answer(waits) if waits.asks.get("for") == "question" else _decision(waits)
    except click.Abort:
        write_error("")
        return None


def at_terminal() -> bool:
    """Return whether a person can be asked here."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _answer(waits: RunWaits) -> Reply:
    write_error(f"Before it begins: {waits.asks.get('question')}")
    answer = click.prompt("Answer (empty: research it as it is)", default="", show_default=False, err=True)
    return {"answer": answer}


def _decision(waits: RunWaits) -> Reply:
    """Show the plan and return what the person makes of it."""
    steps = [str(step) for step in _listed(waits.asks.get("plan"))]
    while True:
        write_error("The plan:")
        for number, step in enumerate(steps, 1):
            write_error(f"  {number}. {step}")
        choice = click.prompt("Research this?", type=click.Choice((_YES, _EDIT, _NO)), default=_YES, err=True)
        if choice == _YES:
            return {"plan": list[Json](steps)}
        if choice == _NO:
            return {"reject": True}
        edited = click.edit("\n".join(steps) + "\n")
        if edited is not None:
            steps = lines_of(edited) or steps


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def lines_of(text: str) -> list[str]:
    """Return the sub-questions of a text: a line each."""
    return [line.strip() for line in text.splitlines() if line.strip()]


# --- files -----------------------------------------------------------------------------------


def text_in(path: Path) -> str:
    """Return a file's text. Raises `MissingPath`, `InputError` for one that is too large or no UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise MissingPath(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise InputError(f"{path} has more than {LARGEST:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: byte {error.start}") from error


def schema_in(path: Path) -> dict[str, Any]:
    """Return the JSON schema in a file. Raises `InputError` where it holds none."""
    try:
        value = orjson.loads(text_in(path))
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON schema: it is no object")
    return value


def wishes_in(instructions: Path | None, schema: Path | None) -> dict[str, Any]:
    """Return what files say of the report, by field name of `Options`. Raises `MissingPath`, `InputError`."""
    wishes: dict[str, Any] = {}
    if instructions is not None:
        wishes["instructions"] = text_in(instructions)
    if schema is not None:
        wishes["schema"] = schema_in(schema)
    return wishes


def plan_in(path: Path) -> list[str]:
    """Return the plan in a file: a sub-question a line, or a JSON list of them."""
    text = text_in(path)
    if not text.lstrip().startswith("["):
        return lines_of(text)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    return [str(step) for step in value]


# --- the command -----------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  leadline approve last
  leadline approve last --plan plan.txt -o report.md
  leadline approve last --answer "The one of 1698."
  leadline approve last --reject
"""
)
@click.argument("run")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Research this plan instead: a sub-question a line, or a JSON list.",
)
@click.option("--answer", metavar="TEXT", help="The answer to the run's question; may be empty.")
@click.option("--reject", is_flag=True, help="Do not go on: the run is cancelled.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Format of the report.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@watching
@elsewhere
@common
@pass_shell
def approve(
    shell: Shell,
    *,
    run: str,
    plan: Path | None,
    answer: str | None,
    reject: bool,
    format_: str | None,
    output: Path | None,
) -> int:
    """Answer a run that waits for a person.

    Without an option its plan is approved as it is. Then the run goes on, and its report is printed.
    RUN is an id, the beginning of one, or `last`.
    """
    check_writable(output)
    form = format_for(format_, output)
    reply = _reply(plan, answer, reject=reject)

    async def work(engine: Engine) -> Told | None:
        check_form(engine, form)
        run_id = await find_run(engine, run)
        await engine.reply(run_id, reply)
        if reject:
            return None
        with view_for(shell) as view:
            return await followed(engine, run_id, view, form=form, output=output)

    return _delivered(shell, lambda: with_engine(shell, work), form=form, output=output)


def _reply(plan: Path | None, answer: str | None, *, reject: bool) -> Reply:
    if sum((plan is not None, answer is not None, reject)) > 1:
        raise InputError("give one of `--plan`, `--answer` and `--reject`")
    if reject:
        return {"reject": True}
    if answer is not None:
        return {"answer": answer}
    return {"approve": True} if plan is None else {"plan": list[Json](plan_in(plan))}


@click.command(epilog="\b\nExample:\n  leadline resume last -o report.md\n")
@click.argument("run")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Format of the report.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@watching
@elsewhere
@common
@pass_shell
def resume(shell: Shell, *, run: str, format_: str | None, output: Path | None) -> int:
    """Go on with a run that was cut off, and print its report.

    What was paid for is not paid for again. RUN is an id, the beginning of one, or `last`.
    """
    check_writable(output)
    form = format_for(format_, output)

    async def work(engine: Engine) -> Told:
        check_form(engine, form)
        run_id = await find_run(engine, run)
        with view_for(shell) as view:
            await take_up(engine, run_id, view.say)
            return await followed(engine, run_id, view, form=form, output=output)

    return _delivered(shell, lambda: with_engine(shell, work), form=form, output=output)


def _delivered(shell: Shell, work: Callable[[], Told | None], *, form: Form, output: Path | None) -> int:
    """Print what a run comes to, its reader asked where it waits, and return the exit code."""
    rejected = False

    def told_of() -> Told:
        nonlocal rejected
        result = work()
        rejected = result is None
        return result or Told("", None)

    result = attended(shell, told_of, form=form, output=output)
    if rejected:
        shell.say("the plan was rejected; the run is stopped")
        return 0
    deliver(result.text, output)
    return exit_code(shell, result)
