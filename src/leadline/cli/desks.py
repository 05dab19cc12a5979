"""What `leadline mcp` asks: the engine of this machine, or a service elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, cast

from leadline.api import Leadline
from leadline.client import Ask, AsyncClient, RunView
from leadline.domain import Length, RunState, StrategyName
from leadline.errors import InputError
from leadline.events import Record, RunWaiting
from leadline.ports import Query, Run
from leadline.service.mcp.desk import Standing, Wish
from leadline.service.mcp.tools import hits_told
from leadline.text.language import detect

_SEARCH_SECONDS = 30.0
_VISIT_SECONDS = 60.0


class LocalDesk:
    """See `service.mcp.desk.Desk`. Runs search `docs`, and the web where that is allowed or nothing else is there."""

    def __init__(self, engine: Leadline, *, docs: Sequence[Path], web: bool) -> None:
        self._engine = engine
        self._docs = tuple(docs)
        self._web = web

    async def start(self, wish: Wish) -> Standing:
        """See `Desk`. Raises `InputError` for corpora: those are a service's."""
        if wish.corpora:
            raise InputError("there are no corpora on this machine; it searches the documents that it was started with")
        if wish.web and not self._web:
            raise InputError("the web is off here")
        chosen: dict[str, Any] = {"length": Length(wish.length)} if wish.length is not None else {}
        options = self._engine.options(
            strategy=StrategyName(wish.strategy),
            web=self._web if wish.web is None else wish.web,
            urls=wish.urls,
            **chosen,
        )
        run_id = await self._engine.start(wish.question, docs=self._docs, options=options)
        return await self.standing(run_id)

    async def standing(self, run_id: str) -> Standing:
        """See `Desk`."""
        return _of_run(await self._engine.run(run_id))

    async def wait(self, run_id: str, seconds: float) -> Standing:
        """See `Desk`."""
        run = await self._engine.run(run_id)
        if not run.state.ended and run.state is not RunState.WAITING:
            try:
                async with asyncio.timeout(seconds):
                    await self._rests(run)
            except TimeoutError:
                pass  # then it is told how far it is
        return await self.standing(run_id)

    async def report(self, run_id: str, form: str) -> str:
        """See `Desk`."""
        report = await self._engine.report(run_id)
        return await (self._engine.render(report, "json") if form == "json" else self._engine.render(report, "md"))

    async def cancel(self, run_id: str) -> Standing:
        """See `Desk`."""
        await self._engine.cancel(run_id)
        return await self.standing(run_id)

    async def search(self, query: str, limit: int) -> str:
        """See `Desk`."""
        wanted = Query(text=query, limit=limit, language=detect(query))
        places = [(await self._engine.documents(self._docs)).search] if self._docs else []
        if self._web:
            places.append(await self._engine.tools.search("local"))
        found = [await place.search(wanted, deadline=_SEARCH_SECONDS) for place in places]
        hits = [hit for one in found for hit in one.hits][:limit]
        return hits_told([{"title": hit.title, "uri": hit.uri, "snippet": hit.snippet} for hit in hits])

    async def visit(self, url: str, goal: str) -> str:
        """See `Desk`."""
        reader = (await self._engine.documents(self._docs)).reader if self._docs else None
        if reader is None or not reader.reads(url):
            self._check_web()
            reader = await self._engine.tools.reader("local")
        fetched = await reader.read(url, deadline=_VISIT_SECONDS / 2)
        language = detect(goal or fetched.text[:1_000])
        return await self._engine.tools.content(fetched, goal, language=language, deadline=_VISIT_SECONDS / 2)

    def _check_web(self) -> None:
        if not self._web:
            raise InputError(
                "this is none of the documents that it was started with, and the web is off here; `--web` allows both"
            )

    async def _rests(self, run: Run) -> None:
        async with aclosing(cast("Any", self._engine.stream(run.id, after=run.last_seq))) as items:
            async for item in items:
                if isinstance(item, Record) and isinstance(item.event, RunWaiting):
                    return


class ClientDesk:
    """See `service.mcp.desk.Desk`: all of it is done by a service."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def start(self, wish: Wish) -> Standing:
        """See `Desk`."""
        ask = Ask(
            question=wish.question,
            strategy=wish.strategy,
            web=wish.web,
            corpora=wish.corpora,
            urls=wish.urls,
            length=cast("Literal['short', 'normal', 'long'] | None", wish.length),
            seconds=wish.seconds,
        )
        return _of_view(await self._client.start(ask))

    async def standing(self, run_id: str) -> Standing:
        """See `Desk`."""
        return _of_view(await self._client.run(run_id))

    async def wait(self, run_id: str, seconds: float) -> Standing:
        """See `Desk`."""
        try:
            async with asyncio.timeout(seconds):
                return _of_view(await self._client.wait(run_id))
        except TimeoutError:
            return await self.standing(run_id)

    async def report(self, run_id: str, form: str) -> str:
        """See `Desk`."""
        return (await self._client.rendered(run_id, "json" if form == "json" else "md")).decode()

    async def cancel(self, run_id: str) -> Standing:
        """See `Desk`."""
        return _of_view(await self._client.cancel(run_id))

    async def search(self, query: str, limit: int) -> str:
        """See `Desk`."""
        found = await self._client.tool("search", {"query": query, "num_results": limit})
        return hits_told(found["results"])

    async def visit(self, url: str, goal: str) -> str:
        """See `Desk`."""
        return str((await self._client.tool("visit", {"url": url, "goal": goal}))["content"])


def _of_run(run: Run) -> Standing:
    return Standing(
        run_id=run.id,
        state=run.state,
        question=run.question.text,
        stop_reason=None if run.stop_reason is None else run.stop_reason.value,
        failure=None if run.failure is None else run.failure.message,
        waits_for=run.waits_for if run.state is RunState.WAITING else None,
        model_calls=run.usage.model_calls,
        tool_calls=sum(run.usage.tool_calls.values()),
        cost_usd=run.usage.cost_usd,
    )


def _of_view(run: RunView) -> Standing:
    return Standing(
        run_id=run.id,
        state=run.state,
        question=run.question,
        stop_reason=run.stop_reason,
        failure=None if run.failure is None else run.failure.message,
        waits_for=run.waits_for if run.state is RunState.WAITING else None,
        model_calls=run.usage.model_calls,
        tool_calls=sum(run.usage.tool_calls.values()),
        cost_usd=run.usage.cost_usd,
    )
