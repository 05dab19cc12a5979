"""The command for the audit log: `audit`."""

from __future__ import annotations

import click

from leadline.cli.held import as_format, moment, of_tenant, table, with_accounts
from leadline.cli.options import common, elsewhere
from leadline.cli.remote_held import audit_of
from leadline.cli.remote_keys import served, with_service
from leadline.cli.shell import Shell, line_of, pass_shell, write
from leadline.codec import orjson_tree
from leadline.errors import CheckFailed, InputError
from leadline.ports.accounts import AuditEntry


@click.command(
    epilog="""\b
Examples:
  leadline audit --tenant acme --limit 20
  leadline audit --verify
  leadline audit --verify --entry 1204 --hash 5f3a...
  leadline audit --server https://research.example.org
"""
)
@of_tenant
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Entries at most.")
@click.option("--verify", is_flag=True, help="Compute the whole chain of hashes again.")
@click.option("--entry", type=click.IntRange(1), help="With `--verify`: this entry must have the hash `--hash`.")
@click.option("--hash", "head", help="A hash that an earlier `--verify` printed.")
@as_format
@elsewhere
@common
@pass_shell
def audit(
    shell: Shell, *, tenant: str, limit: int, verify: bool, entry: int | None, head: str | None, format_: str
) -> None:
    """Print who did what, newest first, or check that nothing was changed.

    `--verify` prints the number of the last entry and its hash. Kept elsewhere, they show later
    that the log was not cut or written anew: give them back with `--entry` and `--hash`.
    """
    remote = served(shell, tenant)
    if verify:
        if remote:
            raise InputError("the chain is everybody's: `--verify` is for the machine that keeps it")
        _verify(shell, entry, head)
        return
    if remote:
        found = with_service(shell, lambda client: audit_of(client, limit))
    else:
        found = with_accounts(shell, lambda accounts: accounts.audit.list(tenant, limit=limit))
    if format_ == "json":
        text = "".join(line_of(orjson_tree(one)) for one in found)
    else:
        text = table([_entry(one) for one in found])
    if text:
        write(text)
    else:
        shell.say(f"nothing is written down of tenant {tenant}")


def _verify(shell: Shell, entry: int | None, head: str | None) -> None:
    if (entry is None) != (head is None):
        raise click.UsageError("`--entry` and `--hash` belong together")
    verdict = with_accounts(shell, lambda accounts: accounts.audit.verify(seq=entry or 0, head=head or ""))
    if verdict.broken is not None:
        raise CheckFailed(f"the audit log does not stand at entry {verdict.broken}: {verdict.reason}")
    write(f"{verdict.entries} {verdict.head}")


def _entry(entry: AuditEntry) -> tuple[str, ...]:
    deed = entry.deed
    return str(entry.seq), moment(entry.at), deed.outcome, deed.actor, deed.action, deed.source, deed.object
