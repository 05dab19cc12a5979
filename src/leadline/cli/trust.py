"""Commands that show why a report can be trusted: `verify`, `replay`, `export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from leadline.cli.engine import Engine
from leadline.cli.lookup import find_run
from leadline.cli.options import FORMATS, common, elsewhere
from leadline.cli.output import Result, check_writable, deliver, format_for, printed
from leadline.cli.session import with_engine
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.errors import CheckFailed, InputError, MissingPath

_CHECKED: Final = frozenset({".zip", ".json"})


@click.command(
    epilog="""\b
Examples:
  leadline verify last
  leadline verify leadline-1f0c.zip
"""
)
@click.argument("target")
@elsewhere
@common
@pass_shell
def verify(shell: Shell, *, target: str) -> None:
    """Check every quote of a report against its stored sources, without a network.

    TARGET is a run (an id, the beginning of one, or `last`), an exported file, or a report in
    JSON. Exits with 8 when a quote does not stand.
    """
    path = Path(target)
    is_file = path.suffix.lower() in _CHECKED or path.is_file()
    if is_file and path.suffix.lower() not in _CHECKED:
        raise InputError(
            f"{path} cannot be checked: only JSON and an export hold what it is checked by; name its run, the run's "
            "export (`leadline export`), or its report in JSON (`--format json`)"
        )
    if is_file and not path.is_file():
        raise MissingPath(f"there is no file {path}; `leadline export` writes one, and `leadline runs` lists runs")

    async def work(engine: Engine) -> None:
        found = await engine.verify(path if is_file else await find_run(engine, target))
        counted = f"{plural(found.claims, 'claim')}, {plural(found.quotes, 'quote')}"
        for problem in found.problems:
            write(problem)
        if not found.ok:
            raise CheckFailed(f"{plural(len(found.problems), 'problem')} in {counted}: {target}")
        write(f"every quote stands: {counted}")

    with_engine(shell, work)


@click.command(epilog="\b\nExample:\n  leadline replay last > again.md\n")
@click.argument("run")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Format of the report.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@common
@pass_shell
def replay(shell: Shell, *, run: str, format_: str | None, output: Path | None) -> None:
    """Run again over what was recorded, without a network, and print the report.

    It is byte for byte the run's report. Exits with 9 where the record leads elsewhere. RUN is an
    id, the beginning of one, or `last`.
    """
    check_writable(output)
    format_of = format_for(format_, output)

    async def work(engine: Engine) -> Result:
        report = await engine.replay(await find_run(engine, run))
        return await printed(engine, report, format_of, output=output, say=shell.say)

    deliver(with_engine(shell, work), output)


@click.command(
    epilog="""\b
Examples:
  leadline export last -o evidence.zip
  leadline export last --link --server https://leadline.example.com
"""
)
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.  [default: leadline-RUN.zip]",
)
@click.option("--link", is_flag=True, help="Print an address where the file can be fetched for a while, by anybody.")
@elsewhere
@common
@pass_shell
def export(shell: Shell, *, run: str, output: Path | None, link: bool) -> None:
    """Write a run with all its evidence into one zip file, which `verify` takes.

    RUN is an id, the beginning of one, or `last`.
    """
    if link and output is not None:
        raise click.UsageError("choose one of --link and --output")
    check_writable(output)

    async def work(engine: Engine) -> Path | str:
        run_id = await find_run(engine, run)
        if link:
            return await _linked(engine, run_id, say=shell.say)
        path = output or Path(f"leadline-{run_id}.zip")
        await engine.export(run_id, path)
        return path

    write(str(with_engine(shell, work)))


async def _linked(engine: Engine, run_id: str, *, say: Callable[[str], None]) -> str:
    """Return where a service has put a run's export, and tell for how long."""
    from leadline.cli.remote import RemoteEngine  # noqa: PLC0415 the client is a second's import

    if not isinstance(engine, RemoteEngine):
        raise InputError("`--link` is for a run of a service: name it with --server")
    made = await engine.client.export_link(run_id)
    say(f"until {made.expires_at}, for whoever has this address:")
    return made.url
