"""Read-only links to a run's report: making and closing them, and what whoever has one may read without a key.

The token travels in a header of its own, never in an address, so that no log and no `Referer` ever
holds it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Depends, Header, Query, Request
from fastapi.responses import Response

from leadline.errors import UnknownObject, UnknownRun
from leadline.ports import Run
from leadline.ports.access import LOCAL, Action
from leadline.ports.admission import Wanted, Wish
from leadline.ports.holdings import Share
from leadline.service.deps import CallerDep, ObjectId, RunDep, ServicesDep
from leadline.service.held_shapes import ExportLink, ShareMade, ShareShown, ShareTaken
from leadline.service.routes.evidence import report_answer, report_of, source_of
from leadline.service.routing import Routes, name_object, services_of
from leadline.service.shapes import SourceShown
from leadline.service.shown import iso

DAY: Final = 86_400.0
HEADER: Final = "X-Leadline-Share"
HIDDEN: Final = {"X-Robots-Tag": "noindex, nofollow, noarchive"}
"""What keeps search engines from listing what a link opens."""


async def shared_run(
    request: Request,
    token: Annotated[str, Header(alias=HEADER, min_length=8, max_length=200, description="The link's token.")],
) -> Run:
    """Return the run that a link opens; each look is counted. Raises `UnknownObject`, `Limited`."""
    services = services_of(request)
    try:
        share = await services.accounts.shares.find(token)
    except UnknownObject:
        # Whoever tries tokens is counted by address.
        source = services.door.source(request.scope)
        await services.door.admit(Wish(tenant=LOCAL, key=f"share:from:{source}", wanted=Wanted.REQUEST))
        raise
    await services.door.admit(Wish(tenant=share.tenant, key=f"share:{share.id}", wanted=Wanted.REQUEST))
    try:
        return await services.runs.get(share.run_id, tenant=share.tenant)
    except UnknownRun as error:
        raise UnknownObject("this link opens nothing any more") from error


SharedDep: TypeAlias = Annotated[Run, Depends(shared_run)]


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1", tag="shares")
    path = "/research/{run_id}/shares"
    made.add("POST", path, make_share, action=Action.RUNS_SHARE, status=201, model=ShareMade, errors=(409,))
    made.add("GET", path, shares, action=Action.RUNS_SHARE, model=list[ShareShown])
    made.add("DELETE", "/shares/{share_id}", close_share, action=Action.RUNS_SHARE, model=ShareShown)
    made.add(
        "POST",
        "/research/{run_id}/export/link",
        link_export,
        action=Action.RUNS_SHARE,
        status=201,
        model=ExportLink,
        errors=(409,),
    )
    refused = (404, 429, 503)
    made.add("GET", "/shared/report", shared_report, action=None, answers=report_answer(), errors=(*refused, 409, 501))
    made.add(
        "GET", "/shared/sources/{source_id}", shared_source, action=None, model=SourceShown, errors=(*refused, 409)
    )
    return made


async def make_share(run: RunDep, taken: ShareTaken, *, services: ServicesDep, caller: CallerDep) -> ShareMade:
    """Make a link to a run's report. `token` is shown this once and never again.

    Whoever sends it may read the report and the texts of its sources, and nothing else. 409 where 100 links
    to the run are open.
    """
    until = services.platform.clock.now() + taken.days * DAY
    made = await services.accounts.shares.create(caller.tenant, run.id, made_by=caller.key, expires_at=until)
    return ShareMade(**share_shown(made.share).model_dump(), token=made.token)


async def link_export(run: RunDep, services: ServicesDep) -> ExportLink:
    """Pack a run into one file and put it where whoever has the link can fetch it for a while, without a key.

    Only where the operator allows it (`s3.link_seconds`); 409 otherwise.
    """
    link = await services.evidence.link(run)
    return ExportLink(url=link.url, expires_at=iso(link.until))


async def shares(run: RunDep, services: ServicesDep, caller: CallerDep) -> list[ShareShown]:
    """List a run's links, newest first, without their tokens."""
    return [share_shown(share) for share in await services.accounts.shares.list(caller.tenant, run_id=run.id)]


async def close_share(share_id: ObjectId, request: Request, *, services: ServicesDep, caller: CallerDep) -> ShareShown:
    """Close a link for good."""
    closed = await services.accounts.shares.revoke(caller.tenant, share_id)
    name_object(request, closed.run_id)
    return share_shown(closed)


async def shared_report(
    run: SharedDep,
    services: ServicesDep,
    format: Annotated[
        Literal["md", "html", "json", "docx", "pdf", "bibtex", "ris", "csl"], Query(description="The form.")
    ] = "json",
) -> Response:
    """Get the report behind a link, without a key."""
    return _hidden(await report_of(run, services, format))


async def shared_source(run: SharedDep, source_id: ObjectId, services: ServicesDep) -> Response:
    """Look at a source behind a link, without a key: its stored text, and where claims rest on it."""
    return _hidden(await source_of(run, source_id, services))


def share_shown(share: Share) -> ShareShown:
    """Return a link as it is listed."""
    return ShareShown(
        id=share.id,
        run_id=share.run_id,
        created_at=iso(share.created_at),
        made_by=share.made_by,
        expires_at=None if share.expires_at is None else iso(share.expires_at),
        revoked_at=None if share.revoked_at is None else iso(share.revoked_at),
    )


def _hidden(answer: Response) -> Response:
    answer.headers.update(HIDDEN)
    return answer
