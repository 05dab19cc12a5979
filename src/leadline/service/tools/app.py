"""The application of one tool's service: `POST /{tool}`, `GET /healthz`, `GET /readyz`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError

from leadline import codec
from leadline.errors import InvalidArguments
from leadline.service.answers import Problem
from leadline.service.asgi import Asgi
from leadline.service.health import add_health
from leadline.service.keys import OwnHost, SharedKey
from leadline.service.leaving import ClientGone, while_there
from leadline.service.limits import BodyLimits
from leadline.service.metrics import METRICS, add_metrics
from leadline.service.observed import Observed
from leadline.service.problems import plain_problem, told
from leadline.service.serving import Leaving
from leadline.service.tools.asked import Asked
from leadline.service.tools.host import Holder
from leadline.service.tools.work import OFFERS, Call, Offer
from leadline.service.tracing import RequestIds
from leadline.version import __version__
from leadline.wire.own_keys import HEADER, from_header
from leadline.wire.tool_client import DEADLINE, TENANT
from leadline.wiring.telemetry import Telemetry

MOST_SECONDS: Final = 600.0
"""Seconds that a request may ask for at most."""

_SMALL: Final = 1 << 16
_MOST_TENANT: Final = 200
_MOST_FAULTS: Final = 3


def tool_app(host: Holder, tool: str, *, key: str, leaving: Leaving, telemetry: Telemetry | None = None) -> Asgi:
    """Return the service of `tool`; `key` is demanded of every request unless it is empty.

    From the outside in: an id, what is told of the request, the key (or this machine alone), the
    size of the body, the work.
    """
    telemetry = telemetry or Telemetry()
    offer = OFFERS[tool]
    api = FastAPI(
        title=f"Leadline: {tool}", version=__version__, docs_url=None, redoc_url=None, openapi_url="/openapi.json"
    )
    add_health(api, leaving)
    add_metrics(api, telemetry)

    async def answer(request: Request) -> Response:
        return await _answered(request, lambda: _done(host, offer, request))

    schema = {"application/json": {"schema": offer.asked.model_json_schema()}}
    api.add_api_route(
        f"/{tool}",
        answer,
        methods=["POST"],
        name=tool,
        response_class=Response,
        openapi_extra={"requestBody": {"required": True, "content": schema}},
    )
    api.add_exception_handler(404, _no_such)
    api.add_exception_handler(405, _no_such)
    app: Asgi = BodyLimits(api, most={f"/{tool}": offer.most_bytes})
    guarded = SharedKey(app, key=key, besides=frozenset({METRICS})) if key else OwnHost(app)
    return RequestIds(Observed(guarded, telemetry.signals, traced=telemetry.share))


async def _done(host: Holder, offer: Offer, request: Request) -> bytes:
    body = await request.body()
    asked = await _read(offer.asked, body)
    call = Call(asked=asked, tenant=request.headers.get(TENANT, "")[:_MOST_TENANT], seconds=_seconds(request, offer))
    keys = from_header(request.headers.get(HEADER, ""))
    if keys and not call.tenant:
        raise InvalidArguments(f"`{HEADER}` are keys of a tenant: name it in `{TENANT}`")
    work = offer.work(host.holding(keys) if keys else host, call)
    result = await while_there(request.receive, work, seconds=call.seconds)
    return await asyncio.to_thread(codec.encode, result)


async def _answered(request: Request, work: Callable[[], Awaitable[bytes]]) -> Response:
    """Return the answer to a request, or the problem details of whatever went wrong."""
    try:
        return Response(await work(), media_type="application/json")
    except ClientGone:
        return Response(status_code=499)
    except TimeoutError:
        return Problem(plain_problem(504, "deadline", "the time that the request gave is over"))
    except Exception as error:  # noqa: BLE001 the border of a request: the next one must be served
        return Problem(told(error, request.scope))


async def _read(kind: type[Asked], body: bytes) -> Asked:
    """Return a checked request. Raises `InvalidArguments`, which repeats nothing of what was sent."""
    try:
        if len(body) < _SMALL:
            return kind.model_validate_json(body)
        return await asyncio.to_thread(kind.model_validate_json, body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        listed = "; ".join(
            f"`{'.'.join(map(str, one['loc'])) or 'body'}`: {one['msg']}" for one in faults[:_MOST_FAULTS]
        )
        raise InvalidArguments(f"the request does not fit: {listed}") from None


def _seconds(request: Request, offer: Offer) -> float:
    """Return the seconds that the client gives, else what the tool has by itself."""
    given = request.headers.get(DEADLINE, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        return offer.seconds
    return min(MOST_SECONDS, max(1, int(given)) / 1_000)


async def _no_such(request: Request, error: Exception) -> Response:
    del request
    status = 405 if getattr(error, "status_code", 404) == 405 else 404
    code = "method_not_allowed" if status == 405 else "no_such_path"
    return Problem(plain_problem(status, code, "there is nothing here by this path and method"))
