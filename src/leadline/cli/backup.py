"""Commands for backups: `backup`, `backup verify`, `restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from leadline.cli.options import common
from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell, pass_shell, write
from leadline.cli.story import plural
from leadline.errors import CheckFailed, InputError
from leadline.settings import Settings
from leadline.settings.backup import SHORTEST

if TYPE_CHECKING:
    from leadline.ops.backup import Backup, Checked
    from leadline.ops.restore import Restored

_MAKE: Final = "to"
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


class _ToFolder(click.Group):
    """A group whose first word is a folder, unless it names a command: `backup FOLDER` is `backup to FOLDER`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in, where it is left out."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [_MAKE, *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_ToFolder,
    subcommand_metavar="DEST | COMMAND [ARGS]...",
    epilog="""\b
Examples:
  leadline backup /backup/leadline
  leadline backup /backup/leadline --incremental
  leadline backup verify /backup/leadline
""",
)
def backup() -> None:
    """Copy all that is kept, while the service runs, and check copies.

    `backup DEST` is short for `backup to DEST`. Runs, journals, stored texts, accounts, hashes of
    keys and encrypted secrets are copied; settings and the key of the secrets are not.
    """


@backup.command(
    _MAKE,
    epilog="""\b
Examples:
  leadline backup /backup/leadline --incremental
  leadline backup /backup/leadline --encrypt
""",
)
@click.argument("folder", metavar="DEST", type=_FOLDER)
@click.option("--incremental", is_flag=True, help="Copy only the stored texts that DEST does not have.")
@click.option(
    "--encrypt",
    is_flag=True,
    help="Encrypt what is written into a new DEST, by a passphrase; one that is set says so too.",
)
@common
@pass_shell
def to(shell: Shell, *, folder: Path, incremental: bool, encrypt: bool) -> None:
    """Write a backup into the folder DEST, and read back what was written.

    DEST is new, or holds earlier backups, which stay. An encrypted one needs its passphrase:
    LEADLINE_BACKUP__PASSPHRASE, or asked for on a terminal. While that is set nothing is written unencrypted.
    """
    from leadline.ops.backup import back_up  # noqa: PLC0415 the whole engine: only where one is needed
    from leadline.ops.backup_place import is_encrypted  # noqa: PLC0415 as above

    settings = settings_of(shell)
    known = is_encrypted(folder)
    wanted = encrypt or settings.backup.passphrase is not None
    passphrase = _passphrase(settings, new=not known) if wanted or known else None
    made = on_loop(back_up(settings, folder, incremental=incremental, passphrase=passphrase))
    write(_made(made))
    _tell_keys(shell, made.secret_keys)
    if made.lost:
        raise CheckFailed(
            f"{plural(len(made.lost), 'stored object')} could not be read and are not in the backup, "
            f"the first one {made.lost[0]}; all else is"
        )


@backup.command(epilog="\b\nExample:\n  leadline backup verify /backup/leadline\n")
@click.argument("folder", metavar="SRC", type=_FOLDER)
@click.option("--id", "id", metavar="ID", help="Which backup of the folder.  [default: the newest]")
@common
@pass_shell
def verify(shell: Shell, *, folder: Path, id: str | None) -> None:
    """Read a backup through: every file against its sum, every stored text against its hash."""
    from leadline.ops.backup import verify as check  # noqa: PLC0415 as above
    from leadline.ops.backup_place import is_encrypted  # noqa: PLC0415 as above

    passphrase = _known(settings_of(shell), encrypted=is_encrypted(folder))
    found = on_loop(check(folder, id=id, passphrase=passphrase))
    for unfinished in found.unfinished:
        shell.say(f"warning: the backup {unfinished} is not finished: its writing was cut off")
    for problem in found.problems:
        shell.say(problem)
    write(_checked(found))
    if found.problems:
        raise CheckFailed(f"the backup {found.id} is damaged: {plural(len(found.problems), 'problem')}")


@click.command(
    epilog="""\b
Examples:
  leadline restore /backup/leadline
  leadline restore /backup/leadline --id 20261123T143000Z --data-dir /srv/leadline
"""
)
@click.argument("folder", metavar="SRC", type=_FOLDER)
@click.option("--id", "id", metavar="ID", help="Which backup of the folder.  [default: the newest]")
@common
@pass_shell
def restore(shell: Shell, *, folder: Path, id: str | None) -> None:
    """Put a backup into the empty servers that the settings name, and prove it.

    The backup is read through before anything is written. Afterwards every report is held against
    its sources. Start services and workers when it is done.
    """
    from leadline.ops.backup_place import is_encrypted  # noqa: PLC0415 the whole engine: only where one is needed
    from leadline.ops.restore import restore as put_back  # noqa: PLC0415 as above

    settings = settings_of(shell)
    passphrase = _known(settings, encrypted=is_encrypted(folder))
    done = on_loop(put_back(settings, folder, id=id, passphrase=passphrase))
    for problem in done.problems:
        shell.say(problem)
    write(_restored(done))
    _tell_keys(shell, done.secret_keys)
    if done.problems:
        raise CheckFailed(f"the backup {done.id} was restored, but not all of it stands")


def _known(settings: Settings, *, encrypted: bool) -> str | None:
    """Return the passphrase to read a folder by: also that of the settings for one that is not encrypted.

    That is refused then: who sets a passphrase wants no backup that others could have made.
    """
    return _passphrase(settings) if encrypted or settings.backup.passphrase is not None else None


def _passphrase(settings: Settings, *, new: bool = False) -> str:
    """Return the passphrase of the settings, or what a person types; a new one is typed twice."""
    if settings.backup.passphrase is not None:
        return settings.backup.passphrase.reveal()
    if not sys.stdin.isatty():
        raise InputError("a passphrase is needed; set LEADLINE_BACKUP__PASSPHRASE")
    typed = str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    if new and len(typed) < SHORTEST:
        raise InputError(f"a passphrase has at least {SHORTEST} characters")
    return typed


def _tell_keys(shell: Shell, keys: tuple[str, ...]) -> None:
    if keys:
        shell.say(
            f"secrets in it are encrypted with {plural(len(keys), 'key')} of LEADLINE_SECRETS__KEY that no backup "
            f"holds: {', '.join(keys)}"
        )


def _made(made: Backup) -> str:
    return (
        f"{made.id}: {plural(made.runs, 'run')} of {plural(made.tenants, 'tenant')}, "
        f"{plural(made.copied, 'stored object')} copied, {made.kept:,} there already, "
        f"{made.bytes / 1e6:,.1f} MB written to {made.folder}"
    )


def _checked(found: Checked) -> str:
    state = "damaged" if found.problems else "whole"
    how = "encrypted, " if found.encrypted else ""
    return (
        f"{found.id}: {state}: {how}{plural(found.runs, 'run')}, {plural(found.files, 'file')}, "
        f"{plural(found.bodies, 'stored object')}, {found.bytes / 1e6:,.1f} MB"
    )


def _restored(done: Restored) -> str:
    state = f"{len(done.problems):,} problems" if done.problems else "all as they were"
    return (
        f"{done.id} of {done.made_at}: {plural(done.runs, 'run')}, {plural(done.bodies, 'stored object')}; "
        f"{plural(done.reports, 'report')} with {plural(done.claims, 'claim')} checked: {state}"
    )
