"""Several servers of one model: a conversation stays on its server, another one steps in where that fails."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from random import Random
from typing import Final

from leadline.domain import ModelAnswer, ModelRequest
from leadline.errors import ModelError, ModelUnavailable
from leadline.model.attempt import ProgressTo, Relay
from leadline.ports import Clock, Model
from leadline.resilience import Backoff, Breaker, BreakerState, Deadline, Monotonic, SystemClock, retry

COOLDOWN: Final = 30.0
"""Seconds for which a server that failed is asked only where no other is left."""


class SeveralModels:
    """`Model` over servers by name, of which each conversation has its own order (rendezvous hash).

    The first in the order is a conversation's home, so that its prefix is cached there; the next
    are asked after retryable failures, and at home again once it has had time to recover. When
    all have failed the round is tried again by `backoff`, within the call's deadline.

    The hash is that of Thaler and Ravishankar, "A name-based mapping scheme for rendezvous" (1996).
    """

    def __init__(
        self,
        servers: Mapping[str, Model],
        *,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        if not servers:
            raise ValueError("a model needs a server")
        self._servers = dict(servers)
        self._breakers = {name: Breaker(threshold=1, cooldown=COOLDOWN, monotonic=monotonic) for name in self._servers}
        self._backoff = backoff or Backoff()
        self._clock: Clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 jitter of retries, no secret

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: ProgressTo | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        limit = Deadline(deadline)
        relay = Relay(progress)

        async def around() -> ModelAnswer:
            failed: ModelError = ModelUnavailable("no model server is left")
            for name in self._order(session):
                if limit.expired:
                    break
                relay.restart()
                try:
                    answer = await self._servers[name].complete(
                        request, deadline=limit.left(), session=session, progress=relay.pass_on
                    )
                except ModelError as error:
                    if not error.retryable:
                        raise
                    self._breakers[name].failed()
                    failed = error
                else:
                    self._breakers[name].succeeded()
                    return answer
            raise failed

        return await retry(around, backoff=self._backoff, deadline=limit, clock=self._clock, random=self._random)

    def _order(self, session: str) -> list[str]:
        """Return the servers in a conversation's order, those that failed of late behind the others."""
        ranked = sorted(self._servers, key=lambda name: _weight(name, session), reverse=True)
        well = [name for name in ranked if self._breakers[name].state is not BreakerState.OPEN]
        return [*well, *(name for name in ranked if name not in well)]


def _weight(name: str, session: str) -> bytes:
    return hashlib.blake2b(f"{session}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
