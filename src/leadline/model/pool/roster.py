"""The servers of a pool, as an operator changes them while calls go on.

A server goes in three steps: it is drained, so that nothing new comes; what it holds ends; it is
forgotten. None of them cuts a call.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace

from leadline.errors import AlreadyThere, UnknownObject, WrongState
from leadline.model.connect import base_url, shown_url
from leadline.model.pool.server import Server
from leadline.model.pool.types import PoolPolicy, ServerSpec
from leadline.resilience import Monotonic

log = logging.getLogger("leadline.model.pool")


class Roster(ABC):
    """Which servers there are; what waits for one is woken when that changes."""

    def __init__(self, *, policy: PoolPolicy, monotonic: Monotonic) -> None:
        self.monotonic = monotonic
        self._policy = policy
        self._servers: dict[str, Server] = {}
        self._changed = asyncio.Event()

    @abstractmethod
    def _wake(self) -> None:
        """Serve who waits, or tell them that nobody will."""

    @property
    def specs(self) -> tuple[ServerSpec, ...]:
        """The servers, by URL."""
        return tuple(self._servers[url].spec for url in sorted(self._servers))

    def add(self, spec: ServerSpec) -> None:
        """Take a server in, with a small share first, or back in that is drained. Raises `AlreadyThere`."""
        here = self._servers.get(base_url(spec.url))
        if here is None:
            self._put(spec, fresh=True)
        elif here.draining:
            here.spec = replace(spec, url=here.url)
            here.draining = here.leaving = False
        else:
            raise _twice(here.url)
        self._changed_servers("model_server_added", spec.url)

    def drain(self, url: str, *, force: bool = False) -> None:
        """Send nothing new to a server; what it has goes on.

        Raises `UnknownObject`, and `WrongState` where no other one would be in service, unless `force`.
        """
        server = self._known(url)
        if not force and not any(one.healthy and not one.draining for one in self._servers.values() if one != server):
            raise WrongState(f"no other model server would be in service than {shown_url(server.url)}: add one first")
        if not server.draining:
            server.draining = True
            self._changed_servers("model_server_draining", server.url)

    def retire(self, url: str, *, force: bool = False) -> bool:
        """Drain a server, and forget it once nothing is in flight there; return whether that is so now.

        Raises as `drain`.
        """
        self.drain(url, force=force)
        server = self._known(url)
        server.leaving = True
        self._let_go(server)
        return not server.in_flight

    def follow(self, specs: Iterable[ServerSpec]) -> None:
        """Have just these servers: new ones are added, missing ones retired, others take what changed of them.

        A server that an operator drains stays drained. Raises `AlreadyThere` for one named twice.
        """
        wanted: dict[str, ServerSpec] = {}
        for spec in specs:
            url = base_url(spec.url)
            if url in wanted:
                raise _twice(url)
            wanted[url] = replace(spec, url=url)
        for url, spec in wanted.items():
            server = self._servers.get(url)
            if server is None or server.leaving:
                self.add(spec)
            elif server.spec != spec:
                server.spec = spec
                self._changed_servers("model_server_changed", url)
        for url in self._servers.keys() - wanted.keys():
            self.retire(url, force=True)

    async def drained(self, url: str, *, deadline: float) -> bool:
        """Return whether a server is empty within `deadline` seconds."""
        server = self._known(url)
        try:
            async with asyncio.timeout(deadline):
                await server.idle.wait()
        except TimeoutError:
            return False
        return True

    def remove(self, url: str) -> None:
        """Forget a server; calls at it go on and end as they may."""
        server = self._known(url)
        del self._servers[server.url]
        self._changed_servers("model_server_removed", server.url)

    async def changed(self) -> None:
        """Return when a server is next added or removed."""
        await self._changed.wait()

    # --- inside ---

    def _changed_servers(self, event: str, url: str) -> None:
        log.info(event, extra={"server": shown_url(url)})
        self._changed.set()
        self._changed = asyncio.Event()
        self._wake()

    def _let_go(self, server: Server) -> None:
        if server.leaving and not server.in_flight and self._servers.get(server.url) is server:
            self.remove(server.url)

    def _put(self, spec: ServerSpec, *, fresh: bool) -> None:
        spec = replace(spec, url=base_url(spec.url))
        if spec.url in self._servers:
            raise _twice(spec.url)
        self._servers[spec.url] = Server(spec, self._policy, monotonic=self.monotonic, fresh=fresh)

    def _known(self, url: str) -> Server:
        server = self._servers.get(base_url(url))
        if server is None:
            raise UnknownObject(f"no such model server in the pool: {shown_url(url)}")
        return server


def _twice(url: str) -> AlreadyThere:
    return AlreadyThere(f"the pool has this model server already: {shown_url(url)}")
