"""What a backup is made of: the tables as files, and the bodies by name (see `bodies.Inventory`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["sqlite", "postgresql"]

Write: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of a file."""

Outlet: TypeAlias = Callable[[str], AbstractAsyncContextManager[Write]]
"""Opens a file of a backup by its name; it is whole once the context was left without an error."""

Inlet: TypeAlias = Callable[[str], AsyncIterator[bytes]]
"""Gives a file of a backup in pieces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file of a dump: a table, or a whole database; `columns` is empty for the latter.

    `rows` counts the rows of the table, or of all tables of the database.
    """

    name: str
    rows: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dump:
    """All tables as they were at one moment.

    `versions` are the migrations that the tables of `runs` and `accounts` were at; a part that had
    no tables is missing. `tenants` are all that own a run or have an account. `runs` and `steps`
    are how many there were; `secret_keys` names the keys that the secrets in it are encrypted with.
    """

    kind: Kind
    versions: dict[str, str]
    parts: tuple[Part, ...]
    tenants: tuple[str, ...]
    runs: int
    steps: int
    secret_keys: tuple[str, ...] = ()


class Tables(Protocol):
    """The databases of runs and accounts as a backup sees them. All methods raise `StoreError`, `SettingsError`."""

    @property
    def kind(self) -> Kind:
        """Which database this is: a dump is loaded only into one of its kind."""
        ...

    async def dump(self, outlet: Outlet) -> Dump:
        """Write everything, as of one moment, while others read and write."""
        ...

    async def occupied(self, *, backup: str | None = None) -> str | None:
        """Say what is there already, `None` where nothing would be lost by `load`.

        What an unfinished restore of `backup` put in is not counted: `load` leaves it as it is.
        """
        ...

    async def load(self, dump: Dump, inlet: Inlet, *, backup: str) -> None:
        """Put the dump of a backup into empty databases, and bring the tables to this version.

        Each database says, from the same transaction on, that a restore of `backup` is unfinished;
        one that says so already is not loaded again. Raises `WrongState` where something else is
        there, `SettingsError` for a dump of a newer version and for one of another kind.
        """
        ...

    async def finish(self) -> None:
        """Take away what says that a restore is unfinished: from now on what is there is nobody's to go on with."""
        ...
