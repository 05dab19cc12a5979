"""Tenants' own keys at providers: by the names of their secrets, and on the way to a tool's service."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from leadline import codec
from leadline.errors import InputError, InvalidArguments, ProviderDenied

HEADER: Final = "Leadline-Own-Keys"
"""Header of a request to a tool's service: the tenant's own keys, JSON in base64. It is never logged."""

MOST_KEYS: Final = 20
MOST_CHARACTERS: Final = 1_024
"""Characters of all keys of one secret: what every secret of a tool has still fits into one header."""

_MOST_HEADER: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """A tenant's keys by the names of its secrets, such as `search.serper`.

    `unreadable` are kept, but do not open here: they stand for no key, and not for the operator's either.
    """

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    unreadable: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.keys or self.unreadable)

    def of(self, name: str) -> tuple[str, ...] | None:
        """Return the keys, `None` where the tenant has none of this name.

        Raises `ProviderDenied` for keys that do not open.
        """
        if name in self.unreadable:
            raise ProviderDenied(f"the tenant's own key `{name}` cannot be read here: set it again")
        return self.keys.get(name)

    def among(self, names: Collection[str]) -> OwnKeys:
        """Return those of the names that are asked for."""
        return OwnKeys({name: keys for name, keys in self.keys.items() if name in names}, self.unreadable & {*names})

    def header(self) -> str:
        """Return them as the value of a header."""
        told: dict[str, list[str]] = {name: list(keys) for name, keys in self.keys.items()}
        told |= {name: [] for name in self.unreadable}
        return base64.b64encode(codec.encode(told)).decode()


def from_header(value: str) -> OwnKeys:
    """Return what a header holds; nothing of it is repeated in an error. Raises `InvalidArguments`."""
    if not value:
        return OwnKeys()
    told = None
    if len(value) <= _MOST_HEADER:
        try:
            told = orjson.loads(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            told = None
    if not isinstance(told, dict) or not all(_are_keys(keys) for keys in told.values()):
        raise InvalidArguments(f"the header `{HEADER}` does not hold keys by name")
    unreadable = frozenset(name for name, keys in told.items() if not keys)
    return OwnKeys({name: tuple(keys) for name, keys in told.items() if keys}, unreadable)


def keys_in(value: str) -> tuple[str, ...]:
    """Return the keys of a secret, one a line or separated by spaces; each once.

    Raises `InputError`, which repeats nothing of the secret.
    """
    keys = tuple(dict.fromkeys(value.split()))
    if not keys:
        raise InputError("the secret is empty")
    if len(keys) > MOST_KEYS or sum(map(len, keys)) > MOST_CHARACTERS:
        raise InputError(f"a secret has at most {MOST_KEYS} keys of {MOST_CHARACTERS} characters together")
    if not all(_is_key(key) for key in keys):
        raise InputError("a key at a provider is printable ASCII; several stand on lines of their own")
    return keys


def _are_keys(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST_KEYS and all(isinstance(k, str) and _is_key(k) for k in value)


def _is_key(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


class Owns(Protocol):
    """Tells tenants' own keys."""

    async def of(self, tenant: str, *, deadline: float) -> OwnKeys:
        """Return a tenant's own keys. Raises `ProviderUnavailable` where they cannot be looked up."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """`Owns` that were given with a request; nobody's, without any."""

    keys: OwnKeys = field(default_factory=OwnKeys)

    async def of(self, tenant: str, *, deadline: float) -> OwnKeys:
        """See `Owns.of`."""
        del tenant, deadline
        return self.keys
