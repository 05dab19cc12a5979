"""`leadline migrate`: the tables of PostgreSQL, up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadline.wiring.store import Part, Version


@click.group(epilog="\b\nExamples:\n  leadline migrate status\n  leadline migrate up\n")
def migrate() -> None:
    """Make and change the tables of PostgreSQL; SQLite does it by itself."""


@migrate.command(epilog="\b\nExample:\n  leadline migrate status\n")
@common
@pass_shell
def status(shell: Shell) -> None:
    """Print where the tables are, and where this version wants them."""
    from leadline.wiring import migrate_status  # noqa: PLC0415 the whole engine: only where one is needed

    write(_lines(on_loop(migrate_status(settings_of(shell)))))


@migrate.command(epilog="\b\nExample:\n  leadline migrate up\n")
@common
@pass_shell
def up(shell: Shell) -> None:
    """Bring all tables to this version: before its workers and services start."""
    from leadline.wiring import migrate_up  # noqa: PLC0415 as above

    for version in on_loop(migrate_up(settings_of(shell))):
        moved = version.found != version.wanted
        write(f"{version.part}: {_from(version)} {version.wanted}" if moved else f"{version.part}: at {version.wanted}")


@migrate.command(
    epilog="""\b
Examples:
  leadline migrate down runs 0001
  leadline migrate down runs base --yes
"""
)
@click.argument("part", type=click.Choice(("runs", "accounts")))
@click.argument("version")
@click.option("--yes", is_flag=True, help="Do not ask before all of a part is dropped.")
@common
@pass_shell
def down(shell: Shell, *, part: str, version: str, yes: bool) -> None:
    """Take the tables of PART back to VERSION, while no worker runs.

    What only newer tables can hold is lost; with `base` all of the part is.
    """
    from leadline.wiring import migrate_down  # noqa: PLC0415 as above

    if version == "base" and not yes:
        click.confirm(f"This drops all {part}. Go on?", abort=True, err=True)
    before = on_loop(migrate_down(settings_of(shell), cast("Part", part), version))
    write(f"{part}: {before.found or 'no tables'} -> {version}")


def _lines(versions: Iterable[Version]) -> str:
    return "\n".join(f"{v.part:<9} {v.found or 'no tables':<10} {_verdict(v)}" for v in versions)


def _verdict(version: Version) -> str:
    if version.found == version.wanted:
        return "up to date"
    return f"{version.wanted} is needed: leadline migrate up"


def _from(version: Version) -> str:
    return "no tables ->" if version.found is None else f"{version.found} ->"
