"""What endpoints ask for by annotation: the services, the caller, a run of the caller's own."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Path

from leadline.ports import Run
from leadline.ports.access import Caller
from leadline.service.routing import caller_of, services_of
from leadline.service.services import Services

ServicesDep: TypeAlias = Annotated[Services, Depends(services_of)]
CallerDep: TypeAlias = Annotated[Caller, Depends(caller_of)]
RunId: TypeAlias = Annotated[str, Path(min_length=1, max_length=80, description="The run's id.")]
ObjectId: TypeAlias = Annotated[str, Path(min_length=1, max_length=80, description="The object's id.")]


async def own_run(run_id: RunId, services: ServicesDep, caller: CallerDep) -> Run:
    """Return the run of the path. Raises `UnknownRun`, also for another tenant's."""
    return await services.runs.get(run_id, tenant=caller.tenant)


RunDep: TypeAlias = Annotated[Run, Depends(own_run)]
