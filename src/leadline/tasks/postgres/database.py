"""The connections: a pool for statements and one that listens; both come back after an outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Final, TypeVar

import asyncpg

from leadline.errors import LeadlineError, SettingsError
from leadline.tasks.postgres.address import CONNECT_SECONDS, Address, name_of
from leadline.tasks.postgres.connection import Connection
from leadline.tasks.postgres.faults import FAILURES, is_away, said, translated
from leadline.tasks.postgres.news import News

T = TypeVar("T")
log = logging.getLogger("leadline.store")

NOW: Final = "extract(epoch FROM statement_timestamp())::float8"
"""Unix time in seconds by the database's clock; stable within a statement, so that indexes serve it."""

CHANNEL: Final = "leadline"
"""What `NOTIFY` tells of changes on; the payload is a topic of `News`."""

IDLE_SECONDS: Final = 300.0
LISTEN_SECONDS: Final = 20.0
"""Time between two signs of life that the listening connection is asked for."""

_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between two tries to listen again; the last one from then on."""


class Database:
    """One database; `news` counts what any process changed in it, `away` tells whether the last statement failed."""

    def __init__(self, url: str, *, connections: int, seconds: float) -> None:
        self.name = name_of(url)
        self.news = News()
        self.listening = False
        self.away = False
        self._url = url
        self._size = connections
        self._seconds = seconds
        self._pool: Any = None
        self._listener: asyncio.Task[None] | None = None
        self._connected_at: float | None = None
        self._lost = asyncio.Event()

    async def open(self) -> None:
        """Connect. Raises `StoreUnavailable`, `SettingsError` for what the server does not accept."""
        try:
            address = await Address.read(self._url)
            self._pool = await asyncpg.create_pool(
                **address.arguments(),
                min_size=1,
                max_size=self._size,
                command_timeout=self._seconds,
                max_inactive_connection_lifetime=IDLE_SECONDS,
                reset=_as_it_is,
                server_settings=_SESSION,
            )
        except FAILURES as error:
            raise translated(error, self.name) from error
        except ValueError as error:
            raise SettingsError(f"{self.name} is no address of PostgreSQL: {error}") from error
        self._listener = asyncio.get_running_loop().create_task(self._listen(address), name="leadline listens")

    async def close(self) -> None:
        """Let waiters go and disconnect."""
        self.news.close()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), CONNECT_SECONDS)
            except FAILURES:
                self._pool.terminate()

    async def do(self, work: Callable[[Connection], Awaitable[T]], *, transaction: bool = False) -> T:
        """Return what `work` gives on a connection. Raises `StoreError` subclasses and what `work` raises."""
        try:
            try:
                result = await self._done(work, transaction=transaction)
            except asyncpg.InvalidCachedStatementError:
                # A migration changed the tables. Nothing was done, and the library has forgotten its plans.
                result = await self._done(work, transaction=transaction)
        except FAILURES as error:
            raise self._failed(error) from error
        self.away = False
        return result

    async def _done(self, work: Callable[[Connection], Awaitable[T]], *, transaction: bool) -> T:
        async with self._pool.acquire() as connection, connection.transaction() if transaction else nullcontext():
            return await work(connection)

    async def connected_at(self, connection: Connection) -> float:
        """Return the database's time of the first statement since it was last away."""
        if self._connected_at is None:
            self._connected_at = await connection.fetchval(f"SELECT {NOW}")
        return self._connected_at

    def changed(self, *topics: str) -> None:
        """Note a change of this process's own where the database does not tell it back."""
        if not self.listening:
            self.news.tell(topics)

    def _failed(self, error: Exception) -> LeadlineError:
        if is_away(error):
            self.away = True
            self._connected_at = None
        return translated(error, self.name)

    # -- listening ----------------------------------------------------------------------------

    async def _listen(self, address: Address) -> None:
        """Hear of changes for as long as the store is open; after a gap everybody is told to look."""
        failures = 0
        while True:
            try:
                async with self._hearing(address) as connection:
                    failures = 0
                    self.listening = True
                    self.news.tell_all()
                    await self._alive(connection)
            except FAILURES as error:
                self._failed(error)
                log.warning("listening_failed", extra={"reason": said(error)})
            finally:
                self.listening = False
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    @asynccontextmanager
    async def _hearing(self, address: Address) -> AsyncIterator[Any]:
        """Connect to listen; never through the pool, which would count and reset it."""
        connection = await asyncpg.connect(
            **address.arguments(), command_timeout=self._seconds, server_settings=_SESSION
        )
        try:
            self._lost.clear()
            connection.add_termination_listener(self._broken)
            await connection.add_listener(CHANNEL, self._heard)
            yield connection
        finally:
            connection.remove_termination_listener(self._broken)
            connection.terminate()

    async def _alive(self, connection: Connection) -> None:
        """Return when the connection broke; a network that only went silent is noticed by asking."""
        while True:
            try:
                await asyncio.wait_for(self._lost.wait(), LISTEN_SECONDS)
            except TimeoutError:
                await connection.execute("SELECT 1")
            else:
                raise ConnectionResetError("the connection that listens broke")

    def _heard(self, _connection: object, _pid: int, _channel: str, topic: object) -> None:
        self.news.tell((str(topic),))

    def _broken(self, _connection: object) -> None:
        self._lost.set()


_SESSION: Final = {
    "application_name": "leadline",
    "jit": "off",  # compiling costs more than any statement here
    "timezone": "UTC",
}


async def _as_it_is(_connection: object) -> None:
    """Take a connection back without a round trip: nothing here leaves a state in its session."""
