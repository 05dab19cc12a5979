"""`leadline serve`: the HTTP service."""

from __future__ import annotations

import asyncio
import socket
import sys
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final

import click

from leadline.cli.options import common
from leadline.cli.session import following, on_fast_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write

PORT: Final = 8000


@click.command(
    epilog="""\b
Examples:
  leadline serve
  leadline keys create --name me --role admin && leadline serve --host 0.0.0.0
  leadline serve --workers 4
"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes behind the one port."
)
@click.option(
    "--notice",
    type=click.FloatRange(0, 600),
    default=0.0,
    show_default=True,
    help="Seconds after SIGTERM for which `/readyz` says no while requests are still taken.",
)
@click.option(
    "--drain",
    type=click.FloatRange(1, 3_600),
    default=30.0,
    show_default=True,
    help="Seconds that requests under way have after that.",
)
@click.option("--listening", type=click.IntRange(0), hidden=True, help="The socket that a parent process holds.")
@common
@pass_shell
def serve(
    shell: Shell, *, host: str, port: int, workers: int, notice: float, drain: float, listening: int | None
) -> None:
    """Serve research over HTTP: ask, watch, read reports and their evidence.

    With the engine `embedded` the processes carry the runs themselves, as many at a time as
    `worker.concurrency` says; else they only queue them, for `leadline worker`. Until there is a key
    (`leadline keys create`) only this machine is served. SIGTERM hands back the runs that are held,
    lets streams come back elsewhere, and ends when requests under way have ended. SIGHUP reads the
    settings again and takes the model servers that they name now.
    """
    from leadline.service.crew import Crew  # noqa: PLC0415 an extra behind it
    from leadline.service.run import check_keys, run_service  # noqa: PLC0415 as above
    from leadline.service.serving import Listen  # noqa: PLC0415 as above
    from leadline.wiring.telemetry import SHARED_FOLDER, process_gone, telemetry  # noqa: PLC0415 as above

    listen = Listen(host=host, port=port, notice=notice, drain=drain)
    settings = settings_of(shell)
    if workers > 1 and listening is None:
        asyncio.run(check_keys(settings, host))
        with telemetry(settings, "service"), TemporaryDirectory(prefix="leadline-metrics-") as counts:
            command = ["env", f"{SHARED_FOLDER}={counts}", sys.executable, "-m", "leadline", *sys.argv[1:]]
            crew = Crew(command, count=workers, gone=process_gone(counts))
            code = asyncio.run(crew.run(listen, started=write))
        raise click.exceptions.Exit(code)
    taken = None if listening is None else socket.socket(fileno=listening)
    if taken is not None:
        taken.setblocking(False)
    with telemetry(settings, "service", metrics=True) as told:
        follow = partial(following, shell)
        on_fast_loop(run_service(settings, listen, started=write, taken=taken, telemetry=told, following=follow))
