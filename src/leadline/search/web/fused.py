"""Several providers side by side, joined: what two of them find counts for more than what one does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from leadline.domain import Hit
from leadline.errors import ProviderUnavailable, ToolError, ToolFailed
from leadline.ports import Found, Query, Search, Unanswered
from leadline.resilience import Deadline
from leadline.search.web.failover import none_answered

Join = Callable[[Query, Sequence[Sequence[Hit]], Sequence[float]], Sequence[Hit]]
"""Returns one list of several for a query, ranked anew; each list comes with its weight."""

# Of the time, so that one that is late costs only itself, and not what the others found.
_SHARE: Final = 0.95


class Fused:
    """`Search` that puts a query to `most` providers at once and joins their answers with `weights`.

    They are taken in order; for one that fails the next stands in, as in `Failover`, as long as
    there is one. What one answer tells is joined in the order of the providers, whoever was first,
    so that the same answers give the same list. Where fewer than `most` answered, the reply names
    those that did not. `told` hears of every failure at once.
    """

    def __init__(
        self,
        providers: Sequence[Search],
        *,
        most: int,
        join: Join,
        weights: Mapping[str, float],
        name: str = "web",
        told: Callable[[str, ToolFailed], None] | None = None,
    ) -> None:
        self._providers = tuple(providers)
        self._most = min(most, len(self._providers))
        self._join = join
        self._weights = weights
        self._name = name
        self._told = told

    @property
    def name(self) -> str:
        """The name of all together; hits carry the provider's."""
        return self._name

    async def search(self, query: Query, *, deadline: float) -> Found:
        """See `ports.Search`; raises as `Failover.search` when none answered."""
        asking = _Asking(self._providers, query=query, most=self._most, seconds=deadline * _SHARE, told=self._told)
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self._most):
                lanes.create_task(asking.lane())
        if asking.stopped is not None:
            raise asking.stopped
        failures = [asking.failures[place] for place in sorted(asking.failures)]
        if not asking.answers:
            raise none_answered(failures)
        places = sorted(asking.answers)
        founds = [asking.answers[place] for place in places]
        weights = [self._weights.get(self._providers[place].name, 1.0) for place in places]
        silent = [Unanswered(provider=name, code=error.code, message=str(error)) for name, error in failures]
        return Found(
            hits=tuple(self._join(query, [found.hits for found in founds], weights))[: query.limit],
            ignored=tuple(sorted({one for found in founds for one in found.ignored})),
            failures=tuple(silent) if len(founds) < self._most else (),
            usd=sum(found.usd for found in founds),
        )


class _Asking:
    """One query on its way: lanes that take the next provider until each has an answer."""

    def __init__(
        self,
        providers: Sequence[Search],
        *,
        query: Query,
        most: int,
        seconds: float,
        told: Callable[[str, ToolFailed], None] | None,
    ) -> None:
        self.answers: dict[int, Found] = {}
        self.failures: dict[int, tuple[str, ToolFailed]] = {}
        self.stopped: ToolError | None = None
        self._waiting = deque(enumerate(providers))
        self._rounds = -(-len(providers) // most) if most else 0
        self._most = most
        self._query = query
        self._left = Deadline(seconds)
        self._told = told

    async def lane(self) -> None:
        """Ask until one answers, or nobody is left."""
        while self._waiting and self.stopped is None:
            place, provider = self._waiting.popleft()
            share = self._left.left() / (self._rounds - place // self._most)
            try:
                self.answers[place] = await _in_time(provider, self._query, share)
            except ToolFailed as error:
                self.failures[place] = (provider.name, error)
                if self._told is not None:
                    self._told(provider.name, error)
            except ToolError as error:  # the run must stop: for the caller, not for the group of tasks
                self.stopped = error
            else:
                return


async def _in_time(provider: Search, query: Query, seconds: float) -> Found:
    try:
        async with asyncio.timeout(seconds):
            return await provider.search(query, deadline=seconds)
    except TimeoutError as error:
        raise ProviderUnavailable(f"`{provider.name}` did not answer within {seconds:.3g} s") from error
