"""`/v1/research`: ask, list, look, forget."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Query, Request
from fastapi.responses import Response

from leadline.domain import RunState
from leadline.domain.run import Origin
from leadline.ports.access import Action
from leadline.service.deps import CallerDep, RunDep, ServicesDep
from leadline.service.paging import Limit, Page, Place, read_run_cursor, run_cursor
from leadline.service.routing import Routes, name_object
from leadline.service.shapes import ResearchTaken, RunShown, RunStateName
from leadline.service.shown import run_shown
from leadline.service.tracing import request_id

_LOCATION: Final = {"Location": {"description": "The run's path.", "schema": {"type": "string"}}}


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/research", tag="research")
    made.add(
        "POST",
        "",
        start,
        action=Action.RUNS_START,
        status=202,
        model=RunShown,
        errors=(404, 409),
        answers={202: {"headers": _LOCATION}},
        counts=False,
    )
    made.add("GET", "", find, action=Action.RUNS_READ, model=Page[RunShown], errors=(400,))
    made.add("GET", "/{run_id}", look, action=Action.RUNS_READ, model=RunShown)
    made.add("DELETE", "/{run_id}", forget, action=Action.RUNS_DELETE, status=204, errors=(409,))
    return made


async def start(
    taken: ResearchTaken,
    request: Request,
    response: Response,
    *,
    services: ServicesDep,
    caller: CallerDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[!-~]{1,200}$",
            description="The same request with the same key, within 24 hours, makes no second run.",
        ),
    ] = None,
    traceparent: Annotated[
        str | None, Header(max_length=200, description="The trace that the run belongs to (W3C Trace Context).")
    ] = None,
) -> RunShown:
    """Start a run.

    It is queued, and answered at once. `Location` names it; its events tell how it goes on.
    """
    origin = Origin(method="api", request=request_id(request.scope), traceparent=traceparent or "")
    asked = await services.asking.start(taken, caller, origin=origin, repeat=idempotency_key)
    name_object(request, asked.run.id)
    if asked.new:
        request.state.counted = True
    else:
        await services.door.let_in(request.scope, caller)
    response.headers["Location"] = f"/v1/research/{asked.run.id}"
    return run_shown(asked.run)


async def find(
    services: ServicesDep,
    caller: CallerDep,
    *,
    limit: Limit = 50,
    cursor: Place = None,
    state: Annotated[RunStateName | None, Query(description="Only runs in this state.")] = None,
    search: Annotated[
        str, Query(max_length=200, description="Words, each of which occurs in the question; in any case.")
    ] = "",
) -> Page[RunShown]:
    """List runs, newest first."""
    found = await services.runs.list(
        tenant=caller.tenant,
        state=None if state is None else RunState(state),
        search=search,
        before=None if cursor is None else read_run_cursor(cursor),
        limit=limit,
    )
    shown = [run_shown(run) for run in found.runs]
    return Page(items=shown, next=None if found.next is None else run_cursor(found.next))


async def look(run: RunDep, services: ServicesDep) -> RunShown:
    """Look at a run; of one that waits for a person, also at what it asks."""
    return run_shown(run, asks=await services.runs.asks(run))


async def forget(run: RunDep, services: ServicesDep) -> Response:
    """Forget an ended run and its journal.

    Its texts are deleted when nothing names them any more.
    """
    await services.runs.delete(run)
    return Response(status_code=204)
