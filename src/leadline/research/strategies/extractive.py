"""Gathering without a model: search, read, and search again with the names that were found.

The first wave searches for the question and for each name in it. Each further wave takes the names
that the best sentences hold and the question does not - bridges to what it asks for - and looks for
the pages of that name and for passages that mention them. It ends when nothing new comes, or by
the budget. No search engine's rank is trusted further than for the choice of what to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from leadline.domain import Flag, Json, StopReason, ToolCall
from leadline.research.extractive.asking import key_of
from leadline.research.extractive.bridging import Address, Query, choose_hits, first_queries, next_queries
from leadline.research.study import Gathered, Study
from leadline.telling.addresses import readable

WAVES = 3
READ = (16, 20, 12)
"""Documents that each wave reads at most."""

QUERIES_A_CALL = 8
URLS_A_CALL = 8
HITS = (12, 6, 6)
OBSERVATION = 2_000


async def gather(study: Study) -> Gathered:
    """Search in waves until nothing new comes."""
    queries = first_queries(study.question.text)
    given = [Address(uri, "") for uri in study.options.urls]
    tried: list[str] = []
    unread: dict[str, Address] = {}
    for wave in range(WAVES):
        reason = study.stop()
        if reason is None and study.next_round() is Flag.FINISH:
            reason = StopReason.FINISHED_EARLY
        if reason is not None:
            return _gathered(study, reason, unread)
        hits = await _search(study, queries, wave=wave)
        fresh = [hit for hit in (*given, *hits) if hit.uri not in study.visited]
        await _read(study, fresh)
        tried += [key_of(query.name) for query in queries if query.name]
        unread.update({hit.uri: hit for hit in fresh})
        given = []
        if wave + 1 < WAVES:
            queries = await _next(study, tried)
        if not queries or not fresh:
            break
    reason = StopReason.ANSWERED if study.ledger.sources else StopReason.NOTHING_FOUND
    if study.interrupted and study.next_round() is Flag.FINISH:  # it broke the last wave off: a person's wish
        reason = StopReason.FINISHED_EARLY
    return _gathered(study, reason, unread)


def _gathered(study: Study, reason: StopReason, unread: dict[str, Address]) -> Gathered:
    titles = [hit.title or readable(hit.uri) for hit in unread.values() if hit.uri not in study.visited]
    return Gathered(stop=reason, open=titles)


async def _search(study: Study, queries: Sequence[Query], *, wave: int) -> list[Address]:
    """Return what to read, the best hits of all queries first."""
    if "search" not in study.specs:
        return []
    batches = [queries[i : i + QUERIES_A_CALL] for i in range(0, len(queries), QUERIES_A_CALL)]
    calls = [
        ToolCall(name="search", arguments={"query": [q.text for q in batch], "num_results": HITS[wave]})
        for batch in batches
    ]
    seen = await study.act(calls, limit=OBSERVATION)
    asked = {query.text: query for query in queries}
    results = [result for outcome in seen for result in results_of(outcome.value) if result.get("query") in asked]
    answered = [asked[str(result["query"])] for result in results]
    size = sum(len(hit.get("snippet") or "") for result in results for hit in result.get("hits", []))
    chosen = partial(choose_hits, visited=tuple(study.visited), limit=READ[wave])
    return await study.means.cpu.run(chosen, study.question.text, answered, {"results": results}, size=size // 4)


def results_of(value: Json) -> list[dict[str, Any]]:
    """Return a search result's lists of hits, one a query."""
    return value.get("results", []) if isinstance(value, dict) else []


async def _read(study: Study, hits: Sequence[Address]) -> None:
    if "visit" not in study.specs or not hits:
        return
    batches = [hits[i : i + URLS_A_CALL] for i in range(0, len(hits), URLS_A_CALL)]
    goal = study.question.text
    calls = [ToolCall(name="visit", arguments={"url": [h.uri for h in batch], "goal": goal}) for batch in batches]
    await study.act(calls, limit=OBSERVATION)


async def _next(study: Study, tried: Sequence[str]) -> list[Query]:
    """Return the next wave's queries: bridges to what the question still asks."""
    size = sum(source.chars for source in study.ledger.sources)
    return await study.means.cpu.run(next_queries, study.question.text, study.ledger, tried, size=size)
