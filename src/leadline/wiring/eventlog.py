"""Settings -> the event log, and the task that ships to it.

Processes that stay (`leadline worker`, the service) ship in the background; commands that end do
not, for a log that is away must not hold them up: what they leave in the journal is shipped by the
next process that does, or by `leadline ship`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random

from leadline.eventlog.envelope import Envelopes
from leadline.eventlog.shipper import Shipper
from leadline.ports import Clock, EventSink, Lag, Store
from leadline.resilience import Owned
from leadline.settings import EventsSettings, LogPlace, Settings
from leadline.settings.eventlog import KAFKA
from leadline.settings.redis import REDIS
from leadline.wiring.kafka import topic_of
from leadline.wiring.owners import new_owner

log = logging.getLogger("leadline.eventlog")


class EventLog:
    """The log that the settings name."""

    def __init__(self, settings: Settings, *, store: Store, clock: Clock, folder: Path) -> None:
        self.address = str(settings.event_log)
        self._settings = settings
        self._store = store
        self._clock = clock
        self._folder = folder
        self._shipper: Shipper | None = None

    @property
    def name(self) -> str:
        """The name under which the store knows how far the log is."""
        return self._settings.events.name or self._settings.event_log.name

    @property
    def failing(self) -> str | None:
        """Why the log is not reached now, as far as this process ships."""
        return self._shipper.failing if self._shipper is not None else None

    async def lag(self) -> Lag:
        """Return how far the log is behind the journal. Raises `StoreUnavailable`."""
        return await self._store.lag(self.name)

    @asynccontextmanager
    async def shipping(self) -> AsyncIterator[None]:
        """Ship in the background while the context is open, whenever no other process does. Raises `MissingExtra`."""
        async with self._opened() as shipper, Owned("leadline event log", failed=_stopped) as owned:
            self._shipper = shipper
            owned.start(shipper.run(), name="ship")
            yield

    async def ship(self) -> int | None:
        """Ship what the journal holds now, and return how many events; `None` where another process ships.

        Raises `StoreError`, `MissingExtra`.
        """
        async with self._opened() as shipper:
            return await shipper.drain()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Shipper]:
        events = self._settings.events
        async with open_sink(self._settings.event_log, events=events, folder=self._folder) as sink:
            yield Shipper(
                store=self._store,
                sink=sink,
                name=self.name,
                owner=new_owner(),
                envelopes=Envelopes(bodies=events.bodies, most=events.body_bytes),
                clock=self._clock,
                random=Random(),  # noqa: S311 spreads waits, guards nothing
            )


def _stopped(name: str, error: BaseException) -> None:
    """Tell of a fault of the shipper itself: runs go on, the journal waits for the next process."""
    log.error("event_log_stopped", extra={"task": name}, exc_info=error)


def event_log(settings: Settings, *, store: Store, clock: Clock, folder: Path) -> EventLog | None:
    """Return the event log, `None` where it is `off`; nothing is opened yet."""
    if settings.event_log == LogPlace():
        return None
    return EventLog(settings, store=store, clock=clock, folder=folder)


def open_sink(place: LogPlace, *, events: EventsSettings, folder: Path) -> AbstractAsyncContextManager[EventSink]:
    """Return the sink at an address, to be entered; in `folder` where a file's address has no path.

    Entering raises `MissingExtra`, `SettingsError`.
    """
    if place.scheme in KAFKA:
        from leadline.eventlog.kafka import KafkaTopic  # noqa: PLC0415 only where it is chosen

        return KafkaTopic.open(topic_of(place))
    if place.scheme in REDIS:
        from leadline.eventlog.redis_stream import RedisStream  # noqa: PLC0415 as above

        return RedisStream.open(place.server, stream=place.stream, length=events.length)
    from leadline.eventlog.jsonl import JsonLines  # noqa: PLC0415 as above

    return JsonLines.open(place.path or folder / "events.jsonl", rotate_bytes=events.rotate, keep=events.keep)
