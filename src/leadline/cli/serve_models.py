"""The command `serve-models`."""

from __future__ import annotations

from functools import partial
from typing import Final

import click

from leadline.cli.options import common, setting_option
from leadline.cli.session import following, on_fast_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.settings import Settings

_LAST_BYTES: Final = 1.0
"""Seconds that connections have when every answer has ended, or has had its time."""


@click.command(
    name="serve-models",
    epilog="""\b
Examples:
  leadline serve-models
  leadline serve-models --host 0.0.0.0 --port 8080
  leadline serve-models --new-key
""",
)
@setting_option("--host", "gateway.host", metavar="ADDRESS", help="The address to listen on.")
@setting_option(
    "--port", "gateway.port", type=click.IntRange(0, 65_535), help="The port to listen on; 0 takes a free one."
)
@click.option(
    "--new-key", is_flag=True, help="Make a key for a client and say what the file of tenants needs; serve nothing."
)
@common
@pass_shell
def serve_models(shell: Shell, *, new_key: bool) -> None:
    """Put the servers under `model` behind one OpenAI-compatible address.

    Clients are kept on the server that knows their conversation, and are sent on where one fails.
    `GET /metrics`, `/readyz` and `/healthz` tell how it does. SIGTERM lets answers under way end
    first; a second one does not. SIGHUP reads the settings again and takes the servers that they
    name now; `leadline pool` changes them without.
    """
    if new_key:
        from leadline.wiring.serving import new_key as made  # noqa: PLC0415 aiohttp is slow to import

        key, known_as = made()
        shell.say(f'in the file that `gateway.tenants` names: keys = ["{known_as}"]')
        write(key)
        return
    from leadline.wiring import telemetry  # noqa: PLC0415 as above

    settings = settings_of(shell)
    with telemetry(settings, "models"):
        on_fast_loop(_serve(shell, settings))


async def _serve(shell: Shell, settings: Settings) -> None:
    from leadline.service.serving import Leaving, Listen, serve  # noqa: PLC0415 an extra behind it
    from leadline.wiring.serving import follow_settings, open_gateway  # noqa: PLC0415 aiohttp is slow to import

    section = settings.gateway

    def started(host: str, port: int) -> None:
        at = f"[{host}]" if ":" in host else host
        shell.say(f"{plural(len(settings.model.urls), 'model server')} at http://{at}:{port}/v1")

    async def emptied() -> None:
        shell.say("answers under way may end; nothing new is taken")
        await gateway.drain()

    async with open_gateway(settings) as gateway, following(shell, partial(follow_settings, gateway)):
        listen = Listen(host=section.host, port=section.port, drain=_LAST_BYTES)
        await serve(gateway, listen, leaving=Leaving(), started=started, emptied=emptied)
