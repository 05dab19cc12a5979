"""Settings -> what a backup copies: the tables of runs and accounts, and the store of bodies."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from leadline.errors import BackupUnusable, MissingExtra, SettingsError, WrongState
from leadline.ports import Bodies
from leadline.ports.access import LOCAL
from leadline.ports.backup import Dump, Inlet, Kind, Outlet, Part, Tables
from leadline.settings import Settings
from leadline.tasks.sqlite import copying
from leadline.wiring.accounts import FILE, connecting
from leadline.wiring.blobs import blob_store
from leadline.wiring.folders import data_folder
from leadline.wiring.store import runs_file

if TYPE_CHECKING:
    from leadline.tasks.postgres.copying import Copier

T = TypeVar("T")

FOLDER: Final = "backups"
"""Where in the data folder it is written when the last backup was made, and the last one restored."""

RUNS: Final = "runs.db"
"""The file of a backup that holds the runs of SQLite."""

_TENANT: Final = "account_tenant"
_VERSION: Final = "account_version"
_SEALED: Final = ("account_secret", "account_webhook")
_PIECE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """Everything that a backup copies; `notes` is a folder of this machine, made."""

    tables: Tables
    bodies: Bodies
    notes: Path


@asynccontextmanager
async def holdings(settings: Settings) -> AsyncIterator[Holdings]:
    """Open what the settings name, for a backup or a restore; no table is made or changed by it.

    Raises `SettingsError`, `MissingExtra`, `StoreError`.
    """
    folder = await asyncio.to_thread(data_folder, settings)
    notes = folder / FOLDER
    await asyncio.to_thread(notes.mkdir, mode=0o700, exist_ok=True)
    tables: Tables
    if settings.store.startswith("postgresql"):
        tables = await asyncio.to_thread(_Server, settings.store)
    else:
        tables = _Files(runs=runs_file(settings, folder), accounts=folder / FILE, notes=notes)
    async with blob_store(settings, folder) as bodies:
        yield Holdings(tables=tables, bodies=bodies, notes=notes)


class _Files:
    """`Tables` as one SQLite file of runs and one of accounts, either of which may be missing."""

    kind: Final[Kind] = "sqlite"

    def __init__(self, *, runs: Path, accounts: Path, notes: Path) -> None:
        self._paths = {RUNS: runs, FILE: accounts}
        self._notes = notes

    async def dump(self, outlet: Outlet) -> Dump:
        """See `Tables`. Accounts are copied after runs: whose run it is, is known there."""
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=self._notes) as name:
            parts = []
            for file, path in self._paths.items():
                copy = Path(name) / file
                if await asyncio.to_thread(path.is_file):
                    await asyncio.to_thread(copying.copy, path, copy)
                    rows = await asyncio.to_thread(_looked, copy, lambda c: copying.count(c, copying.tables(c)))
                    await _pour(copy, file, outlet)
                    parts.append(Part(name=file, rows=rows))
            return await asyncio.to_thread(_described, Path(name), tuple(parts))

    async def occupied(self, *, backup: str | None = None) -> str | None:
        """See `Tables`."""
        return await asyncio.to_thread(self._occupied, backup)

    def _occupied(self, backup: str | None) -> str | None:
        for file, path in self._paths.items():
            if path.is_file() and not _is_of(path, backup):
                rows = _looked(path, _of_runs if file == RUNS else _of_accounts)
                if rows:
                    return f"`{path}` has {rows} rows"
        return None

    async def load(self, dump: Dump, inlet: Inlet, *, backup: str) -> None:
        """See `Tables`. Both files are written beside before the first one is replaced."""
        _check_kind(dump, self.kind)
        copying.check_version(dump.versions.get("runs", "0"))
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=self._notes) as name:
            for part in dump.parts:
                if part.name not in self._paths:
                    raise BackupUnusable(f"the backup has a database of no known name: {part.name[:80]!r}")
                await _fill(Path(name) / part.name, inlet(part.name))
                rows = await asyncio.to_thread(
                    _looked, Path(name) / part.name, lambda c: copying.count(c, copying.tables(c))
                )
                _check_rows(part, rows)
                await asyncio.to_thread(copying.mark, Path(name) / part.name, backup)
            await refuse_occupied(self, backup=backup)
            for part in dump.parts:
                path = self._paths[part.name]
                if not await asyncio.to_thread(_is_of, path, backup):
                    await asyncio.to_thread(copying.copy, Path(name) / part.name, path)

    async def finish(self) -> None:
        """See `Tables`."""
        for path in self._paths.values():
            if await asyncio.to_thread(path.is_file):
                await asyncio.to_thread(copying.unmark, path)


class _Server:
    """`Tables` in PostgreSQL, runs and accounts in one database, all in one transaction."""

    kind: Final[Kind] = "postgresql"

    def __init__(self, url: str) -> None:
        try:
            from leadline.accounts import migrations, schema  # noqa: PLC0415 an extra
            from leadline.tasks.postgres import copying as server  # noqa: PLC0415 as above
            from leadline.tasks.postgres import migrate, tables  # noqa: PLC0415 as above
        except ImportError as error:
            raise MissingExtra("PostgreSQL needs an extra: pip install 'leadline[postgres]'") from error
        self._url = url
        self._copier = server.Copier
        self._migrate = migrate
        self._numbers = tables.NUMBERS
        self._accounts = migrations
        self._tables = (*server.TABLES, *(str(table.name) for table in schema.METADATA.sorted_tables))

    async def dump(self, outlet: Outlet) -> Dump:
        """See `Tables`."""
        async with self._copier.reading(self._url) as copier:
            found = {"runs": await copier.version(), "accounts": await copier.version(_VERSION)}
            parts = await copier.out(self._tables, outlet)
            keys = [await copier.words(table, "key_id") for table in _SEALED]
            return Dump(
                kind=self.kind,
                versions={part: version for part, version in found.items() if version is not None},
                parts=parts,
                tenants=_sorted(await copier.words("run", "tenant"), await copier.words(_TENANT, "id")),
                runs=await copier.count("run"),
                steps=await copier.count("step"),
                secret_keys=_sorted(*keys),
            )

    async def occupied(self, *, backup: str | None = None) -> str | None:
        """See `Tables`."""
        async with self._copier.reading(self._url) as copier:
            if backup is not None and await copier.marked() == backup:
                return None
            return await self._found(copier)

    async def load(self, dump: Dump, inlet: Inlet, *, backup: str) -> None:
        """See `Tables`. The tables are made as they were, filled in one transaction, then brought up to date."""
        _check_kind(dump, self.kind)
        async with self._copier.reading(self._url) as copier:
            filled = await copier.marked() == backup
        if not filled:
            await self._make(dump)
            await self._fill(dump, inlet, backup=backup)
        await self._migrate.up(self._url)
        await asyncio.to_thread(self._accounts.up, self._url, connect=await connecting(self._url))

    async def finish(self) -> None:
        """See `Tables`."""
        async with self._copier.writing(self._url) as copier:
            await copier.mark(None)

    async def _fill(self, dump: Dump, inlet: Inlet, *, backup: str) -> None:
        async with self._copier.writing(self._url) as copier:
            names = [part.name for part in dump.parts]
            unknown = set(names) - set(self._tables)
            if unknown:
                raise BackupUnusable(f"the backup has a table of no known name: {min(unknown)[:80]!r}")
            await copier.lock(names)
            await refuse_occupied(self, found=await self._found(copier))
            for table in {"shipping", _TENANT}.intersection(names):
                await copier.clear(table)
            for part in dump.parts:
                _check_rows(part, await copier.into(part, inlet))
            await copier.go_on_counting()
            await copier.mark(backup)

    async def _make(self, dump: Dump) -> None:
        """Make the tables of the dump's versions, or leave those that are there where they are of these."""
        wanted = dump.versions.get("runs")
        if wanted is not None and wanted not in self._numbers:
            raise SettingsError(
                f"the backup was made by a newer Leadline (migration {wanted}, this one knows {self._numbers[-1]}); "
                "update Leadline"
            )
        await refuse_occupied(self)
        async with self._copier.reading(self._url) as copier:
            runs, accounts = await copier.version(), await copier.version(_VERSION)
        # What is there is empty: the way back costs nothing, and a version that is not there is made.
        if runs is not None and wanted is not None and runs > wanted:
            await self._migrate.down(self._url, to=wanted)
        await self._migrate.up(self._url, to=wanted or "head")
        version = dump.versions.get("accounts")
        connect = await connecting(self._url)
        if accounts is not None and version is not None and accounts > version:
            await asyncio.to_thread(self._accounts.down, self._url, version, connect=connect)
        await asyncio.to_thread(self._accounts.up, self._url, version, connect=connect)

    async def _found(self, copier: Copier) -> str | None:
        for table in self._tables:
            if table == "shipping":
                continue  # who ships, and how far: of nothing
            rows = await copier.count(table, besides=LOCAL if table == _TENANT else None)
            if rows:
                return f"the table `{table}` has {rows} rows"
        return None


async def refuse_occupied(tables: Tables, *, found: str | None = None, backup: str | None = None) -> None:
    """Raise `WrongState` where something would be lost by a restore of `backup`; `found` was seen of it already."""
    found = found or await tables.occupied(backup=backup)
    if found is not None:
        raise WrongState(
            f"a backup is restored into empty servers only, and {found}; name another database and data folder"
        )


def _check_kind(dump: Dump, kind: Kind) -> None:
    if dump.kind != kind:
        raise SettingsError(
            f"the backup is of a store in {dump.kind}, and `store` names one in {kind}; set LEADLINE_STORE"
        )


def _check_rows(part: Part, found: int) -> None:
    if found != part.rows:
        raise BackupUnusable(f"`{part.name}` has {found} rows in the backup, which names {part.rows}")


def _looked(path: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    with copying.opened(path) as connection:
        return look(connection)


def _is_of(path: Path, backup: str | None) -> bool:
    """Return whether a file is what an unfinished restore of the backup put there."""
    return backup is not None and path.is_file() and _looked(path, copying.marked) == backup


def _of_runs(connection: sqlite3.Connection) -> int:
    return copying.count(connection, ("run", "step"))


def _of_accounts(connection: sqlite3.Connection) -> int:
    others = [name for name in copying.tables(connection) if name not in {_TENANT, _VERSION}]
    return copying.count(connection, others) + len(copying.words(connection, _TENANT, "id") - {LOCAL})


def _described(folder: Path, parts: tuple[Part, ...]) -> Dump:
    """Return what stands in the copies of the two files."""
    versions: dict[str, str] = {}
    tenants: list[frozenset[str]] = []
    keys: list[frozenset[str]] = []
    runs = steps = 0
    if (folder / RUNS).is_file():
        with copying.opened(folder / RUNS) as connection:
            versions["runs"] = copying.version(connection)
            runs, steps = copying.count(connection, ("run",)), copying.count(connection, ("step",))
            tenants.append(copying.words(connection, "run", "tenant"))
    if (folder / FILE).is_file():
        with copying.opened(folder / FILE) as connection:
            versions["accounts"] = max(copying.words(connection, _VERSION, "version_num"), default="")
            tenants.append(copying.words(connection, _TENANT, "id"))
            keys += [copying.words(connection, table, "key_id") for table in _SEALED]
    return Dump(
        kind="sqlite",
        versions=versions,
        parts=parts,
        tenants=_sorted(*tenants),
        runs=runs,
        steps=steps,
        secret_keys=_sorted(*keys),
    )


def _sorted(*words: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*words)))


async def _pour(path: Path, name: str, outlet: Outlet) -> None:
    """Write a file of this machine into a file of the backup."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        async with outlet(name) as write:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                await write(piece)
    finally:
        file.close()


async def _fill(path: Path, pieces: AsyncIterator[bytes]) -> None:
    """Write a file of the backup into a file of this machine."""
    file = await asyncio.to_thread(path.open, "wb")
    try:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
    finally:
        file.close()
