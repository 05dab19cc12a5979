"""Keys: app : schema : tenant or public : category : version : hash of everything that decides the answer."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from leadline import codec
from leadline.cache.types import Category

APP: Final = "leadline"
SCHEMA: Final = 1
"""Raised when the meaning of a stored body changes: all older entries are then unreachable."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """What an answer is known by. `id` is the same under every version of its namespace."""

    category: Category
    namespace: str
    digest: str
    id: str

    def text(self, version: int) -> str:
        """Return the key under a version of its namespace."""
        return f"{self.namespace}:{version}:{self.digest}"


def namespace(category: Category, *, tenant: str | None) -> str:
    """Return what is invalidated together: one category of one tenant, or of what is public."""
    return f"{APP}:{SCHEMA}:{_scope(tenant)}:{category.value}"


def key(category: Category, request: object, *, tenant: str | None) -> Key:
    """Return the key of a request: JSON that holds every field which changes the answer.

    Provider, count, language, year, versions of model and prompt belong to it. `tenant` is
    `None` only where all that the answer depends on is public.
    """
    digest = hashlib.blake2b(codec.canonical(request), digest_size=16).hexdigest()
    space = namespace(category, tenant=tenant)
    return Key(category=category, namespace=space, digest=digest, id=f"{space}:{digest}")


def id_of(text: str) -> str:
    """Return the `Key.id` of a key's text."""
    space, _version, digest = text.rsplit(":", 2)
    return f"{space}:{digest}"


def _scope(tenant: str | None) -> str:
    if tenant is None:
        return "public"
    if _PLAIN.fullmatch(tenant):
        return f"t-{tenant}"
    return "h-" + hashlib.blake2b(tenant.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
