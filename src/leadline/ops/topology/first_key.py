"""The first tenant and its admin's key, made once and shown once."""

from __future__ import annotations

from typing import Final

from leadline.ops.topology.home import Home
from leadline.ports.access import Role
from leadline.ports.accounts import Deed, Outcome
from leadline.settings import Settings
from leadline.wiring.accounts import open_accounts

TENANT: Final = "main"
_NAME: Final = "first key"
_ACTOR: Final = "operator:up"


async def make_first_key(settings: Settings) -> str:
    """Make the tenant `main`, if it is not there, and a key of an admin of it; return the key. Raises `StoreError`."""
    async with open_accounts(settings) as accounts:
        await accounts.tenants.ensure(TENANT, name="Main")
        made = await accounts.keys.create(TENANT, name=_NAME, role=Role.ADMIN, made_by=_ACTOR)
        await accounts.audit.append(
            Deed(
                tenant=TENANT,
                actor=_ACTOR,
                action="keys:create",
                kind="keys",
                object=made.key.id,
                source="cli",
                outcome=Outcome.DONE,
            )
        )
    return made.credential


def take_first_key(home: Home) -> str | None:
    """Return the key where nobody has seen it yet; afterwards it is gone from this machine."""
    if not home.first_key.exists():
        return None
    key = home.first_key.read_text(encoding="ascii").strip()
    if not key:
        return None
    home.shown.touch(mode=0o600)
    home.first_key.unlink()
    return key
