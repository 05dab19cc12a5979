"""Settings -> the run store, what wakes idle slots, and the migrations of databases."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from leadline.errors import InputError, MissingExtra, SettingsError
from leadline.ports import Quiet, Run, RunStore, Signals, Store, Wake
from leadline.ports.signals import RunEnded
from leadline.settings import Settings
from leadline.tasks.engines import StoreWake
from leadline.tasks.sqlite.store import SqliteStore
from leadline.tasks.tickets.address import PREFIX, parse
from leadline.tasks.tickets.wake import Broker, TicketWake
from leadline.wiring.accounts import connecting
from leadline.wiring.owners import new_owner

if TYPE_CHECKING:
    from leadline.tasks.postgres import PostgresStore
    from leadline.tasks.postgres.lacking import Lack

Part: TypeAlias = Literal["runs", "accounts"]
_EXTRA: Final = "PostgreSQL needs an extra: pip install 'leadline[postgres]'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """Where a part's tables are, and where this program wants them; `found` is `None` without tables."""

    part: Part
    found: str | None
    wanted: str


@asynccontextmanager
async def run_store(settings: Settings, folder: Path, *, signals: Signals | None = None) -> AsyncIterator[Store]:
    """Open the store that the settings name; `signals` hear of runs that it ends by itself.

    Raises `SettingsError` for what cannot work together, `MissingExtra`, `StoreError`.
    """
    tasks = settings.tasks
    hearing = signals or Quiet()

    def ended(run: Run) -> None:
        hearing.signal(RunEnded(run=run))

    if not settings.store.startswith("postgresql"):
        place = urlsplit(settings.store).path
        file = Path(place) if place else folder / "runs.db"
        async with SqliteStore.open(file, attempts=tasks.attempts, tenant_runs=tasks.tenant_runs, ended=ended) as store:
            yield store
        return
    kind = await asyncio.to_thread(_postgres)
    async with kind.open(
        settings.store,
        attempts=tasks.attempts,
        connections=tasks.connections,
        tenant_runs=tasks.tenant_runs,
        ended=ended,
    ) as opened:
        if settings.blobs.startswith("file"):
            _refuse_hosts(await opened.hosts())
        yield opened


def runs_file(settings: Settings, folder: Path) -> Path:
    """Return the file of a store in SQLite; `folder` is the data folder."""
    place = urlsplit(settings.store).path
    return Path(place) if place else folder / "runs.db"


def wake_of(settings: Settings, store: RunStore) -> Wake:
    """Return what wakes this process's idle slots; a broker is connected to only where there are any."""
    if not settings.engine.startswith(PREFIX):
        return StoreWake(store)
    address = parse(settings.engine)

    def connected(taken: Callable[[], None]) -> Broker:
        try:
            from leadline.tasks.tickets.broker import CeleryBroker  # noqa: PLC0415 an extra
        except ImportError as error:
            raise MissingExtra("the engine `celery` needs an extra: pip install 'leadline[celery]'") from error
        if address.trust is not None:
            address.trust.check()
        return CeleryBroker(address, taken=taken)

    owner = new_owner()
    return TicketWake(store, owner=owner, open_broker=connected)


async def migrate_status(settings: Settings) -> tuple[Version, ...]:
    """Return where the tables of PostgreSQL are. Raises `SettingsError`, `StoreError`, `MissingExtra`."""
    migrate, accounts, url = _migrations(settings)
    changes = await migrate.status(url)
    done = [change.number for change in changes if change.done]
    own = await asyncio.to_thread(accounts.status, url, connect=await connecting(url))
    return (
        Version(part="runs", found=done[-1] if done else None, wanted=changes[-1].number),
        Version(part="accounts", found=own.found, wanted=own.wanted),
    )


async def tables_lack(settings: Settings) -> tuple[Lack, ...]:
    """Return what tables of this version have and those of PostgreSQL have not. Raises as `migrate_status`."""
    _, _, url = _migrations(settings)
    from leadline.accounts.schema import METADATA  # noqa: PLC0415 an extra
    from leadline.tasks.postgres.lacking import lacking  # noqa: PLC0415 as above
    from leadline.tasks.postgres.schema import metadata  # noqa: PLC0415 as above

    return await lacking(url, metadata(), METADATA)


async def migrate_up(settings: Settings) -> tuple[Version, ...]:
    """Bring all tables to this version; return where they were. Raises as `migrate_status`."""
    migrate, accounts, url = _migrations(settings)
    before = await migrate_status(settings)
    await migrate.up(url)
    await asyncio.to_thread(accounts.up, url, connect=await connecting(url))
    return before


async def migrate_down(settings: Settings, part: Part, version: str) -> Version:
    """Take one part's tables back to a version (`base`: they are gone); return where they were.

    Raises `InputError` for a version that the database did not come by, and as `migrate_status`.
    """
    migrate, accounts, url = _migrations(settings)
    (before,) = (found for found in await migrate_status(settings) if found.part == part)
    if part == "runs":
        await migrate.down(url, to=version)
    else:
        await asyncio.to_thread(accounts.down, url, version, connect=await connecting(url))
    return before


def _migrations(settings: Settings) -> tuple[ModuleType, ModuleType, str]:
    if not settings.store.startswith("postgresql"):
        raise InputError(
            f"nothing is to be migrated: `store` is {settings.store}, and SQLite's tables are brought up to date when "
            "they are opened; for PostgreSQL set LEADLINE_STORE=postgresql://..."
        )
    try:
        from leadline.accounts import migrations  # noqa: PLC0415 an extra
        from leadline.tasks.postgres import migrate  # noqa: PLC0415 as above
    except ImportError as error:
        raise MissingExtra(_EXTRA) from error
    return migrate, migrations, settings.store


def _postgres() -> type[PostgresStore]:
    """Return the store on PostgreSQL. Raises `MissingExtra` where its library is not installed."""
    try:
        from leadline.tasks.postgres import PostgresStore  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra(_EXTRA) from error
    return PostgresStore


def _refuse_hosts(hosts: frozenset[str]) -> None:
    """Raise `SettingsError` where another machine works on the same runs but cannot see this one's files."""
    others = sorted(hosts - {socket.gethostname()})
    if others:
        raise SettingsError(
            f"`blobs` is a folder of this machine, but {others[0]} holds runs of the same store now: several machines "
            "need a store of bodies that all reach; set LEADLINE_BLOBS=s3://..."
        )
