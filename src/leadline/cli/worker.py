"""`leadline worker`: a process that takes runs from the queue."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import click

from leadline.cli.options import common, setting_option
from leadline.cli.session import following, on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural


@click.command(
    epilog="""\b
Examples:
  leadline worker
  leadline worker --concurrency 64
  leadline worker --metrics-port 9101
"""
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    help="Runs at a time.  [default: the setting `worker.concurrency`]",
)
@setting_option(
    "--metrics-port",
    "metrics.port",
    type=click.IntRange(0, 65_535),
    help="Port to answer `GET /metrics` on; 0 takes a free one.",
)
@common
@pass_shell
def worker(shell: Shell, *, concurrency: int | None) -> None:
    """Take runs from the queue and carry them through, until stopped.

    SIGTERM or Ctrl-C hands back what is held, and other workers go on at once; a second one ends
    the process as it stands, and they go on when its leases have run out. SIGHUP reads the settings
    again and takes the model servers that they name now; calls under way end where they are.
    """
    from leadline.api import Leadline  # noqa: PLC0415 the whole engine: only where one is needed
    from leadline.wiring import Telemetry, telemetry  # noqa: PLC0415 as above

    settings = settings_of(shell)
    port = settings.metrics.port

    async def work(told: Telemetry) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def asked() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
            stop.set()

        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(Leadline(settings, telemetry=told))
            await stack.enter_async_context(following(shell, engine.follow_models))
            if port is not None:
                taken = await stack.enter_async_context(told.served(settings.metrics.host, port))
                write(f"metrics at http://{settings.metrics.host}:{taken}/metrics")
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, asked)
            places = concurrency or settings.worker.concurrency
            write(f"takes {plural(places, 'run')} at a time")
            await engine.work(concurrency=places, stop=stop)
        shell.say("stopped; what was held goes on elsewhere")

    with telemetry(settings, "worker", metrics=port is not None) as told:
        on_loop(work(told))
