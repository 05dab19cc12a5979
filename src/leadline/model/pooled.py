"""`Model` over a pool of servers: each call goes where its session is at home, and on if that fails.

An answer is used whole or not at all, so another server may be asked for as long as the first has
not given one: what was already shown of a failed try is declared void by `("status", "restart")`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final, Self, TypeAlias

import aiohttp

from leadline.domain import Message, ModelAnswer, ModelRequest
from leadline.errors import ModelDenied, ModelError, ModelTimeout, ModelUnavailable
from leadline.model.attempt import ProgressTo, Relay
from leadline.model.connect import open_session, read_up_to
from leadline.model.hedge import Hedging, Race, Try
from leadline.model.pool.gauges import Gauges, parse_gauges
from leadline.model.pool.health import Health, Probing
from leadline.model.pool.leases import Lease, Pool, Wanted, excluding
from leadline.model.pool.types import HealthChange, Outcome, PoolPolicy, ServerSpec, outcome_of, wait_of
from leadline.model.streamed import ServedModel, StreamedModel
from leadline.ports import Clock
from leadline.resilience import Backoff, Deadline, Owned, SystemClock, retry

MakeClient: TypeAlias = Callable[[ServerSpec, aiohttp.ClientSession], StreamedModel]
"""Makes the client of one server over a shared session."""

_MAX_GAUGES: Final = 4 * 1024 * 1024
# A call whose own deadline ran out this long after it began without a token speaks against its server.
_SUSPECT_AFTER: Final = 10.0


class PooledModel:
    """Several servers of one model as one `Model`; an asynchronous context manager.

    `probe_model` is the model that probes ask for, a token at a time; without it no probes are sent, nor looks.
    `hedging` is off unless given, and never asks a priced server. Failed rounds over all servers are
    tried again by `backoff` within a call's deadline.
    """

    def __init__(
        self,
        servers: Iterable[ServerSpec],
        *,
        client: MakeClient,
        policy: PoolPolicy | None = None,
        probing: Probing | None = None,
        probe_model: str | None = None,
        hedging: Hedging | None = None,
        backoff: Backoff | None = None,
        connect: float = 10.0,
        clock: Clock | None = None,
        random: Random | None = None,
        on_health: Callable[[HealthChange], None] | None = None,
        on_call: Callable[[Lease, Outcome], None] | None = None,
    ) -> None:
        self.pool = Pool(servers, policy=policy, on_health=on_health, on_call=on_call)
        self._make = client
        self._probing = probing or Probing()
        self._probe_model = probe_model
        self._hedging = hedging
        self._backoff = backoff or Backoff(base=0.5, cap=20.0)
        self._connect = connect
        self._clock: Clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 jitter of retries, no secret
        self._clients: dict[str, tuple[ServerSpec, StreamedModel]] = {}
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._tasks = Owned("model-calls")
        self._calls = 0
        self._hedges = 0

    async def __aenter__(self) -> Self:
        self._session = await self._stack.enter_async_context(open_session(connect=self._connect))
        await self._stack.enter_async_context(self._tasks)
        probing = self._probing if self._probe_model else replace(self._probing, every=0.0)
        health = Health(
            self.pool,
            ask=self._ask,
            read_gauges=partial(read_gauges, self._session),
            look=self._look,
            probing=probing,
            clock=self._clock,
            random=self._random,
        )
        await self._stack.enter_async_context(health)
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self._stack.aclose()
        self._session = None
        self._clients.clear()

    @property
    def hedges(self) -> int:
        """How many calls were made twice."""
        return self._hedges

    async def complete(
        self,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: ProgressTo | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; see `Model.complete`."""
        return await self.complete_for("", request, deadline=deadline, session=session, progress=progress)

    async def complete_for(
        self,
        tenant: str,
        request: ModelRequest,
        *,
        deadline: float,
        session: str,
        progress: ProgressTo | None = None,
    ) -> ModelAnswer:
        """Return the whole answer; where servers are full, tenants take turns."""
        limit = Deadline(deadline)
        wanted = Wanted(session=session, tenant=tenant, model=request.model)
        call = _Call(request, wanted, limit, Relay(progress))
        self._calls += 1

        async def anywhere() -> ModelAnswer:
            return await self._anywhere(call)

        return await retry(anywhere, backoff=self._backoff, deadline=limit, clock=self._clock, random=self._random)

    async def models(self, *, deadline: float) -> tuple[ServedModel, ...]:
        """Return the models that the servers list, each once. Raises `ModelError` where none answers."""
        failed: list[ModelError] = []

        async def listed(spec: ServerSpec) -> tuple[ServedModel, ...]:
            try:
                return await self._client(spec).models(deadline=deadline)
            except ModelError as error:
                failed.append(error)
                return ()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listed(spec)) for spec in self.pool.specs]
        found = {model.name: model for task in reversed(tasks) for model in task.result()}
        if not found and failed:
            raise failed[0]
        return tuple(found[name] for name in sorted(found))

    # --- one round over the servers ---

    async def _anywhere(self, call: _Call) -> ModelAnswer:
        tried: set[str] = set()
        told: ModelError | None = None
        while True:
            try:
                lease = await self.pool.acquire(excluding(call.wanted, tried), deadline=call.limit)
            except (ModelUnavailable, ModelDenied) as error:
                raise (told or error) from error
            call.relay.restart()
            try:
                return await self._at(lease, call)
            except ModelError as error:
                if not _elsewhere(error) or call.limit.expired:
                    raise
                told = error if told is None or error.retryable else told
                tried.add(lease.spec.url)

    async def _at(self, lease: Lease, call: _Call) -> ModelAnswer:
        after = self._hedge_after(lease)
        if after is None:
            return await self._leased(lease, call, call.relay)
        race: Race[ModelAnswer] = Race(self._tasks, progress=call.relay.tell, after=after)
        with ExitStack() as leases:
            leases.enter_context(lease)
            raced = await race.run(
                partial(self._leased, lease, call),
                partial(self._second, lease, call, leases),
            )
        answer = raced.value
        more = raced.calls - 1
        return replace(answer, usage=replace(answer.usage, model_calls=answer.usage.model_calls + more))

    async def _leased(self, lease: Lease, call: _Call, relay: Relay) -> ModelAnswer:
        def alive() -> None:
            lease.renew()
            relay.beat()

        began = asyncio.get_running_loop().time()
        heard = Relay(relay.tell, alive=alive)
        with lease:
            client = self._client(lease.spec)
            try:
                answer = await client.attempt(call.request, limit=call.limit, session=call.wanted.session, relay=heard)
            except ModelError as error:
                outcome = outcome_of(error)
                short = asyncio.get_running_loop().time() - began < _SUSPECT_AFTER
                if isinstance(error, ModelTimeout) and call.limit.expired and short:
                    outcome = Outcome.ABANDONED
                lease.report(outcome, reason=str(error), wait=wait_of(error))
                raise
            lease.report(Outcome.ANSWERED)
            return answer

    # --- hedging ---

    def _hedge_after(self, lease: Lease) -> float | None:
        hedging = self._hedging
        if hedging is None or lease.spec.priced or self._hedges + 1 > hedging.share * self._calls:
            return None
        look = self.pool.look(lease.spec.url)
        usual = look.first_token if look is not None else 0.0
        return max(hedging.least, usual) if usual > 0.0 else None

    def _second(self, lease: Lease, call: _Call, leases: ExitStack) -> Try[ModelAnswer] | None:
        """Return a try at another server with room that costs nothing; it moves no session."""
        others = {lease.spec.url} | {spec.url for spec in self.pool.specs if spec.priced}
        wanted = Wanted(session="", tenant=call.wanted.tenant, model=call.wanted.model, exclude=frozenset(others))
        try:
            other = self.pool.try_acquire(wanted)
        except ModelError:
            return None
        if other is None:
            return None
        leases.enter_context(other)
        self._hedges += 1
        return partial(self._leased, other, call)

    # --- clients, probes ---

    def _client(self, spec: ServerSpec) -> StreamedModel:
        if self._session is None:
            raise ModelError("the model pool is not open; use it in `async with`")
        known = self._clients.get(spec.url)
        if known is None or known[0] != spec:  # a server may come back with another key
            known = spec, self._make(spec, self._session)
            self._clients[spec.url] = known
        return known[1]

    async def _look(self, spec: ServerSpec) -> None:
        await self._client(spec).models(deadline=self._probing.look_deadline)

    async def _ask(self, spec: ServerSpec) -> None:
        request = ModelRequest(
            messages=(Message(role="user", content="Say: ok"),),
            model=self._probe_model or "",
            max_tokens=1,
            temperature=0.0,
        )
        limit = Deadline(self._probing.deadline)
        await self._client(spec).attempt(request, limit=limit, session="", relay=Relay(None))


@dataclass(frozen=True, slots=True)
class _Call:
    """What a call carries from server to server."""

    request: ModelRequest
    wanted: Wanted
    limit: Deadline
    relay: Relay


def _elsewhere(error: ModelError) -> bool:
    """Whether another server may do better: not where the request itself is the trouble."""
    return error.retryable or isinstance(error, ModelDenied)


async def read_gauges(session: aiohttp.ClientSession, spec: ServerSpec) -> Gauges | None:
    """Return what a server's `/metrics` tells; `None` where it tells nothing."""
    url = spec.url.rstrip("/").removesuffix("/v1") + "/metrics"
    headers = {"Authorization": f"Bearer {spec.api_key}"} if spec.api_key else {}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                return None
            data = await read_up_to(response, _MAX_GAUGES)
    except aiohttp.ClientError:
        return None
    return parse_gauges(data)
