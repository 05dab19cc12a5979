"""All services together: ask side by side, merge, resolve full texts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from leadline.errors import LimitReached, ProviderFailed, ProviderUnavailable, ToolFailed
from leadline.ports import Query
from leadline.resilience import Deadline
from leadline.scholar.fulltext import with_arxiv
from leadline.scholar.merge import merge
from leadline.scholar.types import Ask, Source
from leadline.wire.http import Http, Request
from leadline.wire.keys import KeyRing
from leadline.wire.papers import Copies, Listed, Paper, Papers, Works
from leadline.wire.queries import asked_filters, days_of
from leadline.wire.service import Service, Turns

_MOST_QUERY: Final = 300
# Share of the time for the services; what is left is for full texts.
_SHARE: Final = 0.75
_MOST_RESOLVED: Final = 5
_NO_FILTER: Final = frozenset({"sites", "exclude"})


class ScholarService:
    """One service within its limits."""

    def __init__(
        self,
        source: Source,
        http: Http,
        *,
        keys: KeyRing | None = None,
        turns: Turns | None = None,
        seconds: float = 10.0,
    ) -> None:
        self._source = source
        self._service = Service(
            source.name,
            http,
            keys=keys,
            turns=turns,
            seconds=seconds,
            verdict=lambda _name, reply: source.failure(reply),
        )

    @property
    def name(self) -> str:
        """The service's name."""
        return self._source.name

    def ignored(self, query: Query) -> frozenset[str]:
        """Return the filters of a query that cannot be sent."""
        return (self._source.ignores | _NO_FILTER) & asked_filters(query)

    async def papers(self, query: Query, *, deadline: float) -> Listed:
        """Return works, best first. Raises `ProviderFailed`, `LimitReached`."""
        first, last = days_of(query)

        def build(key: str | None) -> Request:
            return self._source.request(Ask(query=query, key=key, first=first, last=last))

        reply = await self._service.ask(build, deadline=deadline)
        papers = [paper for paper in self._source.read(reply) if paper.title and _fits(paper, first, last)]
        return Listed(papers=tuple(papers[: query.limit]))


class Library:
    """`Scholar` over services; one that fails costs only itself.

    `weights` says how much a service's ranks count, by its name; 1 unless given. `told` hears of
    each failure. `unpaywall` resolves full texts of the first works that have none.
    """

    def __init__(
        self,
        services: Sequence[Works],
        *,
        weights: Mapping[str, float] | None = None,
        unpaywall: Copies | None = None,
        told: Callable[[str, ToolFailed], None] | None = None,
    ) -> None:
        self._services = tuple(services)
        self._weights = weights or {}
        self._unpaywall = unpaywall
        self._told = told

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        """See `Scholar.papers`."""
        text = " ".join(query.text.replace("\x00", " ").encode("utf-8", "replace").decode().split())[:_MOST_QUERY]
        if not text or query.limit < 1:
            return Papers(papers=())
        query = replace(query, text=text)
        left = Deadline(deadline)
        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(_ask(one, query, deadline * _SHARE)) for one in self._services]
        replies = [task.result() for task in tasks]
        asked = list(zip(self._services, replies, strict=True))
        answers = [(one, reply) for one, reply in asked if isinstance(reply, Listed)]
        errors = tuple((one.name, reply) for one, reply in asked if isinstance(reply, ToolFailed))
        for name, error in errors:
            if self._told is not None:
                self._told(name, error)
        if errors and not answers:
            raise _none_answered(errors)
        weights = [self._weights.get(one.name, 1.0) for one, _ in answers]
        merged = merge([reply.papers for _, reply in answers], weights=weights)
        papers = [with_arxiv(paper) for paper in merged[: query.limit]]
        ignored = frozenset[str]().union(*(one.ignored(query) for one, _ in answers))
        resolved = await self._resolved(papers, left)
        paid = sum(reply.usd for _, reply in answers)
        return Papers(papers=tuple(resolved), ignored=tuple(sorted(ignored)), failures=errors, usd=paid)

    async def _resolved(self, papers: Sequence[Paper], left: Deadline) -> Sequence[Paper]:
        """Return the works, the first of them with a free copy where Unpaywall knows one in time."""
        wanted = [paper for paper in papers if paper.pdf is None and paper.doi is not None][:_MOST_RESOLVED]
        if self._unpaywall is None or not wanted:
            return papers
        copies: dict[str, str] = {}

        async def look(unpaywall: Copies, doi: str) -> None:
            with suppress(ToolFailed):  # the work stays without a copy
                if pdf := await unpaywall.pdf(doi, deadline=left.left()):
                    copies[doi] = pdf

        async with asyncio.TaskGroup() as looking:
            for paper in wanted:
                looking.create_task(look(self._unpaywall, paper.doi or ""))
        return [
            replace(paper, pdf=copies[paper.doi]) if paper.doi in copies and not paper.pdf else paper
            for paper in papers
        ]


async def _ask(service: Works, query: Query, deadline: float) -> Listed | ToolFailed:
    try:
        return await service.papers(query, deadline=deadline)
    except ToolFailed as error:
        return error


def _none_answered(errors: Sequence[tuple[str, ToolFailed]]) -> ProviderFailed:
    message = "no scholar service answered; " + "; ".join(f"{name}: {error}" for name, error in errors)
    if any(error.retryable or isinstance(error, LimitReached) for _, error in errors):
        return ProviderUnavailable(message)
    return ProviderFailed(message)


def _fits(paper: Paper, first: str | None, last: str | None) -> bool:
    published = paper.published or (str(paper.year) if paper.year else None)
    if published is None:
        return True
    return (first is None or published >= first[: len(published)]) and (last is None or published[:10] <= last)
