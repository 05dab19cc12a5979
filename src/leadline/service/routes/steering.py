"""What a person wishes of a run under way: stop and write, stop, go on."""

from __future__ import annotations

from leadline.ports.access import Action
from leadline.service.deps import RunDep, ServicesDep
from leadline.service.routing import Routes
from leadline.service.shapes import ReplyTaken, RunShown
from leadline.service.shown import run_shown


def routes() -> Routes:
    """Return the routes."""
    made = Routes("/v1/research/{run_id}", tag="research")
    for path, endpoint in (("/finish", finish), ("/cancel", cancel), ("/approve", approve)):
        made.add("POST", path, endpoint, action=Action.RUNS_STEER, status=202, model=RunShown, errors=(409,))
    return made


async def finish(run: RunDep, services: ServicesDep) -> RunShown:
    """Stop gathering and write the report now."""
    return run_shown(await services.runs.finish(run))


async def cancel(run: RunDep, services: ServicesDep) -> RunShown:
    """Stop a run; it gets no report."""
    return run_shown(await services.runs.cancel(run))


async def approve(run: RunDep, taken: ReplyTaken, services: ServicesDep) -> RunShown:
    """Answer a run that waits for a person.

    To a plan: `approve`, `plan` in its stead, or `reject`, which cancels the run. To a question: `answer`.
    """
    return run_shown(await services.runs.reply(run, taken.model_dump(exclude_none=True)))
