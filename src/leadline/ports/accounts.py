"""Tenants, their keys, what was done with them, and the keys that they have elsewhere.

All times are Unix seconds. Whatever belongs to a tenant is asked for with the tenant, and another
tenant's is as unknown as what never was: `UnknownObject`. All methods raise `StoreUnavailable` or
`StoreFull` when the store fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from leadline.ports.access import Action, Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """Whose runs, documents and keys are kept apart from all others'.

    `tokens_per_day` and `usd_per_day` go before the limits that hold for everybody.
    """

    id: str
    name: str
    created_at: float
    disabled_at: float | None = None
    tokens_per_day: int | None = None
    usd_per_day: float | None = None


class Tenants(Protocol):
    """Who there is."""

    async def create(self, tenant: str, *, name: str) -> Tenant:
        """Make a tenant. Raises `AlreadyThere`, `InputError` for an id that is no short plain word."""
        ...

    async def ensure(self, tenant: str, *, name: str) -> Tenant:
        """Return the tenant, made where it is missing."""
        ...

    async def get(self, tenant: str) -> Tenant:
        """Return a tenant. Raises `UnknownObject`."""
        ...

    async def list(self) -> Sequence[Tenant]:
        """Return all, by id."""
        ...

    async def disable(self, tenant: str, *, disabled: bool) -> Tenant:
        """Refuse all of a tenant's credentials from now on, or accept them again."""
        ...

    async def limit(self, tenant: str, *, tokens_per_day: int | None, usd_per_day: float | None) -> Tenant:
        """Set a tenant's own daily budget; `None` is what holds for everybody."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key as it is listed: all but its secret, which nobody can look up."""

    id: str
    tenant: str
    name: str
    role: Role
    scopes: frozenset[Action] | None
    created_at: float
    made_by: str
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    def valid(self, now: float) -> bool:
        """Return whether it is accepted at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeKey:
    """A key that was just made. `credential` is shown this once and never again."""

    key: Key
    credential: str = field(repr=False)


class Keys(Protocol):
    """Keys of tenants."""

    async def create(
        self,
        tenant: str,
        *,
        name: str,
        role: Role,
        made_by: str,
        scopes: frozenset[Action] | None = None,
        expires_at: float | None = None,
    ) -> MadeKey:
        """Make a key. Raises `UnknownObject` for the tenant, `InputError` for scopes beyond the role."""
        ...

    async def list(self, tenant: str) -> Sequence[Key]:
        """Return a tenant's keys, newest first."""
        ...

    async def revoke(self, tenant: str, key_id: str) -> Key:
        """Refuse a key from now on; doing it again changes nothing. Raises `UnknownObject`."""
        ...

    async def rotate(self, tenant: str, key_id: str, *, grace: float, made_by: str) -> MadeKey:
        """Make a like key; the old one is accepted for `grace` seconds more.

        Raises `UnknownObject`, `WrongState` for one that is not valid any more.
        """
        ...

    async def any_valid(self) -> bool:
        """Return whether any key is accepted now: without one the service stays on loopback."""
        ...


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"  # it was carried out
    DENIED = "denied"  # not permitted, or not known
    FAILED = "failed"  # permitted, and went wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """What is to be written down: who, what, on which object, from where. Never any content.

    `actor` is a caller's key, or `operator:` and a user's name for the command line. `action` is
    an `Action` or a verb such as `tenants:create`. `source` is an address or `cli`.
    """

    tenant: str
    actor: str
    action: str
    kind: str
    object: str
    source: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """A deed in its place. `hash` covers all of it and `previous`, the hash before it."""

    seq: int
    at: float
    deed: Deed
    previous: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditVerdict:
    """Whether the log stands. `broken` is the first place that does not, and `reason` why.

    `head` is the last hash. A log that was cut at its end stands by itself: keep heads elsewhere
    and ask for them again.
    """

    entries: int
    head: str
    broken: int | None = None
    reason: str = ""


class Audit(Protocol):
    """A log that only grows."""

    async def append(self, deed: Deed) -> AuditEntry:
        """Write a deed down, durable on return."""
        ...

    async def list(self, tenant: str, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """Return a tenant's entries, newest first, with `seq < before`."""
        ...

    async def verify(self, *, seq: int = 0, head: str = "") -> AuditVerdict:
        """Compute every hash again; with `seq` and `head`, also that this entry had this hash."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretInfo:
    """A secret as it is listed; `key_id` names the key that it is encrypted with."""

    name: str
    key_id: str
    updated_at: float


class Vault(Protocol):
    """A tenant's keys at providers, encrypted at rest, bound to tenant and name."""

    async def put(self, tenant: str, name: str, value: str) -> None:
        """Set a secret. Raises `SettingsError` where there is no key to encrypt with."""
        ...

    async def get(self, tenant: str, name: str) -> str:
        """Return a secret. Raises `UnknownObject`, `SecretUnreadable`."""
        ...

    async def list(self, tenant: str) -> Sequence[SecretInfo]:
        """Return what there is, by name, without values."""
        ...

    async def delete(self, tenant: str, name: str) -> None:
        """Forget a secret. Raises `UnknownObject`."""
        ...

    async def rotate(self) -> int:
        """Encrypt anew what an older key encrypted, everybody's; return how many there were.

        Raises `SecretUnreadable` where none of the keys fits; then nothing has changed.
        """
        ...
