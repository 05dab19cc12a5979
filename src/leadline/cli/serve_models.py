"""The command `serve-models`."""

from __future__ import annotations

import click

from leadline.cli.listening import listen
from leadline.cli.options import common, setting_option
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.settings import Settings


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
    first; a second one does not.
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
        on_loop(_serve(shell, settings))


async def _serve(shell: Shell, settings: Settings) -> None:
    from leadline.wiring.serving import model_gateway  # noqa: PLC0415 aiohttp is slow to import

    gateway = model_gateway(settings)

    def listens(url: str) -> None:
        shell.say(f"{plural(len(settings.model.urls), 'model server')} at {url}/v1")

    async def drain() -> None:
        shell.say("answers under way may end; nothing new is taken")
        await gateway.drain()

    await listen(gateway, host=settings.gateway.host, port=settings.gateway.port, drain=drain, listens=listens)
