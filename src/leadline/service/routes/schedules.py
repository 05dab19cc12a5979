"""`/v1/schedules`: questions that are asked again and again."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from leadline.codec import orjson_tree
from leadline.errors import UnknownRun, WrongState
from leadline.ports.access import Action
from leadline.ports.holdings import Schedule
from leadline.service.deps import CallerDep, ObjectId, ServicesDep
from leadline.service.door import check_permitted
from leadline.service.held_shapes import ScheduleChanged, ScheduleShown, ScheduleTaken
from leadline.service.routing import Routes, name_object
from leadline.service.services import Services
from leadline.service.shapes import RunStateName
from leadline.service.shown import iso

MOST: Final = 200
"""Schedules that a tenant may have."""

_OWN: Final = frozenset({"name", "when", "zone", "question"})


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/schedules", tag="schedules")
    write = Action.SCHEDULES_WRITE
    made.add("POST", "", make_schedule, action=write, status=201, model=ScheduleShown, errors=(404, 409))
    made.add("GET", "", schedules, action=Action.SCHEDULES_READ, model=list[ScheduleShown])
    made.add("GET", "/{schedule_id}", look, action=Action.SCHEDULES_READ, model=ScheduleShown)
    made.add("PATCH", "/{schedule_id}", change, action=write, model=ScheduleShown)
    made.add("DELETE", "/{schedule_id}", forget, action=write, status=204)
    return made


async def make_schedule(
    taken: ScheduleTaken, request: Request, *, services: ServicesDep, caller: CallerDep
) -> ScheduleShown:
    """Ask a question again and again.

    Each time makes a run, as a request for research does; after a downtime one is made, not one for
    every time that passed. What could not be asked now is refused, and so is a key that may not start runs.
    """
    known = services.accounts.schedules
    check_permitted(caller, Action.RUNS_START)
    await services.asking.check(taken, caller)
    if len(await known.list(caller.tenant)) >= MOST:
        raise WrongState(f"there are {MOST} schedules already: remove one first")
    made = await known.create(
        caller.tenant,
        name=taken.name,
        question=taken.question,
        when=taken.when,
        zone=taken.zone,
        made_by=caller.key,
        options=taken.model_dump(mode="json", exclude_unset=True, exclude=set(_OWN)),
    )
    name_object(request, made.id)
    return await schedule_shown(made, services)


async def schedules(services: ServicesDep, caller: CallerDep) -> list[ScheduleShown]:
    """List the tenant's schedules, by name."""
    return [await schedule_shown(one, services) for one in await services.accounts.schedules.list(caller.tenant)]


async def look(schedule_id: ObjectId, services: ServicesDep, caller: CallerDep) -> ScheduleShown:
    """Look at a schedule."""
    return await schedule_shown(await services.accounts.schedules.get(caller.tenant, schedule_id), services)


async def change(
    schedule_id: ObjectId, taken: ScheduleChanged, *, services: ServicesDep, caller: CallerDep
) -> ScheduleShown:
    """Let a schedule rest, or go on with its next time after now."""
    changed = await services.accounts.schedules.pause(caller.tenant, schedule_id, paused=taken.paused)
    return await schedule_shown(changed, services)


async def forget(schedule_id: ObjectId, services: ServicesDep, caller: CallerDep) -> Response:
    """Forget a schedule; its runs stay."""
    await services.accounts.schedules.delete(caller.tenant, schedule_id)
    return Response(status_code=204)


async def schedule_shown(schedule: Schedule, services: Services) -> ScheduleShown:
    """Return a schedule as it is listed, with what became of its last run."""
    return ScheduleShown(
        id=schedule.id,
        name=schedule.name,
        question=schedule.question,
        options=orjson_tree(schedule.options),
        when=schedule.when,
        zone=schedule.zone,
        created_at=iso(schedule.created_at),
        made_by=schedule.made_by,
        next_at=None if schedule.next_at is None else iso(schedule.next_at),
        reason=schedule.reason,
        last_at=None if schedule.last_at is None else iso(schedule.last_at),
        last_run=schedule.last_run,
        last_state=await _last_state(schedule, services),
    )


async def _last_state(schedule: Schedule, services: Services) -> RunStateName | None:
    if schedule.last_run is None:
        return None
    try:
        run = await services.runs.get(schedule.last_run, tenant=schedule.tenant)
    except UnknownRun:
        return None
    return run.state.value
