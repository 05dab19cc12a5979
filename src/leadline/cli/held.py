"""A command's time with the accounts: opened, and what was done written down."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from leadline.cli.session import on_loop, quiet_log, settings_of
from leadline.cli.shell import Shell, line_of, write
from leadline.codec import orjson_tree
from leadline.errors import LeadlineError
from leadline.ports.access import LOCAL
from leadline.ports.accounts import Deed, Outcome

if TYPE_CHECKING:
    from leadline.wiring.accounts import Accounts

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def of_tenant(command: F) -> F:
    """Add the option that says whose objects are meant."""
    return click.option("--tenant", default=LOCAL, show_default=True, metavar="ID", help="Whose.")(command)


def as_format(command: F) -> F:
    """Add the option that chooses between text and JSON lines."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(("text", "json")),
        default="text",
        show_default=True,
        help="A table, or a JSON line for each.",
    )(command)


def with_accounts(shell: Shell, work: Callable[[Accounts], Awaitable[T]]) -> T:
    """Return what `work` gives, with the accounts open while it lasts."""
    settings = settings_of(shell)
    quiet_log(debug=shell.debug)

    async def inside() -> T:
        from leadline.wiring.accounts import open_accounts  # noqa: PLC0415 adapters are slow to import

        async with open_accounts(settings) as accounts:
            return await work(accounts)

    return on_loop(inside())


def noted(
    shell: Shell,
    work: Callable[[Accounts], Awaitable[T]],
    *,
    tenant: str,
    action: str,
    object: Callable[[T], str] | str,
) -> T:
    """Do something and write it into the audit log, also where it fails."""
    kind = action.partition(":")[0]

    async def inside(accounts: Accounts) -> T:
        def deed(what: str, outcome: Outcome) -> Deed:
            return Deed(
                tenant=tenant,
                actor=operator(),
                action=action,
                kind=kind,
                object=what,
                source="cli",
                outcome=outcome,
            )

        try:
            result = await work(accounts)
        except LeadlineError:
            await accounts.audit.append(deed(object if isinstance(object, str) else "", Outcome.FAILED))
            raise
        await accounts.audit.append(deed(object if isinstance(object, str) else object(result), Outcome.DONE))
        return result

    return with_accounts(shell, inside)


def operator() -> str:
    """Return how the audit log calls whoever uses the command line."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user without a name, as containers have
        name = str(os.getuid())
    return f"operator:{name}"


def moment(at: float | None) -> str:
    """Return a time for a table, in UTC; `-` for none."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")


def listed(
    shell: Shell,
    found: Sequence[T],
    format_: str,
    *,
    line: Callable[[T], tuple[str, ...]],
    row: Callable[[T], dict[str, Any]] = orjson_tree,
    none: str = "",
) -> None:
    """Write what was found as `as_format` asks: a JSON line or a line of a table for each; say `none` where none is."""
    if not found and none:
        shell.say(none)
    elif format_ == "json":
        write("".join(line_of(row(one)) for one in found))
    else:
        write(table([line(one) for one in found]))


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as aligned columns, the last one as long as it is."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
