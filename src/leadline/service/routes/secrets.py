"""`/v1/secrets`: the tenant's own keys at providers, which are set and never shown."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Path
from fastapi.responses import Response

from leadline.errors import InputError, SettingsError
from leadline.ports.access import Action
from leadline.ports.accounts import SecretInfo
from leadline.service.deps import CallerDep, ServicesDep
from leadline.service.held_shapes import SecretShown, SecretTaken
from leadline.service.routing import Routes
from leadline.service.shown import iso
from leadline.settings import Settings
from leadline.wiring.own_keys import checked_secret, is_used

Name: TypeAlias = Annotated[
    str, Path(min_length=1, max_length=80, description="The provider's, such as `search.serper`.")
]


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/secrets", tag="accounts")
    manage = Action.SECRETS_MANAGE
    made.add("GET", "", secrets, action=manage, model=list[SecretShown])
    made.add("PUT", "/{name}", set_secret, action=manage, status=204, errors=(400,))
    made.add("DELETE", "/{name}", remove_secret, action=manage, status=204)
    return made


async def secrets(services: ServicesDep, caller: CallerDep) -> list[SecretShown]:
    """List which keys at providers the tenant has of its own, by name; nobody can read them back."""
    return [_shown(one, services.settings) for one in await services.accounts.vault.list(caller.tenant)]


async def set_secret(name: Name, taken: SecretTaken, *, services: ServicesDep, caller: CallerDep) -> Response:
    """Set the tenant's own key at a provider, in place of the one before.

    Within 15 seconds every process asks that provider with it for this tenant, and not with the operator's.
    """
    try:
        await services.accounts.vault.put(caller.tenant, name, checked_secret(name, taken.value.get_secret_value()))
    except SettingsError as error:
        raise InputError("this service is not set up for secrets: it has no key to encrypt them") from error
    return Response(status_code=204)


async def remove_secret(name: Name, services: ServicesDep, caller: CallerDep) -> Response:
    """Forget the tenant's own key at a provider; within 15 seconds the operator's is used again, where there is one."""
    await services.accounts.vault.delete(caller.tenant, name)
    return Response(status_code=204)


def _shown(info: SecretInfo, settings: Settings) -> SecretShown:
    return SecretShown(
        name=info.name, key_id=info.key_id, updated_at=iso(info.updated_at), used=is_used(settings, info.name)
    )
