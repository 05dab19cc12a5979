"""Commands about runs: `runs`, `show`, `resume`, `finish`, `cancel`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from leadline.cli.engine import Engine, Form
from leadline.cli.lookup import find_run
from leadline.cli.options import FORMATS, common, elsewhere
from leadline.cli.output import Result, check_writable, deliver, format_for, printed
from leadline.cli.session import with_engine
from leadline.cli.shell import Shell, line_of, pass_shell, write
from leadline.cli.story import brief, money
from leadline.cli.views import event_json
from leadline.codec import orjson_tree
from leadline.domain import RunState
from leadline.errors import InputError, WrongState
from leadline.ports import Run
from leadline.ports.access import LOCAL
from leadline.research.reporting.markdown import changes_to_markdown
from leadline.research.reporting.plain import changes_to_text
from leadline.telling.changes import changes, gist


@click.command(
    epilog="""\b
Examples:
  leadline runs --state running
  leadline runs --limit 1000 --format json
"""
)
@click.option("--state", type=click.Choice([s.value for s in RunState]), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Runs at most.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="A table, or a JSON line for each run.",
)
@elsewhere
@common
@pass_shell
def runs(shell: Shell, *, state: str | None, limit: int, format_: str) -> None:
    """List runs, newest first: of all tenants, where the store has several."""
    wanted = None if state is None else RunState(state)
    found = with_engine(shell, lambda engine: engine.runs(state=wanted, limit=limit))
    if format_ == "json":
        text = "".join(line_of(_row(run)) for run in found)
    else:
        text = "".join(f"{_line(run)}\n" for run in found)
    if text:
        write(text)
    else:
        shell.say("no runs" if state is None else f"no runs are {state}")


@click.command(
    epilog="""\b
Examples:
  leadline show last
  leadline show last --format html -o report.html
  leadline show last --since r3k9
  leadline show last --raw | head
"""
)
@click.argument("run")
@click.option("--raw", is_flag=True, help="The run's journal as JSON lines.")
@click.option(
    "--since", metavar="EARLIER", help="What changed since this run, instead of the report; text, md or json."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Format of the report.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@elsewhere
@common
@pass_shell
def show(shell: Shell, *, run: str, raw: bool, since: str | None, format_: str | None, output: Path | None) -> None:
    """Print a run's report, what changed since another run's, or its journal.

    RUN and EARLIER are ids, beginnings of them, or `last`.
    """
    check_writable(output)
    format_of = "md" if raw else format_for(format_, output)
    if since is not None and (raw or format_of not in {"text", "md", "json"}):
        raise click.UsageError("`--since` prints text, Markdown or JSON, and goes without `--raw`")

    async def work(engine: Engine) -> Result:
        run_id = await find_run(engine, run)
        if raw:
            return "".join(line_of(event_json(run_id, r)) for r in await engine.records(run_id))
        row = await engine.run(run_id)
        if row.report is None:
            raise WrongState(_without_report(row))
        if since is not None:
            return await _changes(engine, await find_run(engine, since), run_id, form=format_of)
        return await printed(engine, await engine.report(run_id), format_of, output=output, say=shell.say)

    deliver(with_engine(shell, work), output)


@click.command(epilog="\b\nExample:\n  leadline finish last\n")
@click.argument("run")
@elsewhere
@common
@pass_shell
def finish(shell: Shell, *, run: str) -> None:
    """Let a run stop gathering and write its report now.

    RUN is an id, the beginning of one, or `last`.
    """

    async def work(engine: Engine) -> str:
        run_id = await find_run(engine, run)
        await engine.finish(run_id)
        return run_id

    run_id = with_engine(shell, work)
    shell.say(f"run {run_id} writes its report now; print it with: leadline show {run_id}")


@click.command(epilog="\b\nExample:\n  leadline cancel last\n")
@click.argument("run")
@elsewhere
@common
@pass_shell
def cancel(shell: Shell, *, run: str) -> None:
    """Stop a run; no report is written.

    RUN is an id, the beginning of one, or `last`.
    """

    async def work(engine: Engine) -> str:
        run_id = await find_run(engine, run)
        await engine.cancel(run_id)
        return run_id

    shell.say(f"run {with_engine(shell, work)} is stopped")


async def _changes(engine: Engine, earlier_id: str, run_id: str, *, form: Form) -> str:
    if earlier_id == run_id:
        raise InputError(f"run {run_id} cannot be compared with itself")
    earlier, later = await engine.run(earlier_id), await engine.report(run_id)
    if earlier.report is None:
        raise WrongState(_without_report(earlier))
    found = changes(gist(await engine.report(earlier_id)), later)
    if form == "json":
        return line_of(orjson_tree(found))
    compared = replace(later, changes=found)
    return changes_to_text(compared) if form == "text" else changes_to_markdown(compared)


def _without_report(run: Run) -> str:
    if run.failure is not None:
        return f"run {run.id} failed and has no report: {run.failure.message}"
    if run.state.ended:
        return f"run {run.id} is {run.state.value} and has no report"
    return (
        f"run {run.id} is {run.state.value} and has no report yet; "
        f"`leadline resume {run.id}` goes on with a run that was cut off"
    )


def _line(run: Run) -> str:
    reason = "" if run.stop_reason is None else run.stop_reason.value
    cost = money(run.usage.cost_usd) if run.usage.cost_usd else ""
    began = f"{_local(run.created_at):%Y-%m-%d %H:%M}"
    state = f"{run.state.value:<9}  {reason:<14}"
    whose = "" if run.tenant == LOCAL else f"{run.tenant}: "
    return f"{run.id}  {began}  {state}  {cost:>8}  {whose}{brief(run.question.text)}"


def _row(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "tenant": run.tenant,
        "state": run.state.value,
        "stop_reason": None if run.stop_reason is None else run.stop_reason.value,
        "question": run.question.text,
        "language": run.question.language,
        "created_at": datetime.fromtimestamp(run.created_at, tz=UTC).isoformat(),
        "updated_at": datetime.fromtimestamp(run.updated_at, tz=UTC).isoformat(),
        "tokens": run.usage.tokens,
        "cost_usd": run.usage.cost_usd,
        "failure": None if run.failure is None else run.failure.message,
    }


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC).astimezone()
