"""The pool of model servers: leases on the one that should take a call.

Nothing here touches the network. Who makes calls (`pooled.PooledModel`, `gateway.Gateway`) asks for
a lease, renews it while bytes flow, and reports how it ended; who probes (`pool_health.Health`)
reports what it saw. What a caller learns feeds the next choice at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from leadline.errors import ModelDenied, ModelError, ModelRateLimited, ModelUnavailable
from leadline.model.connect import shown_url
from leadline.model.fair import FairQueue
from leadline.model.pool.choice import affine, least_connections
from leadline.model.pool.gauges import Gauges
from leadline.model.pool.roster import Roster
from leadline.model.pool.seats import Seats
from leadline.model.pool.server import Server
from leadline.model.pool.types import HealthChange, Outcome, PoolPolicy, PoolView, ServerSpec, ServerView
from leadline.resilience import BreakerState, Deadline, Monotonic

log = logging.getLogger("leadline.model.pool")

_BUSY_AGAIN: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a caller wants: a server for `session` that serves `model` and is not in `exclude`.

    Without a session any server is as good as the other, and the least loaded is taken.
    """

    session: str
    tenant: str = ""
    model: str = ""
    exclude: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class _Waiter:
    wanted: Wanted
    handed: asyncio.Future[Lease]


class Lease:
    """One call's place at a server; its context ends it, as abandoned where nothing was reported.

    `session` says whether its conversation stayed where it is known: `kept`, `moved` or `new`.
    `seconds` is what it lasted, once it has ended.
    """

    __slots__ = ("_pool", "_server", "began", "first_token", "renewed_at", "seconds", "session")

    def __init__(self, pool: Pool, server: Server, session: str) -> None:
        self._pool: Pool | None = pool
        self._server = server
        self.session = session
        self.began = self.renewed_at = pool.monotonic()
        self.first_token: float | None = None
        self.seconds = 0.0

    @property
    def spec(self) -> ServerSpec:
        """The server to call."""
        return self._server.spec

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.report(Outcome.ABANDONED)

    def renew(self) -> None:
        """Bytes of an answer came: keep the lease; the first time tells the time to first token."""
        pool = self._pool
        if pool is None:
            return
        self.renewed_at = self._server.heard_at = pool.monotonic()
        if self.first_token is None:
            self.first_token = self.renewed_at - self.began
            self._server.first_token(self.first_token)

    def report(self, outcome: Outcome, *, reason: str = "", wait: float | None = None) -> None:
        """End the lease with how the call went; the first report counts.

        `reason` is fit for a log. `wait` is how long the server asked to be left alone, in seconds.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            self.seconds = pool.monotonic() - self.began
            pool.ended(self, self._server, outcome, reason=reason, wait=wait)


class Pool(Roster):
    """Servers, who sits where, and who waits.

    `on_health` is told each change of a server's health, besides the log; `on_call` each call's end.
    """

    def __init__(
        self,
        servers: Iterable[ServerSpec],
        *,
        policy: PoolPolicy | None = None,
        monotonic: Monotonic = time.monotonic,
        on_health: Callable[[HealthChange], None] | None = None,
        on_call: Callable[[Lease, Outcome], None] | None = None,
    ) -> None:
        super().__init__(policy=policy or PoolPolicy(), monotonic=monotonic)
        self._on_call = on_call
        self._on_health = on_health
        self._seats = Seats(self._servers, policy=self._policy, monotonic=monotonic)
        self._queue: FairQueue[_Waiter] = FairQueue()
        self._leases: set[Lease] = set()
        self._handed = 0
        for spec in servers:
            self._put(spec, fresh=False)

    def view(self) -> PoolView:
        """Return how the pool stands."""
        self._seats.prune()
        servers = tuple(self._servers[url].view() for url in sorted(self._servers))
        return PoolView(servers=servers, waiting=len(self._queue), kept=self._seats.kept, moved=self._seats.moved)

    # --- leases ---

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts that nobody renews."""
        return self._policy.lease_seconds

    async def acquire(self, wanted: Wanted, *, deadline: Deadline) -> Lease:
        """Return a lease on the server that should take the call, as soon as one has room.

        Raises `ModelUnavailable` with `retry_after` where no server is in service (`ModelRateLimited`
        where all ask to be left alone, or too many wait), `ModelDenied` where none serves the model.
        """
        lease = self.try_acquire(wanted)
        if lease is not None:
            return lease
        own = self._policy.queue if self._policy.queue_tenant is None else self._policy.queue_tenant
        if len(self._queue) >= self._policy.queue or self._queue.waiting(wanted.tenant) >= own:
            raise ModelRateLimited(
                f"all model servers are full and {len(self._queue)} calls wait already", retry_after=_BUSY_AGAIN
            )
        return await self._wait(wanted, deadline)

    def try_acquire(self, wanted: Wanted) -> Lease | None:
        """Return a lease now; `None` where all servers in service are full. Raises as `acquire`."""
        usable = [s for s in self._fit(wanted) if s.retry_in() <= 0.0]
        if not usable:
            raise self._none(wanted)
        roomy = [server for server in usable if not server.full]
        if not roomy:
            return None
        return self._seat(wanted.session, roomy)

    def ended(self, lease: Lease, server: Server, outcome: Outcome, *, reason: str, wait: float | None) -> None:
        """Take a lease back; called by the lease alone."""
        self._leases.discard(lease)
        server.released()
        if self._on_call is not None:
            self._on_call(lease, outcome)
        self._judge(server, outcome, reason=reason, wait=wait)
        self._let_go(server)
        self._wake()

    def reap(self) -> int:
        """Take back leases that nobody renewed for too long; return how many."""
        limit = self.monotonic() - self._policy.lease_seconds
        lost = [lease for lease in self._leases if lease.renewed_at < limit]
        for lease in lost:
            lease.report(Outcome.ABANDONED, reason="a caller neither went on nor left")
        return len(lost)

    # --- what probes tell ---

    def trial(self, url: str) -> bool:
        """Return whether a probe may ask the server now; after a failure it is the one trial."""
        server = self._servers.get(url)
        return server is not None and server.breaker.allow()

    def probed(self, url: str, outcome: Outcome, *, reason: str = "", wait: float | None = None) -> None:
        """Take note of what a probe saw.

        An answered probe brings a server back as its trial alone. While the server is in service it
        proves little against failing calls, and one that began before they failed proves nothing.
        """
        server = self._servers.get(url)
        if server is None:
            return
        if outcome is Outcome.ANSWERED and server.breaker.state is not BreakerState.HALF_OPEN:
            server.heard_at = self.monotonic()
            return
        self._judge(server, outcome, reason=reason, wait=wait)
        self._wake()

    def measured(self, url: str, gauges: Gauges) -> None:
        """Take note of a server's own gauges."""
        server = self._servers.get(url)
        if server is not None:
            server.measured(gauges)

    def heard(self, url: str) -> float:
        """Return the seconds since a server last showed that it works; infinite if never."""
        server = self._servers.get(url)
        return math.inf if server is None else self.monotonic() - server.heard_at

    def look(self, url: str) -> ServerView | None:
        """Return how one server stands."""
        server = self._servers.get(url)
        return None if server is None else server.view()

    # --- inside ---

    def _fit(self, wanted: Wanted) -> list[Server]:
        return [s for s in self._servers.values() if s.serves(wanted.model) and s.url not in wanted.exclude]

    async def _wait(self, wanted: Wanted, deadline: Deadline) -> Lease:
        waiter = _Waiter(wanted, asyncio.get_running_loop().create_future())
        self._queue.push(wanted.tenant, waiter)
        left = deadline.left()
        try:
            async with asyncio.timeout(left if math.isfinite(left) else None):
                return await waiter.handed
        except BaseException as error:
            self._queue.remove(wanted.tenant, waiter)
            if waiter.handed.done() and not waiter.handed.cancelled() and waiter.handed.exception() is None:
                waiter.handed.result().report(Outcome.ABANDONED)
            if isinstance(error, TimeoutError):
                raise ModelRateLimited(
                    f"all model servers stayed full for {left:.3g} s", retry_after=_BUSY_AGAIN
                ) from error
            raise

    def _wake(self) -> None:
        """Serve waiters while any of them can be: with a lease, or with the news that there is none."""
        while self._queue:
            waiter = self._queue.take(self._ready)
            if waiter is None:
                return
            try:
                lease = self.try_acquire(waiter.wanted)
            except ModelError as error:
                waiter.handed.set_exception(error)
                continue
            if lease is None:  # cannot be: `_ready` looked
                self._queue.push(waiter.wanted.tenant, waiter)
                return
            waiter.handed.set_result(lease)

    def _ready(self, waiter: _Waiter) -> bool:
        if waiter.handed.done():
            return False
        usable = [s for s in self._fit(waiter.wanted) if s.retry_in() <= 0.0]
        return not usable or any(not server.full for server in usable)

    def _seat(self, session: str, roomy: list[Server]) -> Lease:
        self._handed += 1
        move = "new"
        if session and self._policy.balance == "affinity":
            self._seats.prune()
            server = affine(session, roomy, at=self._seats.at(session), policy=self._policy)
            move = self._seats.sit(session, server)
        else:
            server = least_connections(session or str(self._handed), roomy)
        server.breaker.allow()  # half open, this call is the trial
        server.taken()
        lease = Lease(self, server, move)
        self._leases.add(lease)
        return lease

    def _judge(self, server: Server, outcome: Outcome, *, reason: str, wait: float | None) -> None:
        server.report(outcome, reason=reason, wait=wait)
        if not server.turned():
            return
        down_for = self.monotonic() - server.down_since if server.healthy else 0.0
        url = shown_url(server.url)
        change = HealthChange(url=url, healthy=server.healthy, reason=reason, down_for=down_for)
        if server.healthy:
            log.info("model_server_healthy", extra={"server": url, "down_for": round(down_for, 3)})
        else:
            log.warning("model_server_unhealthy", extra={"server": url, "reason": reason})
        if self._on_health is not None:
            self._on_health(change)

    def _none(self, wanted: Wanted) -> ModelError:
        if self._servers and not any(server.serves(wanted.model) for server in self._servers.values()):
            return ModelDenied(f"no model server of the pool serves the model: {wanted.model}")
        out = self._fit(wanted)
        waits = [wait for server in out if math.isfinite(wait := server.retry_in())]
        told = "; ".join(f"{shown_url(s.url)}: {s.last_error or 'drained'}" for s in out) or "none is left to try"
        message = f"no model server is in service ({told})"
        kind = ModelRateLimited if out and all(s.healthy for s in out) and waits else ModelUnavailable
        return kind(message, retry_after=max(0.05, min(waits)) if waits else None)


def excluding(wanted: Wanted, urls: Collection[str]) -> Wanted:
    """Return the same wish without these servers."""
    return replace(wanted, exclude=wanted.exclude | frozenset(urls))
