"""A `Model` within a tenant's budget: reserved before a call, settled by what it took."""

from __future__ import annotations

from collections.abc import Callable

from leadline.domain import ModelAnswer, ModelRequest
from leadline.model.budgets import Budgets
from leadline.model.tokens import TokenEstimator, guess_tokens
from leadline.ports import Model


class BudgetedModel:
    """Wraps a model for one tenant.

    A call reserves its prompt and the longest answer. A call that fails or is cancelled settles at
    its prompt and what streamed of an answer, where anything did: that much was computed. Raises
    `ModelRateLimited` with `retry_after`, and `ModelDenied` for what never fits.
    """

    def __init__(self, model: Model, budgets: Budgets, *, tenant: str, estimator: TokenEstimator | None = None) -> None:
        self._model = model
        self._budgets = budgets
        self._tenant = tenant
        self._estimator = estimator or TokenEstimator()

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: Callable[[str, str], None] | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        prompt = self._estimator.request(request)
        streamed = 0.0

        def heard(kind: str, text: str) -> None:
            nonlocal streamed
            streamed += guess_tokens(text)
            if progress is not None:
                progress(kind, text)

        with self._budgets.reserve(self._tenant, tokens=prompt + request.max_tokens) as reserved:
            try:
                answer = await self._model.complete(request, deadline=deadline, session=session, progress=heard)
                reserved.settle(answer.usage.tokens)
                return answer
            finally:  # after an answer this word comes too late and counts nothing
                reserved.settle(prompt + round(streamed) if streamed else 0)
