"""What the service's routes stand on: built once a process, in the application's lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from leadline.api.following import Following
from leadline.hub import Hub
from leadline.ports import Observer
from leadline.ports.posting import Posts
from leadline.service.asking import Asking
from leadline.service.corpora import Uploads
from leadline.service.door import Door
from leadline.service.evidence import Evidence
from leadline.service.runs import Runs
from leadline.service.serving import Leaving
from leadline.service.settling import Settling
from leadline.service.streams import Streams
from leadline.settings import Settings
from leadline.wiring import Platform, platform
from leadline.wiring.accounts import Accounts, bounds_of, gate_of, open_accounts
from leadline.wiring.blobs import links_of
from leadline.wiring.hooks import posts_of
from leadline.wiring.owners import new_owner
from leadline.wiring.telemetry import Telemetry
from leadline.worker import Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The parts.

    `door` says who asks and whether that is let in, `asking` makes questions into runs, `runs` looks
    them up and steers them, `evidence` shows what came of them.
    """

    settings: Settings
    platform: Platform
    accounts: Accounts
    door: Door
    runs: Runs
    asking: Asking
    evidence: Evidence
    uploads: Uploads
    worker: Worker
    following: Following
    streams: Streams
    settling: Settling
    leaving: Leaving
    posts: Posts

    @property
    def carries(self) -> bool:
        """Whether this process works on runs itself; else it only puts them into the queue."""
        return self.settings.engine == "embedded"


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    leaving: Leaving,
    local: bool,
    observers: Sequence[Observer] = (),
    telemetry: Telemetry | None = None,
) -> AsyncIterator[Services]:
    """Build everything that the routes stand on, and take it down on leaving.

    `local`: only this machine is listened to. `telemetry` hears what happens. Raises
    `SettingsError`, `StoreError`, `MissingExtra`.
    """
    told = telemetry or Telemetry()
    async with open_accounts(settings) as accounts, platform(settings, telemetry=told) as running:
        gate = await gate_of(settings, accounts, outgoing=running.outgoing, store=running.store)
        told.watch_quotas(accounts.holds, bounds_of(settings))
        hub, settling = Hub(), Settling(gate.admission)
        worker = Worker(
            store=running.store,
            blobs=running.blobs,
            clock=running.clock,
            provides=running.means,
            owner=new_owner(),
            lease=settings.tasks.lease_seconds,
            observers=(hub, settling, *told.observers, *observers),
            signals=told.signals,
            traced=told.share,
            released=hub.ended,
        )
        door = Door(accounts=accounts, gate=gate, settings=settings, local=local, now=running.clock.now)
        runs = Runs(platform=running, worker=worker)
        async with worker.working():
            yield Services(
                settings=settings,
                platform=running,
                accounts=accounts,
                door=door,
                runs=runs,
                asking=Asking(settings=settings, platform=running, accounts=accounts, door=door, runs=runs),
                evidence=Evidence(
                    platform=running,
                    exports=settings.service.exports,
                    links=links_of(running.blobs, settings),
                    link_seconds=settings.s3.link_seconds,
                ),
                uploads=Uploads(settings=settings, platform=running, accounts=accounts),
                worker=worker,
                following=Following(store=running.store, hub=hub, worker=worker, patient=True),
                streams=Streams(settings.service),
                settling=settling,
                leaving=leaving,
                posts=await posts_of(running),
            )
