"""One server of the pool: what it holds, how it does, and when it may be asked."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from typing import Final

from leadline.model.pool.gauges import Gauges
from leadline.model.pool.types import Outcome, PoolPolicy, ServerSpec, ServerView
from leadline.resilience import Breaker, BreakerState, Monotonic

_SAMPLES: Final = 256
_ENOUGH_SAMPLES: Final = 20
_LEAST_SHARE: Final = 0.1


class Server:
    """The pool's knowledge of a server. Everything here is this process's own, but for `gauges`."""

    def __init__(self, spec: ServerSpec, policy: PoolPolicy, *, monotonic: Monotonic, fresh: bool) -> None:
        self.spec = spec
        self.breaker = Breaker(threshold=policy.failures, cooldown=policy.cooldown, monotonic=monotonic)
        self.draining = False
        self.leaving = False  # forgotten once nothing is in flight
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.sessions = 0
        self.healthy = True
        self.down_since = 0.0
        self.heard_at = -math.inf  # when the server last showed that it works
        self.last_error = ""
        self.outcomes: Counter[Outcome] = Counter()
        self._policy = policy
        self._monotonic = monotonic
        self._up_since = monotonic() if fresh else -math.inf
        self._paused_until = -math.inf
        self._gauges: Gauges | None = None
        self._gauges_at = -math.inf
        self._own_at_gauges = 0
        self._first_tokens: deque[float] = deque(maxlen=_SAMPLES)
        self._sorted: list[float] = []

    @property
    def url(self) -> str:
        """Its base URL, by which the pool knows it."""
        return self.spec.url

    # --- may it be asked ---

    def serves(self, model: str) -> bool:
        """Whether the server offers the model."""
        return not self.spec.models or not model or model in self.spec.models

    def retry_in(self) -> float:
        """Return the seconds until it may be asked: 0 now, infinite while it is drained."""
        if self.draining:
            return math.inf
        return max(0.0, self.breaker.retry_in(), self._paused_until - self._monotonic())

    @property
    def full(self) -> bool:
        """Whether it holds as many requests as it may."""
        return self.spec.concurrency is not None and self.in_flight >= self.spec.concurrency

    # --- how much does it hold ---

    def taken(self) -> None:
        """A call was sent to it."""
        self.in_flight += 1
        self.idle.clear()

    def released(self) -> None:
        """A call at it ended."""
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()

    @property
    def share(self) -> float:
        """Its weight, small at first where it just came or came back."""
        age = self._monotonic() - self._up_since
        if age >= self._policy.slow_start:
            return self.spec.weight
        return self.spec.weight * max(_LEAST_SHARE, age / self._policy.slow_start)

    @property
    def load(self) -> float:
        """Requests that it holds: our own, and others' as its gauges told when they were read.

        Our own are counted here and never taken from the gauges: those are always a little old.
        """
        gauges = self._gauges
        if gauges is None or self._monotonic() - self._gauges_at > self._policy.gauges_age:
            return float(self.in_flight)
        return self.in_flight + max(0.0, gauges.load - self._own_at_gauges)

    @property
    def cache_usage(self) -> float:
        """The share of its KV memory in use, by its gauges."""
        return self._gauges.cache_usage if self._gauges is not None else 0.0

    def measured(self, gauges: Gauges) -> None:
        """Take note of its gauges."""
        self._gauges = gauges
        self._gauges_at = self._monotonic()
        self._own_at_gauges = self.in_flight

    # --- how does it do ---

    def first_token(self, seconds: float) -> None:
        """Take note of a time to first token."""
        self._first_tokens.append(seconds)
        self._sorted = []

    @property
    def slow_first_token(self) -> float:
        """The 95th percentile of its times to first token; 0 before enough calls."""
        if len(self._first_tokens) < _ENOUGH_SAMPLES:
            return 0.0
        if not self._sorted:
            self._sorted = sorted(self._first_tokens)
        return self._sorted[int(0.95 * (len(self._sorted) - 1))]

    def report(self, outcome: Outcome, *, reason: str = "", wait: float | None = None) -> None:
        """Take note of how a call ended."""
        self.outcomes[outcome] += 1
        if reason:
            self.last_error = reason
        if outcome is Outcome.ABANDONED:
            self.breaker.abandoned()
        elif outcome in {Outcome.FAILED, Outcome.DENIED}:
            self.breaker.failed()
            if wait is not None:
                self._pause(wait)
        else:
            self.heard_at = self._monotonic()
            self._worked()
            if outcome is Outcome.BUSY:
                self._pause(self._policy.pause if wait is None else wait)

    def _worked(self) -> None:
        if self.breaker.state is not BreakerState.CLOSED:
            self._up_since = self._monotonic()
        self.breaker.succeeded()

    def _pause(self, seconds: float) -> None:
        self._paused_until = self._monotonic() + min(seconds, self._policy.most_pause)

    def turned(self) -> bool:
        """Bring `healthy` in line with the breaker; return whether it changed."""
        healthy = self.breaker.state is BreakerState.CLOSED
        changed = healthy != self.healthy
        if changed and not healthy:
            self.down_since = self._monotonic()
        self.healthy = healthy
        return changed

    def view(self) -> ServerView:
        """Return how it stands."""
        return ServerView(
            url=self.url,
            healthy=self.healthy,
            breaker=self.breaker.state,
            draining=self.draining,
            leaving=self.leaving,
            in_flight=self.in_flight,
            load=self.load,
            sessions=self.sessions,
            weight=self.spec.weight,
            concurrency=self.spec.concurrency,
            retry_in=self.retry_in(),
            first_token=self.slow_first_token,
            cache_usage=self.cache_usage,
            outcomes=dict(self.outcomes),
            last_error=self.last_error,
        )
