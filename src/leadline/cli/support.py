"""`leadline support-bundle`: what helps others to help, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, quiet_log, settings_of
from leadline.cli.shell import Shell, pass_shell, write


@click.command(
    epilog="""\b
Examples:
  leadline support-bundle
  leadline support-bundle -o bundle.zip --log /var/log/leadline/worker.log
  leadline support-bundle --run r01hxyz
"""
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("leadline-support.zip"),
    show_default=True,
    help="The file to write; it must not be there yet.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="A log file whose end goes in; may be given several times.",
)
@click.option("--run", "runs", multiple=True, metavar="RUN", help="A run whose course goes in, without its content.")
@click.option("--tenant", metavar="ID", help="Runs and queue of this tenant alone.  [default: everybody's]")
@common
@pass_shell
def support_bundle(
    shell: Shell, *, output: Path, logs: tuple[Path, ...], runs: tuple[str, ...], tenant: str | None
) -> None:
    """Write a zip of a diagnosis, settings, states of runs and ends of logs.

    Questions, answers, sources and the environment are left out; keys and passwords are hidden, and
    the file is not written where one was left. Names of hosts, tenants and models stand in it.
    """
    quiet_log(debug=shell.debug)
    from leadline.ops.doctor import Look  # noqa: PLC0415 the whole platform: only where it is looked at
    from leadline.ops.support import Wanted, make_bundle  # noqa: PLC0415 as above

    wanted = Wanted(logs=logs, runs=runs, tenant=tenant)
    bundle = on_loop(make_bundle(Look(settings=settings_of(shell)), output, wanted))
    write("\n".join(f"{size:>9,}  {name}" for name, size in bundle.members.items()))
    shell.say(f"written: {bundle.path}; look it through before you hand it on")
