"""A `Model` within a tenant's budget: reserved before a call, settled by what it took."""

from __future__ import annotations

from collections.abc import Callable

from leadline.domain import ModelAnswer, ModelRequest
from leadline.errors import ModelRateLimited
from leadline.model.budgets import Budgets, Reservation
from leadline.model.tokens import TokenEstimator, guess_tokens
from leadline.ports import Model
from leadline.resilience import Deadline, Sleeps


class BudgetedModel:
    """Wraps a model for one tenant.

    A call reserves its prompt and the longest answer. A call that fails or is cancelled settles at
    its prompt and what streamed of an answer, where anything did: that much was computed. With a
    `clock` a call waits for its budget as long as its deadline allows. Raises `ModelRateLimited`
    with `retry_after`, and `ModelDenied` for what never fits.
    """

    def __init__(
        self,
        model: Model,
        budgets: Budgets,
        *,
        tenant: str,
        estimator: TokenEstimator | None = None,
        clock: Sleeps | None = None,
    ) -> None:
        self._model = model
        self._budgets = budgets
        self._tenant = tenant
        self._estimator = estimator or TokenEstimator()
        self._clock = clock

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
        prompt = self._estimator.request(request)
        streamed = 0.0

        def heard(kind: str, text: str) -> None:
            nonlocal streamed
            streamed += guess_tokens(text)
            if progress is not None:
                progress(kind, text)

        async with await self._reserved(prompt + request.max_tokens, limit) as reserved:
            try:
                answer = await self._model.complete(request, deadline=limit.left(), session=session, progress=heard)
                reserved.settle(answer.usage.tokens)
                return answer
            finally:  # after an answer this word comes too late and counts nothing
                reserved.settle(prompt + round(streamed) if streamed else 0)

    async def _reserved(self, tokens: int, limit: Deadline) -> Reservation:
        while True:
            try:
                return await self._budgets.reserve(self._tenant, tokens=tokens)
            except ModelRateLimited as error:
                wait = error.retry_after
                if self._clock is None or wait is None or wait >= limit.left():
                    raise
            await self._clock.sleep(wait)
