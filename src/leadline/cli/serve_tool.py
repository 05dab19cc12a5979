"""`serve-tool`: one of the tools as a service of its own."""

from __future__ import annotations

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.wire.tool_client import PORTS


@click.command(
    name="serve-tool",
    epilog="""\b
Examples:
  leadline serve-tool search
  LEADLINE_TOOLS__KEY=... leadline serve-tool visit --host 0.0.0.0
  leadline serve-tool python --port 0
""",
)
@click.argument("tool", type=click.Choice(list(PORTS)))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help=f"Port to listen on; 0 takes a free one.  [default: {', '.join(f'{n} {p}' for n, p in PORTS.items())}]",
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
@common
@pass_shell
def serve_tool(shell: Shell, *, tool: str, host: str, port: int | None, notice: float, drain: float) -> None:
    """Serve one tool over HTTP, for runs whose settings name it.

    Runs find it by `LEADLINE_TOOLS__SEARCH`, `__VISIT`, `__SCHOLAR`, `__PYTHON`, and by
    `LEADLINE_SUMMARIZER__URLS` with `__KIND=service`. Other machines are served only with the key
    under `LEADLINE_TOOLS__KEY`. Its address is printed once it takes requests; SIGTERM ends it when
    what is under way has ended.
    """
    from leadline.service.serving import Listen  # noqa: PLC0415 an extra behind it
    from leadline.service.tools.run import run_tool  # noqa: PLC0415 as above
    from leadline.wiring import telemetry  # noqa: PLC0415 as above

    listen = Listen(host=host, port=PORTS[tool] if port is None else port, notice=notice, drain=drain)
    settings = settings_of(shell)
    with telemetry(settings, "tools", metrics=True) as told:
        on_loop(run_tool(settings, tool, listen, started=write, telemetry=told))
