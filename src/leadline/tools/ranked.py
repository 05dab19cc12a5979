"""Hits of a search put in order once more, by a model that reads query and hit together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from leadline.domain import Hit
from leadline.errors import ModelError
from leadline.ports import Query, Ranker
from leadline.tools.brief import brief

log = logging.getLogger("leadline.tools.search")

# Code points of a hit that the ranker sees.
_MOST_TEXT: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Who puts hits in order, how many of a query, the best by rank, and what one order costs in US dollars."""

    ranker: Ranker
    most: int
    usd: float = 0.0


class Ordered(NamedTuple):
    """A query's hits, whether a ranker has put them in order, and what that cost in US dollars."""

    hits: list[Hit]
    reranked: bool = False
    usd: float = 0.0


async def in_order(
    ranking: Ranking | None,
    found: Sequence[tuple[Query, list[Hit]]],
    *,
    refused: Mapping[str, str],
    deadline: float,
) -> list[Ordered]:
    """Return the hits of each query as they are to be told; without a ranker's order in time as they came.

    A query that is `refused` is not sent to it.
    """
    if ranking is None:
        return [Ordered(hits) for _, hits in found]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_one(ranking, query, hits, deadline=0.0 if query.text in refused else deadline))
            for query, hits in found
        ]
    return [task.result() for task in tasks]


async def _one(ranking: Ranking, query: Query, hits: list[Hit], *, deadline: float) -> Ordered:
    best = hits[: ranking.most]
    if len(best) < 2 or deadline <= 0.0:
        return Ordered(hits)
    texts = [brief(f"{hit.title}\n{hit.snippet}", _MOST_TEXT) for hit in best]
    try:
        scores = await ranking.ranker.scores(query.text, texts, deadline=deadline)
    except ModelError as error:
        log.warning("rerank_failed", extra={"error": error})
        return Ordered(hits)
    order = sorted(range(len(best)), key=lambda at: -scores[at])  # stable: equals stay as they were
    return Ordered([*(best[at] for at in order), *hits[ranking.most :]], reranked=True, usd=ranking.usd)


def numbered(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits ranked from 1 in the order that they have."""
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]
