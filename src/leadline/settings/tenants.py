"""Who may use the gateway: a file of tables, one a tenant.

    [team-a]
    keys = ["8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918"]
    requests = 600      # a minute; left out, the setting `gateway.tenant_requests`
    tokens = 200_000    # a minute, prompts and answers; left out, `gateway.tenant_tokens`

A key stands as its SHA-256 in hexadecimal, so that the file lets nobody in. `leadline serve-models
--new-key` makes one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadline.errors import SettingsError

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KNOWN: Final = frozenset({"keys", "requests", "tokens"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A tenant of the gateway: hashes of its keys, and what it may use in a minute (`None`: as all others)."""

    keys: tuple[str, ...]
    requests: int | None = None
    tokens: int | None = None


def load_tenants(path: Path) -> Mapping[str, Tenant]:
    """Return the tenants of a file by name. Raises `SettingsError`, also where two share a key or none has one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the file of tenants {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the file of tenants {path} is not valid TOML: {error}") from error
    tenants = {name: _tenant(row, name, path) for name, row in data.items()}
    hashes = [key for tenant in tenants.values() for key in tenant.keys]
    if not hashes:
        raise SettingsError(f"the file of tenants {path} has no key; make one with `leadline serve-models --new-key`")
    if len(set(hashes)) < len(hashes):
        raise SettingsError(f"the file of tenants {path} has a key twice")
    return tenants


def _tenant(row: object, name: str, path: Path) -> Tenant:
    if not isinstance(row, dict):
        raise SettingsError(f"the file of tenants {path} must hold a table for each tenant: {name}")
    unknown = sorted(set(row) - _KNOWN)
    if unknown:
        raise SettingsError(f"the file of tenants {path}: `{name}` has an unknown key: {unknown[0]}")
    keys = row.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) and _HASH.fullmatch(key) for key in keys):
        raise SettingsError(f"the file of tenants {path}: `keys` of `{name}` must be SHA-256 hashes in hexadecimal")
    return Tenant(
        keys=tuple(keys),
        requests=_count(row.get("requests"), f"`requests` of `{name}`", path),
        tokens=_count(row.get("tokens"), f"`tokens` of `{name}`", path),
    )


def _count(value: object, what: str, path: Path) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingsError(f"the file of tenants {path}: {what} must be a whole number of at least 1")
    return value
