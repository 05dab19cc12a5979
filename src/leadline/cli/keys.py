"""Commands for keys of the service: `keys create`, `list`, `rotate`, `revoke`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import click

from leadline.cli.held import as_format, listed, moment, noted, of_tenant, operator, with_accounts
from leadline.cli.options import common, elsewhere
from leadline.cli.remote_keys import key_of, made_of, served, with_service
from leadline.cli.shell import Shell, pass_shell, write
from leadline.codec import orjson_tree
from leadline.ports.access import LOCAL, Action, Role
from leadline.ports.accounts import Key, MadeKey
from leadline.resilience import SystemClock

if TYPE_CHECKING:
    from leadline.wiring.accounts import Accounts

_DAY: Final = 86_400.0
_of_whoever: Final = click.option("--tenant", metavar="ID", help="Whose.  [default: whoever has the key]")


@click.group(
    epilog="""\b
Examples:
  leadline keys create --name laptop --role researcher
  leadline keys create --tenant acme --name reports --role reader --expires 90
  leadline keys rotate 5c1f0a9be2d34417 --grace 24
  leadline keys revoke 5c1f0a9be2d34417
"""
)
def keys() -> None:
    """Make, list, rotate and revoke keys of the service.

    A key belongs to a tenant and has a role: `reader`, `researcher` or `admin`. It is shown once,
    when it is made; what is stored cannot be turned back into it.
    """


@keys.command("create")
@of_tenant
@click.option("--name", required=True, help="What it is for; for people.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may do.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([action.value for action in Action]),
    help="Narrow it to this; may be given several times.  [default: all that the role permits]",
)
@click.option("--expires", type=click.FloatRange(0, min_open=True), metavar="DAYS", help="How long it is accepted.")
@elsewhere
@common
@pass_shell
def create(shell: Shell, *, tenant: str, name: str, role: str, scopes: tuple[str, ...], expires: float | None) -> None:
    """Make a key and print it: this once, on stdout, and nowhere else."""
    if served(shell, tenant):
        asked = with_service(
            shell,
            lambda client: client.make_key(name=name, role=role, scopes=scopes or None, expires_in_days=expires),
        )
        _show(shell, made_of(asked))
        return
    made = noted(
        shell,
        lambda accounts: accounts.keys.create(
            tenant,
            name=name,
            role=Role(role),
            made_by=operator(),
            scopes=frozenset(map(Action, scopes)) if scopes else None,
            expires_at=None if expires is None else SystemClock().now() + expires * _DAY,
        ),
        tenant=tenant,
        action="keys:create",
        object=_id_of,
    )
    _show(shell, made)


@keys.command("list")
@of_tenant
@as_format
@elsewhere
@common
@pass_shell
def list_(shell: Shell, *, tenant: str, format_: str) -> None:
    """List a tenant's keys, newest first, without their secrets."""
    if served(shell, tenant):
        found = [key_of(key) for key in with_service(shell, lambda client: client.keys())]
    else:
        found = list(with_accounts(shell, lambda accounts: accounts.keys.list(tenant)))
    line = partial(_line, now=SystemClock().now())
    listed(shell, found, format_, line=line, row=_row, none=f"tenant {tenant} has no keys")


@keys.command("rotate")
@click.argument("key_id", metavar="KEY")
@_of_whoever
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long the old key is accepted beside the new one.",
)
@elsewhere
@common
@pass_shell
def rotate(shell: Shell, *, key_id: str, tenant: str | None, grace: float) -> None:
    """Make a like key in place of KEY and print it."""
    if served(shell, tenant or LOCAL):
        asked = with_service(shell, lambda client: client.rotate_key(key_id, grace_hours=grace))
        _show(shell, made_of(asked))
        return
    owner = tenant or _owner(shell, key_id)
    made = noted(
        shell,
        lambda accounts: accounts.keys.rotate(owner, key_id, grace=grace * 3600.0, made_by=operator()),
        tenant=owner,
        action="keys:rotate",
        object=key_id,
    )
    _show(shell, made)


@keys.command("revoke")
@click.argument("key_id", metavar="KEY")
@_of_whoever
@elsewhere
@common
@pass_shell
def revoke(shell: Shell, *, key_id: str, tenant: str | None) -> None:
    """Refuse KEY from now on, for good."""
    if served(shell, tenant or LOCAL):
        with_service(shell, lambda client: client.revoke_key(key_id))
    else:
        owner = tenant or _owner(shell, key_id)
        noted(
            shell,
            lambda accounts: accounts.keys.revoke(owner, key_id),
            tenant=owner,
            action="keys:revoke",
            object=key_id,
        )
    shell.say(f"key {key_id} is revoked")


def _owner(shell: Shell, key_id: str) -> str:
    """Return whose a key is: a runbook knows the key alone. Of one that nobody has, `local`, where it is refused."""

    async def look(accounts: Accounts) -> str:
        for tenant in await accounts.tenants.list():
            if any(key.id == key_id for key in await accounts.keys.list(tenant.id)):
                return tenant.id
        return LOCAL

    return with_accounts(shell, look)


def _id_of(made: MadeKey) -> str:
    return made.key.id


def _show(shell: Shell, made: MadeKey) -> None:
    key = made.key
    whose = f" of tenant {key.tenant}" if key.tenant else ""
    shell.say(f"key {key.id}{whose}, {key.role}; keep it now, it is not shown again")
    write(made.credential)


def _row(key: Key) -> dict[str, object]:
    scopes = None if key.scopes is None else sorted(key.scopes)
    return {**orjson_tree(key), "scopes": scopes}


def _line(key: Key, *, now: float) -> tuple[str, ...]:
    state = "revoked" if key.revoked_at is not None else "valid" if key.valid(now) else "expired"
    used = f"used {moment(key.last_used_at)}"
    return key.id, key.role, state, f"until {moment(key.expires_at)}", used, key.name
