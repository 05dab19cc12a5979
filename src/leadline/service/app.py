"""The service's application: `create_app` makes it, its lifespan opens what it stands on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request

from leadline.ports import Observer
from leadline.service.answers import add_no_such
from leadline.service.asgi import Asgi, Scope
from leadline.service.headers import SafeHeaders
from leadline.service.limits import BodyLimits
from leadline.service.metrics import add_metrics
from leadline.service.observed import Observed
from leadline.service.openapi import documented
from leadline.service.resources import ROUTES
from leadline.service.routing import answer_to, services_of
from leadline.service.services import open_services
from leadline.service.serving import Leaving
from leadline.service.tracing import RequestIds
from leadline.service.work import beside
from leadline.settings import Settings
from leadline.version import __version__
from leadline.wiring.telemetry import Telemetry

STREAMED: Final = re.compile(r"/v1/corpora/[^/]+/documents/.+", re.DOTALL)
"""Paths whose bodies are no JSON and are read piece by piece, by the route itself."""

_TOOL_BYTES: Final = 46 << 20


def create_app(
    settings: Settings,
    *,
    leaving: Leaving | None = None,
    local: bool = True,
    observers: Sequence[Observer] = (),
    telemetry: Telemetry | None = None,
) -> FastAPI:
    """Return the service, whose lifespan opens store, accounts and all that it stands on.

    `leaving` is how the process is told to go. `local` says that only this machine is listened to:
    then nobody needs a key until there is one. What is served is `wrapped(api)`, which limits bodies
    and names requests. `telemetry` is what this process tells of itself; it answers `/metrics`.
    """
    going = leaving or Leaving()

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        async with open_services(
            settings, leaving=going, local=local, observers=observers, telemetry=telemetry
        ) as services:
            api.state.services = services
            async with beside(services):
                yield

    api = FastAPI(
        title="Leadline",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for routes in ROUTES:
        routes().mount(api)
    if telemetry is not None:
        add_metrics(api, telemetry)
    add_no_such(api)
    documented(api)
    return api


def wrapped(api: FastAPI, *, telemetry: Telemetry | None = None) -> Asgi:
    """Return what is served.

    From the outside in an id, what is told of the request, safe headers, the size of the body, the
    application.
    """
    told = telemetry or Telemetry()
    most = {"/v1/tools/python": _TOOL_BYTES}

    async def whose(scope: Scope) -> str | Asgi:
        request = Request({**scope, "app": api})
        try:
            return (await services_of(request).door.caller(scope)).tenant
        except Exception as error:  # noqa: BLE001 the border of a request, as in its route
            return answer_to(error, request)

    limited = BodyLimits(api, most=most, empty=True, streamed=STREAMED, whose=whose)
    return RequestIds(Observed(SafeHeaders(limited), told.signals, traced=told.share))
