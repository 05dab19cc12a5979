"""Commands for the servers of a gateway that runs: `pool list`, `add`, `drain`, `remove`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from leadline.cli.held import as_format, table
from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, line_of, pass_shell, write
from leadline.errors import ServiceError
from leadline.wiring.pool_desk import REMOVED, PoolDesk

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_ALONE = "Also where no other server would be in service."


def _of_gateway(command: F) -> F:
    return click.option(
        "--gateway", metavar="URL", help="The gateway to ask.  [default: that of the settings, on this machine]"
    )(command)


def _asked(shell: Shell, gateway: str | None, work: Callable[[PoolDesk], Awaitable[T]]) -> T:
    desk = PoolDesk(settings_of(shell), gateway)

    async def inside() -> T:
        return await work(desk)

    return on_loop(inside())


@click.group(
    epilog="""\b
Examples:
  leadline pool list
  leadline pool add http://10.0.0.5:8000/v1 --weight 2
  leadline pool drain http://10.0.0.1:8000/v1
  leadline pool remove http://10.0.0.1:8000/v1 --wait 600
"""
)
def pool() -> None:
    """Change the model servers of a gateway (`leadline serve-models`) while it runs; no call is cut.

    Needs the key `gateway.admin_key`, here and at the gateway. What is changed lasts until the gateway
    ends or reads its settings again: write into `model.urls` what is to last longer.
    """


@pool.command("list")
@_of_gateway
@as_format
@common
@pass_shell
def list_(shell: Shell, *, gateway: str | None, format_: str) -> None:
    """List the servers, and how each stands."""
    found = _asked(shell, gateway, lambda desk: desk.servers())
    if format_ == "json":
        write("".join(line_of(server) for server in found))
    else:
        write(table([(one["state"], f"{one['in_flight']} in flight", one["url"]) for one in found]))


@pool.command("add")
@click.argument("url")
@click.option("--weight", type=click.FloatRange(0, 1e6, min_open=True), help="Its share of the load; 1 unless given.")
@click.option("--concurrency", type=click.IntRange(1), help="Requests that it gets at a time.")
@_of_gateway
@common
@pass_shell
def add(shell: Shell, *, url: str, weight: float | None, concurrency: int | None, gateway: str | None) -> None:
    """Take a server in, or one back in that is drained."""
    told = _asked(shell, gateway, lambda desk: desk.add(url, weight=weight, concurrency=concurrency))
    shell.say(f"{told.url}: {told.state}")


@pool.command("drain")
@click.argument("url")
@click.option("--force", is_flag=True, help=_ALONE)
@_of_gateway
@common
@pass_shell
def drain(shell: Shell, *, url: str, force: bool, gateway: str | None) -> None:
    """Send nothing new to a server; what it has goes on. `add` takes it back in."""
    told = _asked(shell, gateway, lambda desk: desk.drain(url, force=force))
    shell.say(f"{told.url}: {told.state}")


@pool.command("remove")
@click.argument("url")
@click.option("--force", is_flag=True, help=_ALONE)
@click.option(
    "--wait", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds to wait for its last answer."
)
@_of_gateway
@common
@pass_shell
def remove(shell: Shell, *, url: str, force: bool, wait: float, gateway: str | None) -> None:
    """Drain a server, and take it out when its last answer has ended."""
    told = _asked(shell, gateway, lambda desk: desk.remove(url, force=force, wait=wait))
    if wait and told.state != REMOVED:
        raise ServiceError(f"{told.url} still answers after {wait:g} s: nothing new goes there, and it leaves then")
    shell.say(f"{told.url}: {told.state}")
