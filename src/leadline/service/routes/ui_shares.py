"""Read-only links of the Web UI: making and closing them, and what whoever has one may read.

The token stands behind the `#` of the link and travels in a header of its own, so that neither
logs nor a `Referer` ever hold it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from leadline.errors import UnknownObject, UnknownRun
from leadline.ports import Run
from leadline.ports.access import Action
from leadline.ports.admission import Wanted, Wish
from leadline.ports.holdings import Share
from leadline.service.deps import CallerDep, ObjectId, RunDep, ServicesDep
from leadline.service.routes.evidence import report_of, source_of
from leadline.service.routes.ui import Language, shown_report
from leadline.service.routing import Routes, name_object, services_of
from leadline.service.shown import iso

DAY: Final = 86_400.0
HEADER: Final = "X-Leadline-Share"


class ShareTaken(BaseModel):
    """A link to be made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    days: Annotated[int, Field(ge=1, le=365)] = 30


async def shared_run(
    request: Request, token: Annotated[str, Header(alias=HEADER, min_length=8, max_length=200)]
) -> Run:
    """Return the run that a link opens. Raises `UnknownObject`, `Limited`."""
    services = services_of(request)
    share = await services.accounts.shares.find(token)
    await services.door.admit(Wish(tenant=share.tenant, key=f"share:{share.id}", wanted=Wanted.REQUEST))
    try:
        return await services.runs.get(share.run_id, tenant=share.tenant)
    except UnknownRun as error:
        raise UnknownObject("this link opens nothing any more") from error


SharedDep: TypeAlias = Annotated[Run, Depends(shared_run)]


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/ui", tag="ui")
    made.add("POST", "/runs/{run_id}/shares", make_share, action=Action.RUNS_SHARE, status=201, shown=False)
    made.add("GET", "/runs/{run_id}/shares", shares, action=Action.RUNS_SHARE, shown=False)
    made.add("DELETE", "/shares/{share_id}", close_share, action=Action.RUNS_SHARE, shown=False)
    made.add("GET", "/shared/view", shared_view, action=None, shown=False)
    made.add("GET", "/shared/report", shared_report, action=None, shown=False)
    made.add("GET", "/shared/sources/{source_id}", shared_source, action=None, shown=False)
    return made


async def make_share(run: RunDep, taken: ShareTaken, *, services: ServicesDep, caller: CallerDep) -> Response:
    """Make a link; its token is shown this once."""
    until = services.platform.clock.now() + taken.days * DAY
    made = await services.accounts.shares.create(caller.tenant, run.id, made_by=caller.key, expires_at=until)
    return JSONResponse({**_share(made.share), "token": made.token}, status_code=201)


async def shares(run: RunDep, services: ServicesDep, caller: CallerDep) -> Response:
    """List a run's links, newest first, without their tokens."""
    found = await services.accounts.shares.list(caller.tenant, run_id=run.id)
    return JSONResponse([_share(share) for share in found])


async def close_share(share_id: ObjectId, request: Request, *, services: ServicesDep, caller: CallerDep) -> Response:
    """Close a link for good."""
    closed = await services.accounts.shares.revoke(caller.tenant, share_id)
    name_object(request, closed.run_id)
    return JSONResponse(_share(closed))


async def shared_view(run: SharedDep, services: ServicesDep, lang: Language = "en") -> Response:
    """Get the report behind a link."""
    return await shown_report(services, run, lang)


async def shared_report(
    run: SharedDep,
    services: ServicesDep,
    format: Annotated[Literal["md", "html", "json", "docx", "pdf", "bibtex", "ris", "csl"], Query()] = "json",
) -> Response:
    """Get the report behind a link in a form."""
    return await report_of(run, services, format)


async def shared_source(run: SharedDep, source_id: ObjectId, services: ServicesDep) -> Response:
    """Get a source's stored text behind a link."""
    return await source_of(run, source_id, services)


def _share(share: Share) -> dict[str, Any]:
    return {
        "id": share.id,
        "run_id": share.run_id,
        "created_at": iso(share.created_at),
        "expires_at": None if share.expires_at is None else iso(share.expires_at),
        "revoked_at": None if share.revoked_at is None else iso(share.revoked_at),
    }
