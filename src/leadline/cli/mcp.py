"""`leadline mcp`: research for a host of the Model Context Protocol, and the tools of other servers, pinned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leadline.cli.options import common, elsewhere, sources
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, clean, pass_shell, write
from leadline.errors import InputError, MissingExtra
from leadline.settings import Settings

if TYPE_CHECKING:
    from leadline.wiring.external import McpServers, Standing


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  leadline mcp
  leadline mcp --docs ./papers
  leadline mcp --server https://research.example.org
  leadline mcp tools wiki
  leadline mcp pin wiki
""",
)
@sources
@click.option(
    "--web/--no-web", default=None, help="Whether runs may read the web.  [default: where no documents are named]"
)
@elsewhere
@common
@pass_shell
@click.pass_context
def mcp(ctx: click.Context, shell: Shell, *, docs: tuple[Path, ...], web: bool | None) -> None:
    """Serve the host that started this program, over standard input and output.

    It offers `research_start`, `research_status`, `research_result`, `research_cancel`, `search` and
    `visit`. A service offers the same at `/mcp`.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(shell)
    if settings.server.url is not None and docs:
        raise InputError("a service does not see files of this machine: give either `--docs` or `--server`")
    on_loop(_serve(settings, docs=docs, web=not docs if web is None else web))


@mcp.command("tools", epilog="\b\nExample:\n  leadline mcp tools wiki\n")
@click.argument("name", required=False)
@common
@pass_shell
def tools(shell: Shell, *, name: str | None) -> None:
    """List what the tool servers offer, or all that the server NAME says of its tools.

    Only tools that are pinned, and described as they were then, are given to runs.
    """

    async def work(servers: McpServers) -> str:
        if name is None:
            return "".join([_lines(one, await servers.named(one).standing()) for one in servers.names])
        return "".join(_whole(standing) for standing in await servers.named(name).standing())

    text = _with_servers(shell, work)
    if text:
        write(text)
    else:
        shell.say("no tool server is set: see [mcp.servers] in the settings")


@mcp.command("pin", epilog="\b\nExample:\n  leadline mcp pin wiki\n")
@click.argument("name")
@common
@pass_shell
def pin(shell: Shell, *, name: str) -> None:
    """Pin the tools of the server NAME as it describes them now; look at them first with `mcp tools NAME`."""

    async def work(servers: McpServers) -> str:
        return _lines(name, await servers.named(name).pin())

    write(_with_servers(shell, work) or f"{name} has no tools")


async def _serve(settings: Settings, *, docs: Sequence[Path], web: bool) -> None:
    try:
        from leadline.service.mcp.server import serve_stdio  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("`leadline mcp` needs an extra: pip install 'leadline[mcp]'") from error
    from leadline.api import Leadline  # noqa: PLC0415 the whole engine: only where one is needed
    from leadline.cli.desks import ClientDesk, LocalDesk  # noqa: PLC0415 as above
    from leadline.client import AsyncClient  # noqa: PLC0415 as above

    server = settings.server
    if server.url is not None:
        async with AsyncClient(server.url, key=None if server.key is None else server.key.reveal()) as client:
            await serve_stdio(ClientDesk(client))
        return
    async with Leadline(settings) as engine:
        await serve_stdio(LocalDesk(engine, docs=docs, web=web))


def _with_servers(shell: Shell, work: Callable[[McpServers], Awaitable[str]]) -> str:
    settings = settings_of(shell)

    async def inside() -> str:
        from leadline.api import Leadline  # noqa: PLC0415 as above

        async with Leadline(settings) as engine:
            return await work(await engine.external.servers())

    return on_loop(inside())


def _lines(server: str, found: Sequence[Standing]) -> str:
    return "".join(f"{server}  {clean(one.tool.name)}  {one.refused or 'pinned'}\n" for one in found)


def _whole(standing: Standing) -> str:
    """Return all that a server says of a tool, for whoever decides whether a model may read it."""
    tool: Any = standing.tool
    lines = [
        f"{clean(tool.name)}  ({standing.refused or 'pinned'})",
        f"  hash         {tool.digest}",
        f"  changes      {'nothing, or the same again' if tool.idempotent else 'it may change something'}",
        *(f"  {line}" for line in clean(tool.description).splitlines()),
        f"  arguments    {', '.join(map(clean, tool.schema.get('properties', {}))) or 'none'}",
    ]
    return "\n".join(lines) + "\n"
