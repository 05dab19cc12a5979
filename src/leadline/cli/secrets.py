"""Commands for tenants' keys at providers: `secrets set`, `list`, `remove`, `rotate`."""

from __future__ import annotations

from typing import IO, Final

import click

from leadline.cli.held import as_format, listed, moment, noted, of_tenant, with_accounts
from leadline.cli.options import common, elsewhere
from leadline.cli.remote_held import secret_of
from leadline.cli.remote_keys import served, with_service
from leadline.cli.session import settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.ports.access import LOCAL
from leadline.ports.accounts import SecretInfo
from leadline.wiring.own_keys import checked_secret, is_used

_LIMIT: Final = 1 << 16


@click.group(
    epilog="""\b
Examples:
  leadline secrets set search.serper --tenant acme --file - < key.txt
  leadline secrets list --tenant acme
  leadline secrets set search.serper --server https://research.example.org --file key.txt
  leadline secrets rotate
"""
)
def secrets() -> None:
    """Keep tenants' keys at providers, encrypted with `LEADLINE_SECRETS__KEY`.

    What is set is never printed again.
    """


@secrets.command("set")
@click.argument("name")
@of_tenant
@click.option("--file", "file", type=click.File("r"), default="-", help="File with the secret; `-` is stdin.")
@elsewhere
@common
@pass_shell
def set_(shell: Shell, *, name: str, tenant: str, file: IO[str]) -> None:
    """Set the secret NAME, such as `search.serper`: a key, or several on lines of their own.

    Within 15 seconds every process asks that provider with it for the tenant's runs.
    """
    value = checked_secret(name, file.read(_LIMIT))
    if served(shell, tenant):
        with_service(shell, lambda client: client.secrets.set(name, value))
        shell.say(f"secret {name} is set")
        return
    noted(
        shell,
        lambda accounts: accounts.vault.put(tenant, name, value),
        tenant=tenant,
        action="secrets:set",
        object=name,
    )
    shell.say(f"secret {name} of tenant {tenant} is set")
    if not is_used(settings_of(shell), name):
        shell.say("the settings of this machine ask no such provider: the secret rests until they do")


@secrets.command("list")
@of_tenant
@as_format
@elsewhere
@common
@pass_shell
def list_(shell: Shell, *, tenant: str, format_: str) -> None:
    """List which secrets a tenant has, and by which key they are encrypted."""
    if served(shell, tenant):
        found = [secret_of(one) for one in with_service(shell, lambda client: client.secrets.list())]
    else:
        found = list(with_accounts(shell, lambda accounts: accounts.vault.list(tenant)))
    listed(shell, found, format_, line=_line, none=f"tenant {tenant} has no secrets")


@secrets.command("remove")
@click.argument("name")
@of_tenant
@elsewhere
@common
@pass_shell
def remove(shell: Shell, *, name: str, tenant: str) -> None:
    """Forget the secret NAME."""
    if served(shell, tenant):
        with_service(shell, lambda client: client.secrets.remove(name))
    else:
        noted(
            shell,
            lambda accounts: accounts.vault.delete(tenant, name),
            tenant=tenant,
            action="secrets:remove",
            object=name,
        )
    shell.say(f"secret {name} is removed")


@secrets.command("rotate")
@common
@pass_shell
def rotate(shell: Shell) -> None:
    """Encrypt everything anew with `LEADLINE_SECRETS__KEY`; the old keys can go afterwards."""
    count = noted(
        shell,
        lambda accounts: accounts.vault.rotate(),
        tenant=LOCAL,
        action="secrets:rotate",
        object="*",
    )
    write(f"{plural(count, 'secret')} encrypted anew")


def _line(secret: SecretInfo) -> tuple[str, ...]:
    return secret.key_id, moment(secret.updated_at), secret.name
