"""A desk of the service: runs of the caller's tenant, tools of this process."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from leadline.domain import Origin, RunState
from leadline.errors import InputError, LeadlineError, NotPermitted, SettingsError, ToolMissing
from leadline.events import Record, RunWaiting
from leadline.ports import Run
from leadline.ports.access import Action, Caller
from leadline.ports.accounts import Outcome
from leadline.service.door import Limited
from leadline.service.mcp.desk import Standing, Wish
from leadline.service.mcp.tools import Offer, hits_told
from leadline.service.routing import name_object, outcome_of, write_down
from leadline.service.services import Services
from leadline.service.shapes import ResearchTaken
from leadline.service.shown import hidden
from leadline.service.tools.asked import Asked, SearchAsked, VisitAsked
from leadline.service.tools.work import OFFERS, Call
from leadline.service.tracing import request_id


class ServiceDesk:
    """See `Desk` and `Watch`. `request` is what it serves."""

    def __init__(self, services: Services, caller: Caller, *, request: Request) -> None:
        self._services = services
        self._caller = caller
        self._request = request

    def permits(self, offer: Offer) -> None:
        """See `Watch`."""
        if not self._caller.may(offer.action):
            raise NotPermitted(f"the key may not: {offer.action}")

    async def did(self, offer: Offer, about: str, *, error: LeadlineError | None) -> None:
        """See `Watch`: into the audit log goes what a route of its own would leave there; reading leaves nothing."""
        if offer.action is Action.RUNS_READ:
            return
        name_object(self._request, about or offer.spec.name)
        await write_down(self._request, offer.action, outcome=Outcome.DONE if error is None else outcome_of(error))

    async def start(self, wish: Wish) -> Standing:
        """See `Desk`."""
        body: dict[str, Any] = {
            "question": wish.question,
            "strategy": wish.strategy,
            "web": wish.web,
            "corpora": list(wish.corpora),
            "urls": list(wish.urls),
            "length": wish.length,
            "budget": {} if wish.seconds is None else {"seconds": float(wish.seconds)},
        }
        try:
            taken = ResearchTaken.model_validate(body)
        except ValidationError as error:
            raise InputError(f"this cannot be asked: {error.errors()[0]['msg']}") from error
        origin = Origin(method="mcp", request=request_id(self._request.scope))
        try:
            return standing_of((await self._services.asking.start(taken, self._caller, origin=origin)).run)
        except Limited as error:
            raise InputError(f"a limit refuses: {error}") from error

    async def standing(self, run_id: str) -> Standing:
        """See `Desk`."""
        return standing_of(await self._run(run_id))

    async def wait(self, run_id: str, seconds: float) -> Standing:
        """See `Desk`."""
        run = await self._run(run_id)
        if not run.state.ended and run.state is not RunState.WAITING:
            try:
                async with asyncio.timeout(seconds):
                    await self._rests(run)
            except TimeoutError:
                pass  # then it is told how far it is
        return await self.standing(run_id)

    async def report(self, run_id: str, form: str) -> str:
        """See `Desk`."""
        run = await self._run(run_id)
        return (await self._services.evidence.form(run, "json" if form == "json" else "md")).decode()

    async def cancel(self, run_id: str) -> Standing:
        """See `Desk`."""
        return standing_of(await self._services.runs.cancel(await self._run(run_id)))

    async def search(self, query: str, limit: int) -> str:
        """See `Desk`."""
        found = await self._call("search", SearchAsked(query=query, num_results=limit))
        return hits_told(found["results"])

    async def visit(self, url: str, goal: str) -> str:
        """See `Desk`."""
        return str((await self._call("visit", VisitAsked(url=url, goal=goal)))["content"])

    async def _run(self, run_id: str) -> Run:
        return await self._services.runs.get(run_id, tenant=self._caller.tenant)

    async def _rests(self, run: Run) -> None:
        """Return once a run has ended or waits."""
        async with aclosing(self._services.following.follow(run.id, after=run.last_seq)) as items:
            async for item in items:
                if isinstance(item, Record) and isinstance(item.event, RunWaiting):
                    return

    async def _call(self, tool: str, asked: Asked) -> dict[str, Any]:
        offer = OFFERS[tool]
        call = Call(asked=asked, tenant=self._caller.tenant, seconds=offer.seconds)
        try:
            async with asyncio.timeout(offer.seconds):
                return await offer.work(self._services.platform.tools, call)
        except SettingsError as error:
            raise ToolMissing("this service is not set up for this tool") from error
        except TimeoutError as error:
            raise ToolMissing(f"the tool took longer than {offer.seconds:g} seconds") from error


def standing_of(run: Run) -> Standing:
    """Return where a run stands."""
    usage = run.usage
    return Standing(
        run_id=run.id,
        state=run.state,
        question=run.question.text,
        stop_reason=None if run.stop_reason is None else run.stop_reason.value,
        failure=None if run.failure is None else hidden(run.failure).message,
        waits_for=run.waits_for if run.state is RunState.WAITING else None,
        model_calls=usage.model_calls,
        tool_calls=sum(usage.tool_calls.values()),
        cost_usd=usage.cost_usd,
    )
