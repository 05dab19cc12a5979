"""Keys of a service elsewhere, as the commands show keys of this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from leadline.cli.session import on_loop, settings_of
from leadline.cli.shell import Shell
from leadline.client import AsyncClient, KeyView
from leadline.client import MadeKey as Made
from leadline.errors import InputError
from leadline.ports.access import LOCAL, Action, Role
from leadline.ports.accounts import Key, MadeKey
from leadline.settings import load

T = TypeVar("T")


def served(shell: Shell, tenant: str) -> bool:
    """Return whether a service is asked. Raises `InputError` for another tenant than the key's own."""
    if load(flags=shell.flags, config=shell.config).server.url is None:
        return False
    if tenant != LOCAL:
        raise InputError("a service knows the tenant by the key: `--tenant` is for this machine's own accounts")
    return True


def with_service(shell: Shell, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Return what `work` gives, with a client of the service that is set."""
    server = settings_of(shell).server

    async def inside() -> T:
        async with AsyncClient(server.url or "", key=None if server.key is None else server.key.reveal()) as client:
            return await work(client)

    return on_loop(inside())


def made_of(made: Made) -> MadeKey:
    """Return a key that a service made."""
    return MadeKey(key=key_of(made.key), credential=made.credential)


def key_of(view: KeyView) -> Key:
    """Return a key of a service; its tenant is the asking key's own, and not told."""
    return Key(
        id=view.id,
        tenant="",
        name=view.name,
        role=Role(view.role),
        scopes=None if view.scopes is None else frozenset(map(Action, view.scopes)),
        created_at=at(view.created_at),
        made_by=view.made_by,
        expires_at=moment_of(view.expires_at),
        last_used_at=moment_of(view.last_used_at),
        revoked_at=moment_of(view.revoked_at),
    )


def at(told: str) -> float:
    """Return the Unix seconds of a time that a service tells."""
    return datetime.fromisoformat(told).timestamp()


def moment_of(told: str | None) -> float | None:
    """Return the Unix seconds of a time that may be none."""
    return None if told is None else at(told)
