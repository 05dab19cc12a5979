"""Settings -> tenants and what is theirs, and the gate that asks them; SQLAlchemy is imported here only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from leadline.errors import MissingExtra, UnknownRun
from leadline.ports import Clock, RunStore
from leadline.ports.access import LOCAL, Authenticator
from leadline.ports.accounts import Audit, Keys, Tenants, Vault
from leadline.ports.admission import Admission, Bounds, Holds, Standing
from leadline.ports.corpora import Leftovers, Readings, TenantCorpora
from leadline.ports.holdings import Deliveries, Once, Schedules, Shares, Webhooks
from leadline.resilience import SystemClock
from leadline.settings import Settings
from leadline.tasks.sqlite.schema import refuse_network
from leadline.wiring.folders import data_folder
from leadline.wiring.outgoing import Outgoing

if TYPE_CHECKING:
    from leadline.accounts.database import Database
    from leadline.accounts.sealing import Sealer

FILE: Final = "accounts.db"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Everything that stands in the accounts' database, each by its port."""

    tenants: Tenants
    keys: Keys
    by_key: Authenticator
    audit: Audit
    vault: Vault
    once: Once
    shares: Shares
    schedules: Schedules
    webhooks: Webhooks
    deliveries: Deliveries
    corpora: TenantCorpora
    readings: Readings
    leftovers: Leftovers
    holds: Holds
    database: Database

    async def tidy(self) -> int:
        """Forget what is over; return how many rows that were."""
        from leadline.accounts.upkeep import tidy  # noqa: PLC0415 SQLAlchemy is slow to import

        return await tidy(self.database)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Who is it, and is it let in: what every request passes."""

    authenticator: Authenticator
    admission: Admission


def accounts_url(settings: Settings) -> str:
    """Return where accounts are kept: with the runs in PostgreSQL, else in a file of their own.

    Raises `SettingsError`.
    """
    if settings.store.startswith("postgresql"):
        return settings.store
    path = data_folder(settings) / FILE
    refuse_network(path)
    return f"sqlite://{path.absolute()}"


async def connecting(url: str) -> Mapping[str, Any] | None:
    """Return asyncpg's arguments for an address, certificates read; `None` for SQLite. Raises `SettingsError`."""
    if not url.startswith("postgresql"):
        return None
    try:
        from leadline.tasks.postgres.address import Address  # noqa: PLC0415 an extra
    except ImportError as error:
        raise MissingExtra("PostgreSQL needs more packages: pip install 'leadline[postgres]'") from error
    return (await Address.read(url)).arguments()


@asynccontextmanager
async def open_accounts(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Accounts]:
    """Open the accounts for the length of the context; the tenant `local` is there from the start.

    With `clock`, times are its own and not the database's. Raises `MissingExtra`, `SettingsError`,
    `StoreError`.
    """
    try:
        from leadline.accounts.database import Database  # noqa: PLC0415 SQLAlchemy is slow to import
    except ImportError as error:
        raise MissingExtra("accounts need more packages: pip install 'leadline[server]'") from error
    url = await asyncio.to_thread(accounts_url, settings)
    now = None if clock is None else clock.now
    async with Database.open(url, connect=await connecting(url), now=now) as database:
        accounts = assembled(database, _sealer(settings))
        await accounts.tenants.ensure(LOCAL, name="Local")
        yield accounts


async def has_keys(accounts: Accounts) -> bool:
    """Return whether any key was ever made: one that ran out must not open the service to everybody."""
    for tenant in await accounts.tenants.list():
        if await accounts.keys.list(tenant.id):
            return True
    return False


def are_kept(settings: Settings) -> bool:
    """Return whether there may be accounts: the runs are in PostgreSQL, or a file of accounts was made."""
    return settings.store.startswith("postgresql") or (settings.data_dir / FILE).is_file()


async def gate_of(
    settings: Settings, accounts: Accounts, *, outgoing: Outgoing, store: RunStore, clock: Clock | None = None
) -> Gate:
    """Return what requests pass. Rates are counted where `limits` says, and tokens' keys are fetched by `outgoing`."""
    from leadline.limits.inbound import Inbound, Rates  # noqa: PLC0415 only a service lets anybody in

    admission = settings.admission
    inbound = Inbound(
        limiter=await outgoing.limiter(),
        holds=accounts.holds,
        standings=StoreStandings(store),
        rates=Rates(
            key=admission.key_rate,
            key_burst=admission.key_burst,
            all=admission.rate,
            all_burst=admission.burst,
        ),
        bounds=bounds_of(settings),
        question_characters=admission.question_characters,
        now=(clock or SystemClock()).now,
    )
    return Gate(authenticator=await _authenticator(settings, accounts, outgoing), admission=inbound)


def bounds_of(settings: Settings) -> Bounds:
    """Return the limits over what is under way and what was used."""
    admission = settings.admission
    return Bounds(
        key_runs=admission.key_runs,
        key_waiting=admission.key_waiting,
        runs=admission.runs,
        waiting=admission.waiting,
        tokens_per_day=admission.tokens_per_day,
        usd_per_day=admission.usd_per_day,
        run_share=admission.run_share,
    )


class StoreStandings:
    """`Standings` by the run store, where the truth about runs is."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    async def standing(self, run_id: str, *, tenant: str) -> Standing | None:
        """See `Standings.standing`."""
        try:
            run = await self._store.get(run_id, tenant=tenant)
        except UnknownRun:
            return None
        return Standing(state=run.state, usage=run.usage)


async def _authenticator(settings: Settings, accounts: Accounts, outgoing: Outgoing) -> Authenticator:
    auth = settings.auth
    if auth.jwt_issuer is None or auth.jwt_audience is None or auth.jwks_url is None:
        return accounts.by_key
    from leadline.accounts.bearer import (  # noqa: PLC0415 only where tokens are accepted
        EitherAuthenticator,
        JwksSource,
        JwtAuthenticator,
        TokenRules,
    )

    rules = TokenRules(
        issuer=auth.jwt_issuer,
        audience=auth.jwt_audience,
        algorithms=auth.jwt_algorithms,
        tenant_claim=auth.tenant_claim,
        role_claim=auth.role_claim,
        leeway=auth.leeway_seconds,
    )
    source = JwksSource(await outgoing.http(), auth.jwks_url)
    return EitherAuthenticator(accounts.by_key, JwtAuthenticator(rules, source, accounts.tenants))


def _sealer(settings: Settings) -> Sealer:
    """Return what encrypts secrets. Raises `MissingExtra`, `SettingsError` for keys that are none."""
    try:
        from leadline.accounts.sealing import Sealer  # noqa: PLC0415 SQLAlchemy is slow to import
    except ImportError as error:
        raise MissingExtra("accounts need more packages: pip install 'leadline[server]'") from error
    key = settings.secrets.key
    return Sealer(None if key is None else key.reveal(), old=[old.reveal() for old in settings.secrets.old_keys])


def assembled(database: Database, sealer: Sealer) -> Accounts:
    """Return all parts over one database."""
    from leadline.accounts.audit import SqlAudit  # noqa: PLC0415 SQLAlchemy is slow to import
    from leadline.accounts.corpora import SqlTenantCorpora  # noqa: PLC0415 as above
    from leadline.accounts.deliveries import SqlDeliveries  # noqa: PLC0415 as above
    from leadline.accounts.holds import SqlHolds  # noqa: PLC0415 as above
    from leadline.accounts.keys import KeyAuthenticator, SqlKeys  # noqa: PLC0415 as above
    from leadline.accounts.once import SqlOnce  # noqa: PLC0415 as above
    from leadline.accounts.readings import SqlLeftovers, SqlReadings  # noqa: PLC0415 as above
    from leadline.accounts.schedules import SqlSchedules  # noqa: PLC0415 as above
    from leadline.accounts.shares import SqlShares  # noqa: PLC0415 as above
    from leadline.accounts.tenants import SqlTenants  # noqa: PLC0415 as above
    from leadline.accounts.vault import SqlVault  # noqa: PLC0415 as above
    from leadline.accounts.webhooks import SqlWebhooks  # noqa: PLC0415 as above

    return Accounts(
        tenants=SqlTenants(database),
        keys=SqlKeys(database),
        by_key=KeyAuthenticator(database),
        audit=SqlAudit(database),
        vault=SqlVault(database, sealer),
        once=SqlOnce(database),
        shares=SqlShares(database),
        schedules=SqlSchedules(database),
        webhooks=SqlWebhooks(database, sealer),
        deliveries=SqlDeliveries(database),
        corpora=SqlTenantCorpora(database),
        readings=SqlReadings(database),
        leftovers=SqlLeftovers(database),
        holds=SqlHolds(database),
        database=database,
    )
