"""Tenants' own keys at providers as a process has them: which there may be, looked up call by call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from leadline.errors import (
    InputError,
    LeadlineError,
    ProviderUnavailable,
    SecretUnreadable,
    UnknownObject,
)
from leadline.resilience import Monotonic, SingleFlight
from leadline.settings import LOCAL, Settings
from leadline.settings.scholar import TAKE_KEYS
from leadline.settings.web import KEYLESS, PROVIDERS
from leadline.wire.own_keys import OwnKeys, keys_in

if TYPE_CHECKING:
    from leadline.ports.accounts import Vault
    from leadline.wiring.accounts import Accounts

SEARCHES: Final = tuple(f"search.{name}" for name in PROVIDERS if name not in KEYLESS)
WORKS: Final = tuple(f"scholar.{name}" for name in TAKE_KEYS)
READER: Final = "visit.reader"

SECRETS: Final = (*SEARCHES, *WORKS, READER)
"""Names of the secrets that a tenant may keep: each is that of the setting whose keys it stands in for."""

KEPT_SECONDS: Final = 15.0
"""Seconds after which a process asks the vault again: a key that was set or removed counts by then everywhere."""

MOST_TENANTS: Final = 1_024

UNREADABLE: Final = "own_key_unreadable"
"""Name of the log line of a tenant's key that does not open here."""

AWAY: Final = "own_keys_not_looked_up"
"""Name of the log line of a look that failed: the calls that needed it fail as well."""

log = logging.getLogger("leadline.wiring.own_keys")


def checked_secret(name: str, value: str) -> str:
    """Return the secret as it is kept. Raises `InputError` for a name that nothing asks for, and for what is no key."""
    if name not in SECRETS:
        raise InputError(f"nothing asks for a secret of this name: {name[:80]}; there are {', '.join(SECRETS)}")
    keys = keys_in(value)
    if name == READER and len(keys) > 1:
        raise InputError(f"`{READER}` is one key")
    return "\n".join(keys)


def is_used(settings: Settings, name: str) -> bool:
    """Return whether the settings name the provider that a secret is for: else it rests until they do.

    Of a tool that is a service of its own only that service's settings know; then it may well be.
    """
    section, _, provider = name.partition(".")
    if getattr(settings.tools, section, LOCAL) != LOCAL:
        return True
    if name == READER:
        return settings.visit.reader_url is not None
    providers = {"search": settings.search.providers, "scholar": settings.scholar.providers}.get(section, ())
    return provider in providers


class _Held(NamedTuple):
    keys: OwnKeys
    until: float


class VaultKeys:
    """`Owns` by the vault, each tenant's kept for `KEPT_SECONDS`.

    `accounts` returns what keeps the vault, `None` where there are no accounts.
    """

    def __init__(
        self, accounts: Callable[[], Awaitable[Accounts | None]], *, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._accounts = accounts
        self._monotonic = monotonic
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._flights: SingleFlight[str, OwnKeys] = SingleFlight("own keys")

    async def of(self, tenant: str, *, deadline: float) -> OwnKeys:
        """See `Owns.of`. Of many calls of a tenant one asks the vault."""
        held = self._held.get(tenant)
        if held is not None and self._monotonic() < held.until:
            return held.keys
        self._held.pop(tenant, None)
        try:
            async with asyncio.timeout(deadline):
                return await self._flights.run(tenant, partial(self._looked, tenant))
        except (LeadlineError, TimeoutError) as error:
            log.warning(AWAY, extra={"tenant": tenant, "reason": str(error) or "it took too long"})
            raise ProviderUnavailable("the tenant's own keys cannot be looked up now") from error

    async def _looked(self, tenant: str) -> OwnKeys:
        # Counted from before the look: what changes while it lasts is seen by the next one in time.
        now = self._monotonic()
        keys = await self._looked_up(tenant)
        self._held[tenant] = _Held(keys, now + KEPT_SECONDS)
        self._held.move_to_end(tenant)
        while self._held and (len(self._held) > MOST_TENANTS or next(iter(self._held.values())).until <= now):
            self._held.popitem(last=False)
        return keys

    async def _looked_up(self, tenant: str) -> OwnKeys:
        accounts = await self._accounts()
        if accounts is None:
            return OwnKeys()
        names = [one.name for one in await accounts.vault.list(tenant) if one.name in SECRETS]
        keys: dict[str, tuple[str, ...]] = {}
        unreadable: set[str] = set()
        for name in names:
            try:
                found = await _opened(accounts.vault, tenant, name)
            except (SecretUnreadable, InputError) as error:
                log.warning(UNREADABLE, extra={"tenant": tenant, "provider": name, "code": error.code})
                unreadable.add(name)
            else:
                keys |= {} if found is None else {name: found}
        return OwnKeys(keys, frozenset(unreadable))


async def _opened(vault: Vault, tenant: str, name: str) -> tuple[str, ...] | None:
    """Return the keys of a secret, `None` for one that was removed meanwhile."""
    try:
        value = await vault.get(tenant, name)
    except UnknownObject:
        return None
    return keys_in(value)
