"""The model servers of the settings behind one address, and the launch line of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from leadline.errors import SettingsError
from leadline.ports.access import Authenticator
from leadline.settings import Settings, Tenant, load_prices, load_tenants
from leadline.settings.kinds import Server
from leadline.wire.hosts import is_loopback
from leadline.wiring.accounts import are_kept, has_keys, open_accounts
from leadline.wiring.models import known_price, pool_policy, server_specs
from leadline.wiring.telemetry import gate_of_metrics

if TYPE_CHECKING:
    from leadline.model.budgets import Allowance, Budgets
    from leadline.model.gateway.admin import Operators
    from leadline.model.gateway.app import Gateway
    from leadline.model.gateway.keys import Keys
    from leadline.model.pool.types import HealthChange, ServerSpec

Form: TypeAlias = Literal["shell", "systemd", "kubernetes"]


class Launch(NamedTuple):
    """How a vLLM server is started: the text to run or install, and the base URLs for `model.urls`."""

    text: str
    urls: tuple[str, ...]


@asynccontextmanager
async def open_gateway(
    settings: Settings, *, on_health: Callable[[HealthChange], None] | None = None
) -> AsyncIterator[Gateway]:
    """Open the gateway to the servers under `model`, an ASGI application.

    Who may ask is decided by the file `gateway.tenants`; without one by the keys of accounts, as
    the service does it, where there are any. `on_health` is told each change of a server's health,
    besides the log. Raises `SettingsError` without servers, for servers of another protocol, and
    where it would let in anybody; `StoreError` where accounts cannot be reached.
    """
    async with AsyncExitStack() as stack:
        authenticator = None
        if settings.gateway.tenants is None and await asyncio.to_thread(are_kept, settings):
            accounts = await stack.enter_async_context(open_accounts(settings))
            authenticator = accounts.by_key if await has_keys(accounts) else None
        yield await stack.enter_async_context(_gateway(settings, authenticator, on_health=on_health))


def _gateway(
    settings: Settings, authenticator: Authenticator | None, *, on_health: Callable[[HealthChange], None] | None
) -> Gateway:
    from leadline.model.attempt import Clocks  # noqa: PLC0415 aiohttp only where a gateway is wanted
    from leadline.model.gateway.app import Gateway  # noqa: PLC0415 as above
    from leadline.model.pool.health import Probing  # noqa: PLC0415 as above

    section, model = settings.gateway, settings.model
    tenants = load_tenants(section.tenants) if section.tenants is not None else {}
    _check_gateway(settings, keyed=bool(tenants) or authenticator is not None)
    return Gateway(
        gateway_servers(settings),
        policy=pool_policy(model, grows=section.admin_key is not None),
        probing=Probing(every=model.probe_seconds),
        probe_model=model.name,
        clocks=Clocks(first_token=model.first_token_seconds, gap=model.gap_seconds, total=model.total_seconds),
        whole=section.whole_seconds,
        keys=_keys(tenants, authenticator),
        readers=gate_of_metrics(settings, "models").lets_in,
        operators=_operators(settings),
        budgets=_budgets(settings, tenants),
        max_body=section.max_body,
        drain=section.drain_seconds,
        on_health=on_health,
    )


def gateway_servers(settings: Settings, urls: tuple[str, ...] | None = None) -> tuple[ServerSpec, ...]:
    """Return the servers that the gateway stands before: those of the settings, or `urls` of the same model."""
    model = settings.model
    if urls is not None:
        bound = model.concurrency if len(model.concurrency) == 1 else ()
        model = replace(model, urls=urls, weights=(), concurrency=bound)
    prices = load_prices(settings.prices) if settings.prices else None
    grows = settings.gateway.admin_key is not None
    return server_specs(model, known_price(prices, model.name), vllm=settings.vllm, grows=grows)


def follow_settings(gateway: Gateway, settings: Settings) -> None:
    """Have a running gateway stand before the servers that `settings` name now. Raises `SettingsError`."""
    if not settings.model.urls:
        raise SettingsError("`model.urls` names no server: the gateway keeps those that it has")
    gateway.pool.follow(gateway_servers(settings))


def _operators(settings: Settings) -> Operators | None:
    from leadline.model.gateway.admin import Operators  # noqa: PLC0415 only where a gateway is wanted
    from leadline.telemetry.gate import Gate  # noqa: PLC0415 as above

    key = settings.gateway.admin_key
    if key is None:
        return None

    def made(url: str) -> ServerSpec:
        try:
            address = Server().parse(url, Path())
        except (TypeError, ValueError) as error:
            raise SettingsError(f"not the address of a model server: {Server().allowed}") from error
        return gateway_servers(settings, (address,))[0]

    return Operators(lets_in=Gate([key.reveal()]).lets_in, make=made)


def new_key() -> tuple[str, str]:
    """Return a key for a client of the gateway, and the hash under which the gateway knows it."""
    import secrets  # noqa: PLC0415 for this alone

    from leadline.model.gateway.keys import key_hash  # noqa: PLC0415 for this alone

    key = f"ll-{secrets.token_urlsafe(32)}"
    return key, key_hash(key)


def vllm_launch(
    settings: Settings, form: Form, *, name: str = "vllm", namespace: str = "default", replicas: int = 1
) -> Launch:
    """Return how the server under `vllm` is started, in one of three forms.

    `name`, `namespace` and `replicas` are of Kubernetes. Raises `SettingsError` without a model, and
    for values that vLLM would refuse or that are unsafe.
    """
    from leadline.model.vllm.command import VllmServer, shell_lines, systemd_unit  # noqa: PLC0415 as above
    from leadline.model.vllm.kubernetes import kubernetes_manifest, server_urls  # noqa: PLC0415 as above

    section = settings.vllm
    if section.model is None:
        raise SettingsError("`vllm.model` is not set: name what is to be served, or see examples/vllm.toml")
    server = VllmServer(**{**asdict(section), "model": section.model})
    if form == "kubernetes":
        text = kubernetes_manifest(server, name=name, replicas=replicas)
        return Launch(text, tuple(server_urls(server, name=name, namespace=namespace, replicas=replicas)))
    host = "127.0.0.1" if server.host in {"0.0.0.0", "::"} else server.host  # noqa: S104 compared, not listened on
    url = f"http://{f'[{host}]' if ':' in host else host}:{server.port}/v1"
    return Launch(shell_lines(server) if form == "shell" else systemd_unit(server), (url,))


def _keys(tenants: Mapping[str, Tenant], authenticator: Authenticator | None) -> Keys | None:
    from leadline.model.gateway.keys import AccountKeys, KnownKeys  # noqa: PLC0415 only where a gateway is wanted

    if authenticator is not None:
        return AccountKeys(authenticator, now=time.monotonic)
    if tenants:
        return KnownKeys({key: name for name, tenant in tenants.items() for key in tenant.keys})
    return None


def _check_gateway(settings: Settings, *, keyed: bool) -> None:
    """Refuse what the gateway cannot do, and what it must not."""
    if not settings.model.urls:
        raise SettingsError("there is no server to stand before: set LEADLINE_MODEL__URLS and LEADLINE_MODEL__NAME")
    if settings.model.kind != "openai":
        raise SettingsError("the gateway speaks OpenAI's protocol alone: `model.kind` must be `openai`")
    host = settings.gateway.host
    if not keyed and not is_loopback(host):
        raise SettingsError(
            f"without keys only this machine is served, not {host}: make one with `leadline keys create`, "
            "or set `gateway.tenants`"
        )


def _budgets(settings: Settings, tenants: Mapping[str, Tenant]) -> AbstractAsyncContextManager[Budgets] | None:
    """Return the tenants' budgets: of this process, or of all gateways together where `limits` names a Redis."""
    from leadline.model.budgets import MemoryBudgets  # noqa: PLC0415 aiohttp only where a gateway is wanted
    from leadline.model.budgets_redis import RedisBudgets  # noqa: PLC0415 as above

    section = settings.gateway
    default = _allowances(section.tenant_requests, section.tenant_tokens)
    own = {
        name: _allowances(tenant.requests or section.tenant_requests, tenant.tokens or section.tenant_tokens)
        for name, tenant in tenants.items()
    }
    if not default and not any(own.values()):
        return None
    if settings.limits.scheme == "memory":
        return nullcontext(MemoryBudgets(default, tenants=own))
    return RedisBudgets.open(settings.limits.url, default, tenants=own, alone=settings.outgoing.alone)


def _allowances(requests: int | None, tokens: int | None) -> list[Allowance]:
    from leadline.model.budgets import Allowance  # noqa: PLC0415 as above

    return [Allowance(requests=requests, tokens=tokens)] if requests or tokens else []
