"""What the service's routes stand on: built once a process, in the application's lifespan."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from leadline.api.following import Following
from leadline.hub import Hub
from leadline.ports import Observer
from leadline.service.door import Door
from leadline.service.runs import Runs
from leadline.service.serving import Leaving
from leadline.service.settling import Settling
from leadline.service.streams import Streams
from leadline.settings import Settings
from leadline.wiring import Platform, platform
from leadline.wiring.accounts import Accounts, gate_of, open_accounts
from leadline.worker import Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The parts. `door` says who asks and whether that is let in, `runs` does what is asked of runs."""

    settings: Settings
    platform: Platform
    accounts: Accounts
    door: Door
    runs: Runs
    worker: Worker
    following: Following
    streams: Streams
    settling: Settling
    leaving: Leaving

    @property
    def carries(self) -> bool:
        """Whether this process works on runs itself; else it only puts them into the queue."""
        return self.settings.engine == "embedded"


@asynccontextmanager
async def open_services(
    settings: Settings, *, leaving: Leaving, local: bool, observers: Sequence[Observer] = ()
) -> AsyncIterator[Services]:
    """Build everything that the routes stand on, and take it down on leaving.

    `local`: only this machine is listened to. Raises `SettingsError`, `StoreError`, `MissingExtra`.
    """
    async with open_accounts(settings) as accounts, platform(settings) as running:
        gate = await gate_of(settings, accounts, outgoing=running.outgoing, store=running.store)
        hub, settling = Hub(), Settling(gate.admission)
        worker = Worker(
            store=running.store,
            blobs=running.blobs,
            clock=running.clock,
            provides=running.means,
            owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            lease=settings.tasks.lease_seconds,
            observers=(hub, settling, *observers),
            released=hub.ended,
        )
        async with worker.working():
            yield Services(
                settings=settings,
                platform=running,
                accounts=accounts,
                door=Door(accounts=accounts, gate=gate, settings=settings, local=local, now=running.clock.now),
                runs=Runs(settings=settings, platform=running, accounts=accounts, worker=worker, gate=gate),
                worker=worker,
                following=Following(store=running.store, hub=hub, worker=worker),
                streams=Streams(settings.service),
                settling=settling,
                leaving=leaving,
            )
