"""A pool as one run of one tenant sees it: within what may run at once, by its tenant's turns."""

from __future__ import annotations

import math
from collections.abc import Callable

from leadline.domain import ModelAnswer, ModelRequest
from leadline.model.concurrency import Limiter
from leadline.model.pooled import PooledModel
from leadline.resilience import Deadline


class LimitedModel:
    """`Model` over a pool for the calls of `run`.

    A call waits for a permit of `limiter` within its deadline, and holds it until its answer is
    there. Raises `ModelRateLimited` where too many wait already, or none came free in time.
    """

    def __init__(self, pool: PooledModel, limiter: Limiter, *, tenant: str = "", run: str = "") -> None:
        self._pool = pool
        self._limiter = limiter
        self._tenant = tenant
        self._run = run

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        limit = Deadline(deadline)
        seconds = deadline if math.isfinite(deadline) else None
        with await self._limiter.acquire(tenant=self._tenant, run=self._run, seconds=seconds):
            return await self._pool.complete_for(
                self._tenant, request, deadline=limit.left(), session=session, progress=progress
            )
