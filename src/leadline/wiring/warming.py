"""What the cache is warmed with: a list, or what runs asked lately; by the same calls as theirs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from leadline.domain import Json, Options, Question
from leadline.errors import InvalidArguments, SettingsError
from leadline.events import Record, ToolAnswered, ToolAsked
from leadline.ports import Query, Run
from leadline.settings import Settings
from leadline.tools.addresses import is_web
from leadline.tools.arguments import ArgumentReader
from leadline.tools.search import SEARCH, query_of, texts_of
from leadline.wiring.outgoing import Outgoing
from leadline.wiring.web import WEB, Web

if TYPE_CHECKING:
    from leadline.cache.types import Cached, Category, Origin
    from leadline.cache.warm import Wanted, Warmed

SECONDS: Final = 30.0
"""Seconds that one load may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What may be asked for again: a query to the web as its services get it, or else a page's address."""

    tenant: str
    query: Query | None = None
    uri: str = ""


def wishes_of(run: Run, records: Sequence[Record]) -> Iterator[tuple[Wish, float]]:
    """Yield what a run asked of the web and got, with the times (Unix seconds).

    Of a run with documents, or with the evidence of an earlier run, nothing is asked again: its
    queries may say what is in them, and what was checked when they went out is not checked here.
    """
    if run.options.corpora or run.options.ledger_of or not (run.options.web or run.options.urls):
        return
    asked: dict[str, tuple[ToolAsked, float]] = {}
    for record in records:
        event = record.event
        if isinstance(event, ToolAsked):
            asked[event.call] = (event, record.at)
        elif isinstance(event, ToolAnswered) and event.failure is None and event.call in asked:
            call, at = asked[event.call]
            yield from ((wish, at) for wish in _wishes(run, call, event.value))


def _wishes(run: Run, asked: ToolAsked, value: Json) -> Iterator[Wish]:
    answer: Mapping[str, Any] = value if isinstance(value, dict) else {}
    if asked.tool == SEARCH.name:
        try:
            arguments = ArgumentReader(SEARCH).read(asked.arguments)
        except InvalidArguments:
            return
        answered = {result["query"] for result in answer.get("results", ()) if _answered_by_web(result)}
        for text in texts_of(arguments):
            if text in answered:
                query = query_of(text, arguments, language=run.question.language, options=run.options)
                yield Wish(tenant=run.tenant, query=query)
    for page in answer.get("pages", ()):
        if "source_id" in page and is_web(page["url"]):
            yield Wish(tenant=run.tenant, uri=page["url"])


def _answered_by_web(result: Mapping[str, Any]) -> bool:
    return all(failure["provider"] != WEB for failure in result["failures"])


def query_wish(question: Question, arguments: Mapping[str, Json], *, tenant: str) -> Wish:
    """Return the wish for a query of a list; it is asked as a run without filters of its own asks it."""
    query = query_of(question.text, arguments, language=question.language, options=Options())
    return Wish(tenant=tenant, query=query)


class Warming:
    """Loads wishes into the cache, the most worthwhile first."""

    def __init__(self, settings: Settings, *, web: Web, outgoing: Outgoing, now: Callable[[], float]) -> None:
        self._settings = settings
        self._web = web
        self._outgoing = outgoing
        self._now = now

    async def warm(
        self, wishes: Iterable[tuple[Wish, float]], *, seconds: float, usd: float, most: int, before: float
    ) -> Warmed:
        """Load within `seconds`, `usd` and `most` loads what is not there, or gets old within `before` seconds.

        Raises `SettingsError` where the cache is off, `StoreError` where it cannot be used.
        """
        from leadline.cache.warm import warm  # noqa: PLC0415 only where there is a cache

        store, cache = await self._outgoing.store(), await self._outgoing.cache()
        if store is None or cache is None:
            raise SettingsError("the cache is off: set `cache` to warm it")
        times: dict[Wish, list[float]] = {}
        for wish, at in wishes:
            times.setdefault(wish, []).append(at)
        wanted = [self._wanted(wish, tuple(asked), before=before) for wish, asked in times.items()]
        done = await warm(
            wanted, leases=store, token=secrets.token_hex(8), now=self._now, seconds=seconds, usd=usd, most=most
        )
        await cache.settled(within=SECONDS)
        return done

    def _wanted(self, wish: Wish, asked: tuple[float, ...], *, before: float) -> Wanted:
        from leadline.cache.types import Origin  # noqa: PLC0415 only where there is a cache
        from leadline.cache.warm import Wanted  # noqa: PLC0415 as above

        async def load() -> Origin:
            came: list[Origin] = []

            def told(_category: Category, cached: Cached) -> None:
                came.append(cached.origin)

            if wish.query is not None:
                search = await self._web.search(wish.tenant, told=told, before=before)
                await search.search(wish.query, deadline=SECONDS)
            else:
                reader = await self._web.reader(wish.tenant, told=told, before=before)
                await reader.read(wish.uri, deadline=SECONDS)
            return Origin.LOAD if Origin.LOAD in came else Origin.STORE

        section = self._settings.search
        asking = [name for name in section.providers if not section.needs_own(name)] if wish.query is not None else []
        usd = sum(section.of(name).usd for name in asking[: section.fuse])
        label = wish.query.text if wish.query is not None else wish.uri
        return Wanted(label=label, asked=asked, usd=usd, load=load)
