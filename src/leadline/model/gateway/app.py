"""The pool as an OpenAI-compatible gateway: a plain ASGI application.

    uvicorn.run(Gateway([ServerSpec(url="http://10.0.0.1:8000/v1"), ...]), port=8080)

`POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/rerank`; `GET /v1/models`,
`/metrics`, `/healthz` (it runs), `/readyz` (a server is in service and it is not draining); for
operators `GET`, `POST` and `DELETE /admin/servers`. Bodies go through as the bytes that they are.
Absent by design: rewriting of requests, caching, retries after the first byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from types import MappingProxyType
from typing import Final, Self

import aiohttp
import orjson

from leadline.codec import encode
from leadline.domain import Message, ModelRequest
from leadline.errors import ModelDenied, ModelError, ModelRateLimited, NotPermitted, StoreError, Unauthenticated
from leadline.model.attempt import Clocks, Relay
from leadline.model.budgets import Budgets
from leadline.model.connect import open_session, read_up_to
from leadline.model.gateway.admin import PATH as ADMIN_PATH
from leadline.model.gateway.admin import Admin, Operators
from leadline.model.gateway.forward import Asking, Forwarder, Passed, PassedOn
from leadline.model.gateway.http import (
    ClientLeft,
    Receive,
    Refusal,
    Scope,
    Send,
    TooMuch,
    header,
    read_body,
    refusal_of,
    respond,
    unless_left,
)
from leadline.model.gateway.keys import Keys
from leadline.model.gateway.metrics import CONTENT_TYPE, Counts
from leadline.model.gateway.peek import NotAsked, peek
from leadline.model.openai_api import OpenAIModel
from leadline.model.pool.health import Health, Probing
from leadline.model.pool.leases import Pool
from leadline.model.pool.types import HealthChange, PoolPolicy, ServerSpec
from leadline.model.pooled import read_gauges
from leadline.resilience import Backoff, Deadline

log = logging.getLogger("leadline.model.gateway")

_PREFIX: Final = "/v1"
_FORWARDED: Final = frozenset(
    f"{_PREFIX}/{name}" for name in ("chat/completions", "completions", "embeddings", "rerank")
)
_SESSION_HEADERS: Final = (b"x-session-id", b"x-dynamo-session-id")
_PASSED_UP: Final = MappingProxyType({b"accept": "Accept", b"x-request-id": "X-Request-Id"})
_LISTING: Final = 3.0
_MAX_LISTING: Final = 4 * 1024 * 1024
_DRAINING: Final = 5.0
_AWAY: Final = 5.0


class Gateway:
    """The application; it opens with ASGI's lifespan, or as an asynchronous context manager.

    `keys` tell clients' tenants; without, no key is asked for, and the process should listen on
    loopback only. `readers` tells who may read metrics, by address and headers; without it whoever may
    call models. `operators` tells who may change the servers; without it nobody. `probe_model` is what
    probes ask for; without it a server's own first model. `budgets` are opened with it.
    """

    def __init__(
        self,
        servers: Iterable[ServerSpec],
        *,
        policy: PoolPolicy | None = None,
        probing: Probing | None = None,
        probe_model: str | None = None,
        clocks: Clocks | None = None,
        whole: float = 300.0,
        keys: Keys | None = None,
        readers: Callable[[str, Mapping[str, str]], bool] | None = None,
        operators: Operators | None = None,
        budgets: AbstractAsyncContextManager[Budgets] | None = None,
        max_body: int = 64 * 1024 * 1024,
        max_answer: int = 64 * 1024 * 1024,
        drain: float = 600.0,
        on_health: Callable[[HealthChange], None] | None = None,
    ) -> None:
        self.pool = Pool(servers, policy=policy, on_health=on_health)
        self.counts = Counts()
        self._probing = probing or Probing()
        self._probe_model = probe_model
        self._clocks = clocks or Clocks(total=3600.0)
        self._whole = whole
        self._keys = keys
        self._readers = readers
        self._admin = Admin(self.pool, operators)
        self._opening = budgets
        self._budgets: Budgets | None = None
        self._max_body = max_body
        self._max_answer = max_answer
        self._drain = drain
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._forwarder: Forwarder | None = None
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    # --- its life ---

    async def __aenter__(self) -> Self:
        session = await self._stack.enter_async_context(open_session(connect=self._clocks.connect))
        self._session = session
        if self._opening is not None:
            self._budgets = await self._stack.enter_async_context(self._opening)
        self._forwarder = Forwarder(self.pool, session, clocks=self._clocks, whole=self._whole, most=self._max_answer)
        await self._stack.enter_async_context(
            Health(
                self.pool,
                ask=self._ask,
                read_gauges=partial(read_gauges, session),
                look=self._look,
                probing=self._probing,
            )
        )
        return self

    async def __aexit__(self, *_failure: object) -> None:
        self._forwarder = None
        await self._stack.aclose()

    async def drain(self, seconds: float | None = None) -> bool:
        """Take nothing new; return whether all that runs ended within `seconds`."""
        self._draining = True
        try:
            async with asyncio.timeout(self._drain if seconds is None else seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                await self._route(scope, receive, send)
            except ClientLeft:
                self.counts.ended["client_left"] += 1
            except Refusal as refusal:
                self.counts.ended[refusal.code] += 1
                await respond(send, refusal.body(), status=refusal.status, headers=refusal.headers())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup":
                await self.__aenter__()
                await send({"type": "lifespan.startup.complete"})
            elif kind == "lifespan.shutdown":
                await self.drain()
                await self.__aexit__()
                await send({"type": "lifespan.shutdown.complete"})
                return

    # --- routes ---

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path == "/healthz":
            await respond(send, b'{"status":"ok"}')
            return
        if path == "/readyz":
            await self._ready(send)
            return
        if path == "/metrics" and method == "GET":
            await self._metrics(scope, send)
            return
        if path.startswith(ADMIN_PATH):
            await self._admin.answer(scope, receive, send)
            return
        tenant = await self._tenant(scope)
        if path in _FORWARDED and method == "POST":
            await self._forward(scope, receive, send, tenant=tenant)
        elif path == f"{_PREFIX}/models" and method == "GET":
            await respond(send, encode({"object": "list", "data": await self._models()}))
        elif path in _FORWARDED or path in {f"{_PREFIX}/models", "/metrics"}:
            raise Refusal(405, f"{method} is not for {path}", code="method_not_allowed")
        else:
            raise Refusal(404, "no such path", code="not_found")

    async def _metrics(self, scope: Scope, send: Send) -> None:
        """Show metrics: they name servers, and what all tenants use."""
        if self._readers is None:
            await self._tenant(scope)
        else:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            client = scope.get("client")
            if not self._readers(str(client[0]) if client else "", headers):
                raise Refusal(401, "the key of metrics is needed", code="invalid_api_key")
        await respond(send, self.counts.text(self.pool.view()), headers=[(b"content-type", CONTENT_TYPE)])

    async def _tenant(self, scope: Scope) -> str:
        if self._keys is None:
            return ""
        scheme, _, key = header(scope, b"authorization").partition(" ")
        try:
            return await self._keys.tenant(key.strip() if scheme.lower() == "bearer" else "")
        except Unauthenticated as error:
            raise Refusal(401, "a valid API key is needed", code="invalid_api_key") from error
        except NotPermitted as error:
            raise Refusal(403, str(error), code="not_permitted") from error
        except StoreError as error:
            log.warning("keys_away", extra={"reason": str(error)})
            raise Refusal(503, "keys cannot be looked up now", code="keys_away", retry_after=_AWAY) from error

    async def _ready(self, send: Send) -> None:
        up = any(server.healthy and not server.draining for server in self.pool.view().servers)
        ready = up and not self._draining
        await respond(send, encode({"ready": ready}), status=200 if ready else 503)

    async def _forward(self, scope: Scope, receive: Receive, send: Send, *, tenant: str) -> None:
        forwarder = self._forwarder
        if self._draining or forwarder is None:
            raise Refusal(503, "the gateway is shutting down", code="draining", retry_after=_DRAINING)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.counts.in_flight += 1
        self._idle.clear()
        try:
            asking = await self._asking(scope, receive, tenant)
            await unless_left(receive, self._budgeted(asking, send, forwarder))
        finally:
            self.counts.in_flight -= 1
            self.counts.took(loop.time() - began)
            if not self.counts.in_flight:
                self._idle.set()

    async def _asking(self, scope: Scope, receive: Receive, tenant: str) -> Asking:
        session = next((value for name in _SESSION_HEADERS if (value := header(scope, name))), "")
        try:
            body = await read_body(receive, limit=self._max_body)
            peeked = peek(body, session=f"{tenant}/{session}" if session and tenant else session)
        except TooMuch as error:
            raise Refusal(413, f"the body has more than {self._max_body} bytes", code="too_large") from error
        except NotAsked as error:
            raise Refusal(400, str(error), code="invalid_json") from error
        headers = {up: value for name, up in _PASSED_UP.items() if (value := header(scope, name))}
        path = scope["path"].removeprefix(_PREFIX)
        return Asking(path=path, body=body, headers=headers, peeked=peeked, tenant=tenant)

    async def _budgeted(self, asking: Asking, send: Send, forwarder: Forwarder) -> None:
        passed = Passed()
        work = partial(forwarder.forward, asking, send, passed)
        if self._budgets is None:
            await self._answered(asking, work, passed)
            return
        try:
            reservation = await self._budgets.reserve(asking.tenant, tokens=asking.peeked.tokens)
        except ModelRateLimited as error:
            raise Refusal(429, str(error), code="budget_used_up", retry_after=error.retry_after) from error
        except ModelDenied as error:
            raise Refusal(400, str(error), code="over_budget") from error
        async with reservation:
            try:
                await self._answered(asking, work, passed)
            except asyncio.CancelledError:
                if passed.servers and not passed.begun:  # a server computes it, and only the client did not wait
                    reservation.settle(asking.peeked.prompt_tokens)
                raise
            finally:
                reservation.settle(passed.tokens)  # also for what the client did not wait for

    async def _answered(self, asking: Asking, work: Callable[[], Awaitable[None]], passed: Passed) -> None:
        try:
            await work()
            self.counts.ended["answered"] += 1
        except PassedOn as error:
            self.counts.ended["broken"] += 1
            log.warning("answer_broken", extra={"tenant": asking.tenant, "error": error})
        except ModelError as error:
            log.warning("answer_failed", extra={"tenant": asking.tenant, "error": error})
            raise refusal_of(error) from error
        finally:
            self.counts.tokens += passed.tokens
            self.counts.failovers += max(0, passed.servers - 1)

    # --- what servers serve ---

    async def _models(self) -> list[object]:
        """Return the entries of all servers that answer, by id; the first that names one describes it."""
        found: dict[str, object] = {}
        async with asyncio.TaskGroup() as group:
            listings = [group.create_task(self._listed(spec)) for spec in self.pool.specs]
        for listing in listings:
            for entry in listing.result():
                found.setdefault(str(entry["id"]), entry)
        return [found[name] for name in sorted(found)]

    async def _listed(self, spec: ServerSpec) -> list[dict[str, object]]:
        if self._session is None:
            return []
        headers = {"Authorization": f"Bearer {spec.api_key}"} if spec.api_key else {}
        try:
            async with (
                asyncio.timeout(_LISTING),
                self._session.get(f"{spec.url}/models", headers=headers) as response,
            ):
                entries = orjson.loads(await read_up_to(response, _MAX_LISTING))["data"]
        except (TimeoutError, aiohttp.ClientError, orjson.JSONDecodeError, KeyError, TypeError):
            return []
        named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        return [entry for entry in named if not spec.models or entry["id"] in spec.models]

    def _client(self, spec: ServerSpec) -> OpenAIModel:
        return OpenAIModel(spec.url, session=self._session, api_key=spec.api_key, backoff=Backoff(attempts=1))

    async def _look(self, spec: ServerSpec) -> None:
        await self._client(spec).models(deadline=self._probing.look_deadline)

    async def _ask(self, spec: ServerSpec) -> None:
        """Get one token from a server."""
        client = self._client(spec)
        limit = Deadline(self._probing.deadline)
        names = [self._probe_model] if self._probe_model else sorted(spec.models)
        names = names or [served.name for served in await client.models(deadline=limit.left())]
        if not names:
            raise ModelDenied("the server lists no model")
        request = ModelRequest(
            messages=(Message(role="user", content="Say: ok"),), model=names[0], max_tokens=1, temperature=0.0
        )
        await client.attempt(request, limit=limit, session="", relay=Relay(None))
