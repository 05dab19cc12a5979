"""The Web UI at `/`: its files, signing in and out, reports prepared for it, how the service is; and runbooks.

None of it is in the OpenAPI document: these paths serve the page and change with it.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from leadline import codec
from leadline.errors import InputError, Unauthenticated, UnknownObject
from leadline.ports.access import Action, Caller
from leadline.ports.runs import Depth
from leadline.service.chat import OWNER, names
from leadline.service.deps import CallerDep, RunDep, ServicesDep
from leadline.service.door import COOKIE, cookie, csrf_of
from leadline.service.routing import Routes, services_of
from leadline.service.services import Services
from leadline.ui.files import INDEX, POLICY, StaticFile, runbook_files, static_files
from leadline.ui.view import report_view
from leadline.version import __version__
from leadline.wire.hosts import is_own_host
from leadline.wiring.own_keys import SECRETS

Language: TypeAlias = Annotated[Literal["en", "zh"], Query(description="The reader's language.")]
Told: TypeAlias = dict[str, Any]

_OFFERS: Final = {
    "corpora": "/v1/corpora",
    "schedules": "/v1/schedules",
    "webhooks": "/v1/webhooks",
    "diagnostics": "/v1/diagnostics",
}
"""What not every service has, and the path that shows it."""

_WIDE: Final = 400
"""Characters that a claim counts as where work beside the loop is estimated."""


class SignIn(BaseModel):
    """A key to be kept by the browser."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    key: Annotated[str, StringConstraints(min_length=8, max_length=400, pattern=r"^[A-Za-z0-9._~+/=-]+$")]


class Pages:
    """Serves the files, each with its validator, so that a browser asks again but loads once."""

    def __init__(self) -> None:
        self._files = static_files()
        self._runbooks = runbook_files()

    async def index(self, if_none_match: Annotated[str | None, Header(max_length=1_000)] = None) -> Response:
        """Serve the page."""
        return _answer(self._files[INDEX], if_none_match)

    async def file(
        self,
        name: Annotated[str, Path(max_length=100)],
        if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
    ) -> Response:
        """Serve a file of the page."""
        found = self._files.get(name)
        if found is None or name == INDEX:
            raise UnknownObject("there is no such file")
        return _answer(found, if_none_match)

    async def runbook(
        self,
        name: Annotated[str, Path(max_length=100)],
        if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
    ) -> Response:
        """Serve the runbook of an alert: to anybody, for who is woken has no key at hand."""
        found = self._runbooks.get(name)
        if found is None:
            raise UnknownObject("there is no such runbook")
        return _answer(found, if_none_match)


def routes() -> Routes:
    """Return the routes."""
    pages, made = Pages(), Routes("", tag="ui")
    made.add("GET", "/", pages.index, action=None, shown=False)
    made.add("GET", "/ui/files/{name}", pages.file, action=None, shown=False)
    made.add("GET", "/runbooks/{name}", pages.runbook, action=None, shown=False)
    made.add("GET", "/ui/session", session, action=None, shown=False)
    made.add("POST", "/ui/session", sign_in, action=None, shown=False)
    made.add("DELETE", "/ui/session", sign_out, action=None, shown=False)
    made.add("GET", "/ui/runs/{run_id}/view", view_of, action=Action.RUNS_READ, shown=False)
    made.add("GET", "/ui/status", status, action=Action.DIAGNOSTICS_READ, shown=False)
    return made


async def session(request: Request) -> Response:
    """Tell the page who it acts for, what that caller may, what this service offers, and the token of writes."""
    services = services_of(request)
    try:
        caller = await services.door.caller(request.scope)
    except Unauthenticated:
        return JSONResponse({"signed_in": False, "version": __version__})
    kept = cookie(request.scope)
    return JSONResponse({**_session(request, services, caller), "csrf": csrf_of(kept) if kept else None})


async def sign_in(taken: SignIn, request: Request) -> Response:
    """Let the browser keep a key where no script can read it, for as long as the browser runs.

    Browsers keep a `__Host-` cookie over TLS alone, and from this machine itself.
    """
    services = services_of(request)
    services.door.check_origin(request.scope)
    if not services.door.secure(request.scope) and not is_own_host(request.headers.get("host", "")):
        raise InputError("signing in needs TLS: open this page by its https address")
    caller = await services.door.authenticate(taken.key)
    await services.door.let_in(request.scope, caller)
    answer = JSONResponse({**_session(request, services, caller), "csrf": csrf_of(taken.key)})
    answer.set_cookie(COOKIE, taken.key, path="/", secure=True, httponly=True, samesite="strict")
    return answer


async def sign_out(request: Request) -> Response:
    """Let the browser forget its key."""
    services_of(request).door.check_origin(request.scope)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return answer


async def view_of(run: RunDep, services: ServicesDep, lang: Language = "en") -> Response:
    """Get a report as the page draws it. Raises as `GET /v1/research/{run_id}/report`."""
    return await shown_report(services, run, lang)


async def shown_report(services: Services, run: Any, lang: Literal["en", "zh"]) -> Response:  # noqa: ANN401 a run as the API shows it
    """Return a report as the page draws it."""
    report = await services.evidence.report(run)
    size = _WIDE * (len(report.claims) + len(report.sources))
    view = await services.platform.cpu.run(report_view, report, lang, size=size)
    return Response(await asyncio.to_thread(codec.encode, view), media_type="application/json")


async def status(services: ServicesDep, caller: CallerDep) -> Response:
    """Tell how the queue, the model servers and this process are; servers are numbered, not named."""
    store = services.platform.store
    own, all_ = await store.depth(tenant=caller.tenant), await store.depth()
    pools = [
        {
            "role": role,
            "waiting": pool.waiting,
            "servers": [
                {
                    "number": number,
                    "healthy": server.healthy,
                    "breaker": str(server.breaker.value),
                    "in_flight": server.in_flight,
                    "first_token": server.first_token,
                    "retry_in": server.retry_in,
                }
                for number, server in enumerate(pool.servers, 1)
            ],
        }
        for role, pool in services.platform.models.pools().items()
    ]
    told = {
        "queue": {"own": _depth(own), "all": _depth(all_)},
        "models": pools,
        "search": list(services.settings.search.providers),
        "streams": services.streams.held,
        "engine": services.settings.engine.partition("://")[0],
        "version": __version__,
    }
    return JSONResponse(told)


def _answer(file: StaticFile, known: str | None) -> Response:
    headers = {
        "ETag": file.etag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Robots-Tag": "noindex, nofollow",
    }
    if known is not None and file.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)


def _session(request: Request, services: Services, caller: Caller) -> Told:
    paths = {getattr(route, "path", "") for route in request.app.router.routes}
    has_model = bool(services.settings.model.urls)
    working = [name.removeprefix(f"{OWNER}-") for name in names() if name != OWNER] if has_model else ["extractive"]
    return {
        "signed_in": True,
        "version": __version__,
        "name": caller.name,
        "tenant": caller.tenant,
        "role": caller.role.value,
        "open": caller.key == "local",
        "may": sorted(action.value for action in Action if caller.may(action)),
        "strategies": ["auto", *working],
        "model": has_model,
        "python": has_model and services.platform.can_compute,
        "offers": {name: path in paths for name, path in _OFFERS.items()},
        "first": services.asking.goes_first(caller),
        "secrets": list(SECRETS) if services.settings.secrets.key else [],
    }


def _depth(depth: Depth) -> Told:
    return {
        "queued": depth.queued,
        "claimable": depth.claimable,
        "running": depth.running,
        "waiting": depth.waiting,
        "oldest": depth.oldest,
    }
