"""Commands for tenants' keys at providers: `secrets set`, `list`, `remove`, `rotate`."""

from __future__ import annotations

from typing import IO, Final

import click

from leadline.cli.held import as_format, moment, noted, of_tenant, table, with_accounts
from leadline.cli.options import common
from leadline.cli.shell import Shell, line_of, pass_shell, write
from leadline.cli.story import plural
from leadline.codec import orjson_tree
from leadline.errors import InputError
from leadline.ports.access import LOCAL

_LIMIT: Final = 1 << 16


@click.group(
    epilog="""\b
Examples:
  leadline secrets set search.serper --tenant acme --file - < key.txt
  leadline secrets list --tenant acme
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
@common
@pass_shell
def set_(shell: Shell, *, name: str, tenant: str, file: IO[str]) -> None:
    """Set the secret NAME, such as `search.serper`."""
    value = file.read(_LIMIT).strip()
    if not value:
        raise InputError("the secret is empty")
    noted(
        shell,
        lambda accounts: accounts.vault.put(tenant, name, value),
        tenant=tenant,
        action="secrets:set",
        object=name,
    )
    shell.say(f"secret {name} of tenant {tenant} is set")


@secrets.command("list")
@of_tenant
@as_format
@common
@pass_shell
def list_(shell: Shell, *, tenant: str, format_: str) -> None:
    """List which secrets a tenant has, and by which key they are encrypted."""
    found = with_accounts(shell, lambda accounts: accounts.vault.list(tenant))
    if format_ == "json":
        text = "".join(line_of(orjson_tree(one)) for one in found)
    else:
        text = table([(one.key_id, moment(one.updated_at), one.name) for one in found])
    if text:
        write(text)
    else:
        shell.say(f"tenant {tenant} has no secrets")


@secrets.command("remove")
@click.argument("name")
@of_tenant
@common
@pass_shell
def remove(shell: Shell, *, name: str, tenant: str) -> None:
    """Forget the secret NAME."""
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
