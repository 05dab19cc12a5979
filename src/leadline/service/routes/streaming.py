"""`GET /v1/research/{run_id}/events`: what happened and what happens, as server-sent events."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.responses import Response

from leadline.ports.access import Action
from leadline.service.deps import CallerDep, RunDep, ServicesDep
from leadline.service.lasting import Lasting
from leadline.service.routing import Routes
from leadline.service.streams import EventStream, Patience


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/research/{run_id}", tag="research")
    text = {"type": "string"}
    event = {
        "type": "object",
        "description": "One event of the stream; `data` is JSON (WHATWG HTML, 9.2).",
        "properties": {"id": text, "event": text, "data": text, "retry": {"type": "integer"}},
    }
    stream = {"schema": event}
    made.add(
        "GET",
        "/events",
        follow,
        action=Action.RUNS_READ,
        answers={
            200: {"description": "Events, until the run ended.", "content": {"text/event-stream": stream}},
            204: {"description": "The run has ended, and nothing follows: do not come back."},
        },
    )
    return made


async def follow(
    run: RunDep,
    request: Request,
    *,
    services: ServicesDep,
    caller: CallerDep,
    last_event_id: Annotated[
        str | None, Header(pattern=r"^\d{0,15}$", description="The last event that was seen; what follows is sent.")
    ] = None,
    after: Annotated[int, Query(ge=0, lt=10**15, description="The same, for who cannot send headers.")] = 0,
) -> Response:
    """Follow a run: its events from the first, or from the last one seen, and then as they come.

    `id:` is the event's number, `event:` its type, `data:` the event as the journal has it. `progress`
    events carry live text of a model; they have no id and are not kept. Comments say that the stream
    is still there. A client that does not read is cut off, and may come back; one whose key has ended is cut off
    within 15 seconds.
    """
    seen = int(last_event_id) if last_event_id else after
    if run.state.ended and seen >= run.last_seq:
        return Response(status_code=204)
    services.streams.check(caller.key)
    section = services.settings.service
    return EventStream(
        partial(services.following.follow, run.id, after=seen),
        patience=Patience(heartbeat=section.heartbeat_seconds, slow=section.slow_seconds),
        leaving=services.leaving,
        hold=partial(services.streams.hold, caller.key),
        check=Lasting(services.door, request.scope, seconds=section.heartbeat_seconds).check,
    )
