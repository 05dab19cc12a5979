"""Run one tool's service in this process, from settings to the end of its drain."""

from __future__ import annotations

from collections.abc import Callable

from leadline.errors import MissingExtra
from leadline.service.keys import check_host
from leadline.service.serving import EXTRA, Leaving, Listen, serve
from leadline.settings import Settings
from leadline.wiring.telemetry import Telemetry
from leadline.wiring.tool_host import tool_host


async def run_tool(
    settings: Settings,
    tool: str,
    listen: Listen,
    *,
    started: Callable[[str], None],
    telemetry: Telemetry | None = None,
) -> None:
    """Serve `tool` until a signal. `started` gets its address once it takes requests.

    `telemetry` is what this process tells of itself; where it counts, `/metrics` is answered.
    Raises `SettingsError` for what cannot work or must not (no key, yet others may ask), `ToolFailed`
    where the tool cannot do its work here, `InputError` where the port cannot be had.
    """
    try:
        from leadline.service.tools.app import tool_app  # noqa: PLC0415 an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(EXTRA) from error
    key = settings.tools.key.reveal() if settings.tools.key else ""
    check_host(listen.host, has_key=bool(key), setting="LEADLINE_TOOLS__KEY")
    leaving = Leaving()

    def tell(host: str, port: int) -> None:
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    told = telemetry or Telemetry()
    async with tool_host(settings, tool, signals=told.signals) as host:
        await host.prove(tool)
        app = tool_app(host, tool, key=key, leaving=leaving, telemetry=told)
        await serve(app, listen, leaving=leaving, started=tell)
