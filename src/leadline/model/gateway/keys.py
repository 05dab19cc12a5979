"""Whose key a client of the gateway shows: one of a file, or one of the accounts that the whole platform has."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from leadline.errors import NotPermitted, Unauthenticated
from leadline.ports.access import Action, Authenticator

REMEMBERED: Final = 5.0
"""Seconds for which a key that was accepted is not asked about again: so long a revoked one still works."""

_MOST: Final = 4_096


def key_hash(key: str) -> str:
    """Return under what a client's key is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Keys(Protocol):
    """Tells tenants by their keys."""

    async def tenant(self, key: str) -> str:
        """Return whose key it is. Raises `Unauthenticated`, `NotPermitted` for one that may not call models."""
        ...


class KnownKeys:
    """`Keys` over the hashes of keys (`key_hash`) and their tenants."""

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._tenants = tenants

    async def tenant(self, key: str) -> str:
        """See `Keys`."""
        found = self._tenants.get(key_hash(key))
        if found is None:
            raise Unauthenticated("a valid API key is needed")
        return found


class _Accepted(NamedTuple):
    tenant: str
    until: float


class AccountKeys:
    """`Keys` over accounts; an accepted key is remembered for `seconds`, by its hash. `now` is monotonic."""

    def __init__(self, accounts: Authenticator, *, now: Callable[[], float], seconds: float = REMEMBERED) -> None:
        self._accounts = accounts
        self._now = now
        self._seconds = seconds
        self._accepted: OrderedDict[str, _Accepted] = OrderedDict()

    async def tenant(self, key: str) -> str:
        """See `Keys`. Raises `StoreError` where accounts are away and the key is not remembered."""
        known = key_hash(key)
        accepted = self._accepted.get(known)
        if accepted is not None and self._now() < accepted.until:
            return accepted.tenant
        self._accepted.pop(known, None)
        caller = await self._accounts.authenticate(key)
        if not caller.may(Action.MODELS_CALL):
            raise NotPermitted("this key may not call models")
        self._accepted[known] = _Accepted(caller.tenant, self._now() + self._seconds)
        while len(self._accepted) > _MOST:
            self._accepted.popitem(last=False)
        return caller.tenant
