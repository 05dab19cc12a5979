"""The models that the settings name, opened when a run first needs one."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from leadline.domain import Price
from leadline.errors import ModelError, SettingsError
from leadline.ports import Clock, Model, Run
from leadline.resilience import BreakerState, SystemClock
from leadline.settings import (
    JudgeSettings,
    ModelSettings,
    Prices,
    Settings,
    SummarizerSettings,
    VllmSettings,
    load_prices,
)

if TYPE_CHECKING:
    from leadline.model.budgets import Budgets
    from leadline.model.concurrency import Counts, Limiter
    from leadline.model.pool.leases import Lease
    from leadline.model.pool.types import HealthChange, Outcome, PoolPolicy, PoolView, ServerSpec
    from leadline.model.pooled import PooledModel
    from leadline.model.tokens import TokenEstimator

WINDOW_SECONDS = 3.0
"""Seconds that a model server may take to tell its window."""

ALONE: Final = 2.0
"""Seconds after which a server that failed is tried again where there is no other."""

_OWN_NAMES: Final = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc", ".svc.cluster.local")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Served:
    """A role's servers, open."""

    section: ModelSettings
    pool: PooledModel
    estimator: TokenEstimator


class Models:
    """The models that the settings name, opened when a run first needs one.

    `on_health` is told each change of a server's health, besides the log; `on_call` each call's end;
    `on_budgets` whether the shared budgets can be reached.
    """

    def __init__(
        self,
        settings: Settings,
        stack: AsyncExitStack,
        *,
        clock: Clock | None = None,
        on_health: Callable[[HealthChange], None] | None = None,
        on_call: Callable[[Lease, Outcome], None] | None = None,
        on_budgets: Callable[[BreakerState], None] | None = None,
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._clock = clock or SystemClock()
        self._on_health = on_health
        self._on_call = on_call
        self._on_budgets = on_budgets
        self._opening = asyncio.Lock()
        self._open: dict[str, _Served] = {}
        self._limiter: Limiter | None = None
        self._budgets: Budgets | None = None
        self._prices = load_prices(settings.prices) if settings.prices else None

    async def main(self, run: Run | None = None) -> Model | None:
        """Return the model that researches and writes, as `run` may use it."""
        section = self._settings.model
        return await self._of("main", section, run) if section.urls and section.name else None

    async def judge(self, run: Run | None = None) -> Model | None:
        """Return the model that judges claims, as `run` may use it."""
        section = self._settings.judge
        if section.use == "off":
            return None
        if section.use == "main":
            return await self.main(run)
        return await self._of("judge", own_model(section), run)

    async def summarizer(self, run: Run | None = None) -> Model | None:
        """Return the model that sums pages up, as `run` may use it; `None` also where a service does."""
        section = self._settings.summarizer
        if section.use == "off" or section.kind == "service":
            return None
        if section.use == "main":
            return await self.main(run)
        return await self._of("summarizer", own_model(section), run)

    async def window(self) -> int | None:
        """Return the main model's window in tokens, `None` where none of its servers tells it soon."""
        section = self._settings.model
        if not section.urls or section.name is None:
            return None
        served = await self._served("main", section)
        try:
            listed = await served.pool.models(deadline=WINDOW_SECONDS)
        except ModelError:
            return None
        return next((model.window for model in listed if model.name == section.name), None)

    def follow(self, settings: Settings) -> None:
        """Have the servers that `settings` name from now on; calls under way end where they are.

        Of a role that is open nothing else changes; others take their section whole. Raises
        `SettingsError`, with nothing changed, where an open role would have another model or none.
        """
        now = {"main": settings.model, "judge": own_model(settings.judge), "summarizer": own_model(settings.summarizer)}
        for role, served in self._open.items():
            section = now[role]
            if not section.urls or (section.name, section.kind) != (served.section.name, served.section.kind):
                raise SettingsError(
                    f"servers can change while a process runs, the model of {role} cannot: it has "
                    f"{served.section.name}; restart for {section.name if section.urls else 'none'}"
                )
        for role, served in self._open.items():
            served.pool.pool.follow(server_specs(now[role], self.price(now[role].name), vllm=settings.vllm))
        self._settings = replace(
            self._settings,
            model=settings.model,
            judge=settings.judge,
            summarizer=settings.summarizer,
            vllm=settings.vllm,
        )

    def price(self, model: str | None) -> Price | None:
        """Return what a model costs by the price file, `None` where it says nothing."""
        return known_price(self._prices, model)

    def pools(self) -> Mapping[str, PoolView]:
        """Return how the servers of each role that is open stand."""
        return {role: served.pool.pool.view() for role, served in self._open.items()}

    def counts(self) -> Counts | None:
        """Return what runs and waits now, `None` before a model was needed."""
        return None if self._limiter is None else self._limiter.counts

    async def _of(self, role: str, section: ModelSettings, run: Run | None = None) -> Model:
        """Return the model of `section`, whose servers all calls of `role` share, as `run` may use it."""
        served = await self._served(role, section)
        from leadline.model.budgeted import BudgetedModel  # noqa: PLC0415 aiohttp only where a model is set
        from leadline.model.continuing import ContinuingModel  # noqa: PLC0415 as above
        from leadline.model.limited import LimitedModel  # noqa: PLC0415 as above
        from leadline.model.structured import StructuredModel  # noqa: PLC0415 as above

        tenant, run_id = (run.tenant, run.id) if run is not None else ("", "")
        model: Model = LimitedModel(served.pool, self._limits(), tenant=tenant, run=run_id)
        budgets = await self._allowances()
        if budgets is not None:
            model = BudgetedModel(model, budgets, tenant=tenant, estimator=served.estimator, clock=self._clock)
        return StructuredModel(ContinuingModel(model))

    async def _served(self, role: str, section: ModelSettings) -> _Served:
        async with self._opening:
            if role not in self._open:
                await asyncio.to_thread(_import_parts)
                self._open[role] = await self._opened(section)
            return self._open[role]

    async def _opened(self, section: ModelSettings) -> _Served:
        from leadline.model.attempt import Clocks  # noqa: PLC0415 aiohttp only where a model is set
        from leadline.model.clients import clients  # noqa: PLC0415 as above
        from leadline.model.hedge import Hedging  # noqa: PLC0415 as above
        from leadline.model.pool.health import Probing  # noqa: PLC0415 as above
        from leadline.model.pooled import PooledModel  # noqa: PLC0415 as above
        from leadline.model.tokens import TokenEstimator  # noqa: PLC0415 as above

        clocks = Clocks(first_token=section.first_token_seconds, gap=section.gap_seconds, total=section.total_seconds)
        estimator = TokenEstimator()
        pool = PooledModel(
            server_specs(section, self.price(section.name), vllm=self._settings.vllm),
            client=clients(
                section.kind, clocks=clocks, estimator=estimator, thinking=section.thinking, clock=self._clock
            ),
            policy=pool_policy(section),
            probing=Probing(every=section.probe_seconds),
            probe_model=section.name,
            hedging=Hedging() if section.hedge else None,
            clock=self._clock,
            on_health=self._on_health,
            on_call=self._on_call,
        )
        return _Served(section=section, pool=await self._stack.enter_async_context(pool), estimator=estimator)

    def _limits(self) -> Limiter:
        """Return what bounds the calls of all roles together."""
        if self._limiter is None:
            from leadline.model.concurrency import Limiter, Limits  # noqa: PLC0415 only where a model is set

            section = self._settings.model
            self._limiter = Limiter(
                Limits(
                    process=section.at_once,
                    tenant=section.at_once_tenant,
                    run=section.at_once_run,
                    waiting=section.queue,
                )
            )
        return self._limiter

    async def _allowances(self) -> Budgets | None:
        """Return the tenants' budgets for calls of all roles: of this process, or in a Redis of all together."""
        section, limits = self._settings.model, self._settings.limits
        if not (section.tenant_requests or section.tenant_tokens):
            return None
        async with self._opening:
            if self._budgets is None:
                from leadline.model.budgets import Allowance, MemoryBudgets  # noqa: PLC0415 only where one is set
                from leadline.model.budgets_redis import RedisBudgets  # noqa: PLC0415 as above

                allowed = [Allowance(requests=section.tenant_requests, tokens=section.tenant_tokens)]
                if limits.scheme == "memory":
                    self._budgets = MemoryBudgets(allowed)
                else:
                    alone, changed = self._settings.outgoing.alone, self._on_budgets
                    opened = RedisBudgets.open(limits.url, allowed, alone=alone, changed=changed)
                    self._budgets = await self._stack.enter_async_context(opened)
        return self._budgets


def own_model(section: JudgeSettings | SummarizerSettings) -> ModelSettings:
    """Return a role's own servers as the section of a model."""
    return ModelSettings(
        urls=section.urls,
        name=section.name,
        api_key=section.api_key,
        kind="anthropic" if section.kind == "anthropic" else "openai",
        free=section.free,
    )


def _import_parts() -> None:
    """Import what a model stands on; slow, hence not on the event loop."""
    for name in ("budgeted", "budgets", "clients", "concurrency", "continuing", "limited", "pooled", "structured"):
        import_module(f"leadline.model.{name}")


def known_price(prices: Prices | None, model: str | None) -> Price | None:
    """Return what a model costs by `prices`, `None` where they say nothing."""
    found = prices.of(model) if prices and model else None
    return None if found is None else Price(prompt=found.prompt, completion=found.completion, cached=found.cached)


def server_specs(
    section: ModelSettings, price: Price | None, *, vllm: VllmSettings | None = None, grows: bool = False
) -> tuple[ServerSpec, ...]:
    """Return the servers of `section` as a pool takes them; `price` is the model's, where it is known.

    Without a bound of their own, servers of the model that `vllm` starts get what one of those computes
    at once, so that the pool never sends more than servers times `max_num_seqs`. `grows` says that
    others may join a lone one.

    Money decides who may be asked for more than a run asks for: where a call costs some, nothing is
    hedged, and nothing is probed unless `probe` is `all`. A lone server needs neither. Who is not probed
    is looked at, which costs nothing.
    """
    from leadline.model.pool.types import ServerSpec  # noqa: PLC0415 aiohttp only where a model is set

    key = section.api_key.reveal() if section.api_key else None
    several = grows or len(section.urls) > 1
    bounds = section.concurrency or _computed(section, vllm)
    specs = []
    for at, url in enumerate(section.urls):
        own = own_network(url)
        free = section.free or (own and (price is None or not (price.prompt or price.completion)))
        probed = section.probe == "all" or (section.probe == "auto" and free and several)
        specs.append(
            ServerSpec(
                url=url,
                weight=section.weights[at] if section.weights else 1.0,
                concurrency=bounds[at % len(bounds)] if bounds else None,
                priced=not free,
                api_key=key,
                probed=probed,
                looked_at=section.probe == "auto" and not probed,
                gauges=several and own,
            )
        )
    return tuple(specs)


def admitted(section: ModelSettings, vllm: VllmSettings | None = None) -> int | None:
    """Return how many requests all servers of `section` get at a time, `None` where there is no bound."""
    bounds = section.concurrency or _computed(section, vllm)
    if not bounds or not section.urls:
        return None
    return sum(bounds[at % len(bounds)] for at in range(len(section.urls)))


def _computed(section: ModelSettings, vllm: VllmSettings | None) -> tuple[int, ...]:
    """Return what each server computes at once where it is known to be started by `vllm`."""
    if vllm is None or vllm.model is None or section.name != (vllm.served_model_name or vllm.model):
        return ()
    return (vllm.max_num_seqs,)


def pool_policy(section: ModelSettings, *, grows: bool = False) -> PoolPolicy:
    """Return how the servers of `section` are chosen: a lone one is not spared for long, there is no other."""
    from leadline.model.pool.types import PoolPolicy  # noqa: PLC0415 aiohttp only where a model is set

    cooldown = PoolPolicy().cooldown if grows or len(section.urls) > 1 else ALONE
    return PoolPolicy(balance=section.balance, queue=section.queue, cooldown=cooldown)


def own_network(url: str) -> bool:
    """Return whether an address lies on this machine or in a private network, by its looks: no name is resolved."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_OWN_NAMES)
    return address.is_private or address.is_loopback
