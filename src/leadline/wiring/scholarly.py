"""Scholarly works: the services that the settings name, opened when a run may first ask them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from leadline.errors import ProviderDenied, ToolFailed
from leadline.settings import Settings
from leadline.wire.own_keys import Given, OwnKeys, Owns
from leadline.wire.papers import Papers, Scholar
from leadline.wiring.keyed import KeyedScholar, OwnWorks, RefusedWorks, Whose, no_key
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.own_keys import WORKS

if TYPE_CHECKING:
    from leadline.ports import Query
    from leadline.wire.papers import Copies, Works

log = logging.getLogger("leadline.wiring.scholarly")

FAILED: Final = "scholar_service_failed"
"""Name of the log line of a service that gave nothing; what was asked is never in one."""


class Scholarly:
    """What searches scholarly works, one for each tenant, whose share of the limits it keeps."""

    def __init__(self, settings: Settings, *, outgoing: Outgoing, owns: Owns | None = None) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._owns = owns or Given()
        self._opening = asyncio.Lock()
        self._of: dict[str, Scholar] = {}

    async def library(self, tenant: str, *, owns: Owns | None = None) -> Scholar:
        """Return what answers a tenant's queries. Raises `SettingsError`.

        `owns` tells the tenant's own keys in place of what the process knows of them.
        """
        async with self._opening:
            if tenant not in self._of:
                self._of[tenant] = await self._opened(tenant, OwnKeys())
            usual = self._of[tenant]
        whose = Whose(tenant=tenant, owns=owns or self._owns, names=WORKS)
        return KeyedScholar(usual, whose, lambda keys: self._opened(tenant, keys))

    async def _opened(self, tenant: str, keys: OwnKeys) -> Scholar:
        from leadline.cache.searches import CachedWorks  # noqa: PLC0415 only where a run may ask for works
        from leadline.scholar.choose import source_named  # noqa: PLC0415 as above
        from leadline.scholar.library import Library, ScholarService  # noqa: PLC0415 as above
        from leadline.scholar.observed import ObservedWorks  # noqa: PLC0415 as above

        section, outgoing = self._settings.scholar, self._outgoing
        http, cache, told = await outgoing.http(), await outgoing.cache(), outgoing.told
        services: list[Works] = []
        weights: dict[str, float] = {}
        for name in section.providers:
            one = section.of(name)
            source = source_named(name, one.base_url, contact=mail_address(self._settings.fetch.contact))
            weights[source.name] = one.weight
            try:
                own = keys.of(f"scholar.{name}")
            except ProviderDenied as why:
                services.append(RefusedWorks(source.name, why))
                continue
            if own is None and section.needs_own(name):
                continue
            turns = await outgoing.turns(source.name, rate=one.qps or source.rate, tenant=tenant, own=bool(own))
            ring = (
                outgoing.own_keys(tenant, f"scholar.{name}", own) if own else outgoing.keys(source.name, one.api_keys)
            )
            usd = 0.0 if own else one.usd  # with its own key the tenant pays the service itself
            service: Works = ScholarService(source, http, keys=ring, turns=turns)
            service = ObservedWorks(service, outgoing.signals, usd=usd)
            if cache is not None:
                address, whose = one.base_url or "", tenant if own else None
                service = CachedWorks(service, cache, address=address, tenant=whose, told=told)
            services.append(OwnWorks(service) if own else service)
        services = services or [RefusedWorks("scholar", no_key("searches works"))]
        return Library(services, weights=weights, unpaywall=await self._unpaywall(tenant), told=_told)

    async def _unpaywall(self, tenant: str) -> Copies | None:
        """Return what finds free copies; it wants an address of mail, so there is none without."""
        contact = mail_address(self._settings.fetch.contact)
        if contact is None:
            return None
        from leadline.cache.searches import CachedCopies  # noqa: PLC0415 only where a run may ask for works
        from leadline.scholar.fulltext import Unpaywall  # noqa: PLC0415 as above

        own = self._settings.scholar.unpaywall
        turns = await self._outgoing.turns(Unpaywall.name, rate=own.qps or Unpaywall.rate, tenant=tenant)
        address = {} if own.base_url is None else {"base_url": own.base_url}
        copies = Unpaywall(await self._outgoing.http(), contact=contact, turns=turns, **address)
        cache = await self._outgoing.cache()
        return copies if cache is None else CachedCopies(copies, cache)


class NoWorks:
    """Stands where a library was: a replay asks nobody."""

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        """Raise `ToolFailed`."""
        del query, deadline
        raise ToolFailed("the record holds no answer to this query, and a replay asks nobody")


def mail_address(contact: str | None) -> str | None:
    """Return the operator's contact where it is an address of mail: what polite pools ask for."""
    if contact is None:
        return None
    address = contact.removeprefix("mailto:").strip()
    name, at, host = address.rpartition("@")
    return address if at and name and "." in host and not {"/", " "} & set(address) else None


def _told(service: str, error: ToolFailed) -> None:
    log.info(FAILED, extra={"service": service, "code": error.code})
