"""Commands for tenants: `tenants create`, `list`, `limit`, `disable`, `enable`."""

from __future__ import annotations

import click

from leadline.cli.held import as_format, listed, moment, noted, with_accounts
from leadline.cli.options import common
from leadline.cli.shell import Shell, pass_shell
from leadline.ports.accounts import Tenant


@click.group(
    epilog="""\b
Examples:
  leadline tenants create acme --name "Acme Ltd"
  leadline tenants limit acme --usd 25 --tokens 20000000
  leadline tenants disable acme
"""
)
def tenants() -> None:
    """Make, list, limit and disable tenants.

    A tenant's runs, documents and keys are kept apart from all others'. `local` is this machine's
    own user.
    """


@tenants.command("create")
@click.argument("tenant", metavar="ID")
@click.option("--name", help="What people call it.  [default: the id]")
@common
@pass_shell
def create(shell: Shell, *, tenant: str, name: str | None) -> None:
    """Make the tenant ID: lower-case letters, digits and hyphens."""
    noted(
        shell,
        lambda accounts: accounts.tenants.create(tenant, name=name or tenant),
        tenant=tenant,
        action="tenants:create",
        object=tenant,
    )
    shell.say(f"tenant {tenant} is there; make it a key with: leadline keys create --tenant {tenant}")


@tenants.command("list")
@as_format
@common
@pass_shell
def list_(shell: Shell, *, format_: str) -> None:
    """List all tenants."""
    found = with_accounts(shell, lambda accounts: accounts.tenants.list())
    listed(shell, found, format_, line=_line)


@tenants.command("limit")
@click.argument("tenant", metavar="ID")
@click.option("--tokens", type=click.IntRange(1), help="Tokens in a day (UTC).")
@click.option("--usd", type=click.FloatRange(0, min_open=True), help="US dollars in a day (UTC).")
@common
@pass_shell
def limit(shell: Shell, *, tenant: str, tokens: int | None, usd: float | None) -> None:
    """Set the tenant's own daily budget; what is not given is what holds for everybody."""
    noted(
        shell,
        lambda accounts: accounts.tenants.limit(tenant, tokens_per_day=tokens, usd_per_day=usd),
        tenant=tenant,
        action="tenants:limit",
        object=tenant,
    )
    shell.say(f"tenant {tenant}: {_budget(tokens, usd)}")


@tenants.command("disable")
@click.argument("tenant", metavar="ID")
@common
@pass_shell
def disable(shell: Shell, *, tenant: str) -> None:
    """Refuse all of a tenant's keys, links and tokens, and let its schedules rest; nothing is deleted."""
    _switch(shell, tenant, disabled=True)


@tenants.command("enable")
@click.argument("tenant", metavar="ID")
@common
@pass_shell
def enable(shell: Shell, *, tenant: str) -> None:
    """Accept a disabled tenant's keys again."""
    _switch(shell, tenant, disabled=False)


def _switch(shell: Shell, tenant: str, *, disabled: bool) -> None:
    verb = "disable" if disabled else "enable"
    noted(
        shell,
        lambda accounts: accounts.tenants.disable(tenant, disabled=disabled),
        tenant=tenant,
        action=f"tenants:{verb}",
        object=tenant,
    )
    shell.say(f"tenant {tenant} is {verb}d")


def _line(tenant: Tenant) -> tuple[str, ...]:
    state = "active" if tenant.disabled_at is None else "disabled"
    return tenant.id, state, moment(tenant.created_at), _budget(tenant.tokens_per_day, tenant.usd_per_day), tenant.name


def _budget(tokens: int | None, usd: float | None) -> str:
    parts = [] if tokens is None else [f"{tokens:,} tokens a day"]
    parts += [] if usd is None else [f"${usd:,.2f} a day"]
    return ", ".join(parts) or "no budget of its own"
