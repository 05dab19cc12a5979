"""Commands for what is kept: `index`, `gc`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from leadline.cli.engine import Engine, Indexed
from leadline.cli.options import common, watching
from leadline.cli.session import settings_of, with_engine
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.cli.views import view_for


@click.command(
    epilog="""\b
Examples:
  leadline index ./docs
  leadline index papers/ notes.md
"""
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@watching
@common
@pass_shell
def index(shell: Shell, *, paths: tuple[Path, ...]) -> None:
    """Index documents before a question comes; `ask --docs` does it by itself.

    Only what changed is read again; what is gone is forgotten.
    """

    async def work(engine: Engine) -> Indexed:
        with view_for(shell) as view:
            return await engine.index(paths, view.indexing)

    found = with_engine(shell, work)
    not_read(shell.say, found)
    write(summary(found))


@click.command(
    epilog="""\b
Examples:
  leadline gc --older-than 90
  leadline gc
"""
)
@click.option(
    "--older-than",
    type=click.FloatRange(0),
    metavar="DAYS",
    help="Age of the runs to delete.  [default: the setting `retention.days`]",
)
@common
@pass_shell
def gc(shell: Shell, *, older_than: float | None) -> None:
    """Delete ended runs above an age, and what no run refers to, of all tenants.

    Without an age, no run is deleted.
    """
    days = older_than if older_than is not None else settings_of(shell).retention.days
    swept = with_engine(shell, lambda engine: engine.gc(older_than_days=days))
    write(f"{plural(swept.runs, 'run')} deleted, {swept.bytes / 1e6:,.1f} MB freed")


NOTHING: Final = "none of the documents can be searched: there are none, none could be read, or all are empty"
"""What is said of documents of which an index holds none."""


def not_read(say: Callable[[str], None], found: Indexed, *, warn: bool = True) -> None:
    """Name what an index does not hold, with the reason; `warn` where that leaves nothing."""
    for document in found.failed:
        called = f"`{document.name}`"
        named = document.reason.startswith(called)
        reason = document.reason.removeprefix(called) if named else f": {document.reason}"
        say(f"not read: {document.name}{reason}")
    if warn and not found.documents:
        say(f"warning: {NOTHING}")
    for warning in found.warnings:
        say(f"warning: {warning}")


def summary(found: Indexed) -> str:
    """Return what an index holds and what changed in it, for a person."""
    changes = (
        f"{found.added:,} added, {found.changed:,} changed, {found.removed:,} removed, {found.unchanged:,} unchanged"
    )
    lines = [f"{plural(found.documents, 'document')} in {found.seconds:.1f} s: {changes}"]
    if found.skipped:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in found.skipped.items())
        lines.append(f"skipped: {counts}")
    if found.failed:
        lines.append(f"not read: {len(found.failed):,}")
    if found.embedded or found.pending:
        waiting = f", {found.pending:,} wait for the next time" if found.pending else ""
        lines.append(f"embedded: {plural(found.embedded, 'passage')}{waiting}")
    return "\n".join(lines)
