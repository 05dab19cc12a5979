"""`leadline sandbox`: the interpreter of a model's programs, and the proof that they cannot get out."""

from __future__ import annotations

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.errors import SettingsError


@click.group(
    epilog="""\b
Examples:
  leadline sandbox install
  leadline sandbox check
"""
)
def sandbox() -> None:
    """Set up and test where Python programs of a model run."""


@sandbox.command(
    epilog="""\b
Examples:
  leadline sandbox install
  leadline sandbox install --force
"""
)
@click.option("--force", is_flag=True, help="Build it anew where it is there and whole.")
@common
@pass_shell
def install(shell: Shell, *, force: bool) -> None:
    """Build the interpreter that programs see: read-only, with numpy, pandas, scipy, sympy and matplotlib.

    Packages come from the package index that pip is set to. Without it programs have the standard
    library alone. What is there and whole is left as it is; another takes its place only when it is
    whole itself.
    """
    from leadline.wiring.programs import install_tree  # noqa: PLC0415 only where it is asked for

    done = install_tree(settings_of(shell), force=force, tell=shell.say)
    write(
        f"{'built' if done.built else 'already there'}: {done.folder}\npackages: {', '.join(done.packages) or 'none'}"
    )


@sandbox.command(
    epilog="""\b
Examples:
  leadline sandbox check
  LEADLINE_SANDBOX=landlock leadline sandbox check
"""
)
@common
@pass_shell
def check(shell: Shell) -> None:
    """Try to get out of every sandbox of this machine, and print what held.

    The one that runs use is named last; exits with 3 where there is none.
    """
    from leadline.wiring.programs import examined  # noqa: PLC0415 only where it is asked for

    found = on_loop(examined(settings_of(shell)))
    for verdict in found.verdicts:
        write(f"{verdict.design}: {'holds' if verdict.held else 'does not hold'}")
        for one in verdict.checks:
            told = "" if one.held or not one.found else f": {' '.join(one.found.split())}"
            write(f"  {'ok  ' if one.held else 'FAIL'}  {one.name}{told}")
    write(f"packages: {', '.join(found.packages) or 'none; install them with: leadline sandbox install'}")
    if found.chosen is None:
        raise SettingsError(found.why)
    write(f"runs use: {found.chosen}")
