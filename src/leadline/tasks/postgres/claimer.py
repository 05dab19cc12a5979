"""A process's claims: those that come while one is under way are carried out together."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from leadline.errors import StoreUnavailable
from leadline.ports import Run
from leadline.tasks.postgres import claims, verbs
from leadline.tasks.postgres.connection import Connection
from leadline.tasks.postgres.database import Database
from leadline.tasks.postgres.faults import is_away

TOGETHER: Final = 32
"""Claims that one statement carries out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Who claims, for how long, and which event versions he understands."""

    owner: str
    lease: float
    engines: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Asked:
    wish: Wish
    future: asyncio.Future[Run | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Claimer:
    """Claims for this process's workers; runs that a lost answer may have left held are `lost` until they are back.

    `ended` is told each run that a claim found and only its end was left for.
    """

    def __init__(
        self, database: Database, *, attempts: int, tenant_runs: int | None, ended: Callable[[Run], None]
    ) -> None:
        self._database = database
        self._attempts = attempts
        self._tenant_runs = tenant_runs
        self._ended = ended
        self._waiting: list[_Asked] = []
        self._busy = False
        self._lost: dict[str, list[str]] = {}

    async def best(self, wish: Wish) -> Run | None:
        """Return the best run, claimed; `None` where nothing is left. Raises `StoreUnavailable`."""
        asked = _Asked(wish)
        self._waiting.append(asked)
        if not self._busy:
            self._busy = True
            try:
                while self._waiting:
                    await self._serve(self._together())
            finally:
                self._busy = False
        return await asked.future

    async def named(self, wish: Wish, run_id: str) -> Run | None:
        """Return the run of this id, claimed; `None` where it cannot be taken. Raises `StoreUnavailable`."""
        taken = await self._take(wish, run_id=run_id)
        return taken.runs[0] if taken.runs else None

    def lose(self, owner: str, token: str, error: StoreUnavailable) -> None:
        """Note that the answer to a claim may have been lost; one that gave way was not carried out."""
        if isinstance(error.__cause__, Exception) and is_away(error.__cause__):
            self._lost.setdefault(owner, []).append(token)

    async def recovered(self, connection: Connection, owner: str, tokens: Sequence[str]) -> None:
        """Give back what claims took whose answers were lost; in a transaction, behind which `found` is called."""
        for token in tokens:
            await verbs.release(connection, owner, token)

    def lost(self, owner: str) -> tuple[str, ...]:
        """Return the tokens of an owner's claims whose answers were lost."""
        return tuple(self._lost.get(owner, ()))

    def found(self, owner: str, tokens: Sequence[str]) -> None:
        """Forget tokens whose runs are given back."""
        left = [token for token in self._lost.get(owner, ()) if token not in tokens]
        if left:
            self._lost[owner] = left
        else:
            self._lost.pop(owner, None)

    def _together(self) -> list[_Asked]:
        """Take the first of those who wait, and those who wish the same."""
        first = self._waiting[0]
        group = [asked for asked in self._waiting if asked.wish == first.wish][:TOGETHER]
        self._waiting = [asked for asked in self._waiting if asked not in group]
        return group

    async def _serve(self, group: list[_Asked]) -> None:
        """Claim for a group; whoever is left without a run hears that nothing is left."""
        try:
            while group:
                taken = await self._take(group[0].wish, count=len(group))
                for run in taken.runs:
                    group.pop(0).future.set_result(run)
                if not taken.ended:
                    break
        except Exception as error:  # noqa: BLE001 everybody who waits must hear of it, whatever it is
            for asked in group:
                asked.future.set_exception(error)
                asked.future.exception()  # heard: whoever asked may be gone
            return
        for asked in group:
            asked.future.set_result(None)

    async def _take(self, wish: Wish, *, count: int = 1, run_id: str | None = None) -> claims.Taken:
        token = secrets.token_hex(8)

        async def work(connection: Connection) -> claims.Taken:
            claim = claims.Claim(
                owner=wish.owner,
                token=token,
                lease=wish.lease,
                engines=wish.engines,
                attempts=self._attempts,
                patient_until=await self._database.connected_at(connection) + wish.lease,
                most=self._tenant_runs,
            )
            if run_id is not None:
                return await claims.take_named(connection, claim, run_id)
            return await claims.take_best(connection, claim, count)

        try:
            taken = await self._database.do(work, transaction=True)
        except StoreUnavailable as error:
            self.lose(wish.owner, token, error)
            raise
        for run in taken.ended:
            self._ended(run)
        return taken
