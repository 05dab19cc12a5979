"""`leadline ship`: the event log by hand."""

from __future__ import annotations

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural


@click.command(
    epilog="""\b
Examples:
  leadline ship
  leadline ship --status
"""
)
@click.option("--status", is_flag=True, help="Print how far the log is behind, and ship nothing.")
@common
@pass_shell
def ship(shell: Shell, *, status: bool) -> None:
    """Ship to the event log what the journal holds and the log has not got.

    Workers and services ship by themselves; this is for machines on which none runs.
    """
    from leadline.wiring.shipping import opened_log  # noqa: PLC0415 the store: only where it is needed

    settings = settings_of(shell)

    async def work() -> str:
        async with opened_log(settings) as log:
            if status:
                lag = await log.lag()
                behind = f"{plural(lag.rows, 'event')} behind, the oldest of {lag.seconds:.0f} s ago"
                return f"{log.address}: {behind if lag.rows else 'nothing is behind'}"
            count = await log.ship()
            return "another process ships now" if count is None else f"shipped {plural(count, 'event')}"

    write(on_loop(work()))
