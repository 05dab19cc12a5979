"""`search`: queries to addresses that can be visited, over every provider of the run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from leadline.domain import Hit, Json, Options, ToolResult, ToolSpec
from leadline.errors import Forbidden, ProviderUnavailable, ToolError, ToolFailed, ToolStop
from leadline.ports import CallContext, Found, Query, Search
from leadline.resilience import Deadline
from leadline.tools.addresses import canonical, shown
from leadline.tools.brief import brief
from leadline.tools.ranked import Ordered, Ranking, in_order, numbered
from leadline.tools.same import host_of, page_key

MOST_QUERIES: Final = 8
MOST_HITS: Final = 20
HITS: Final = 10
# Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009.
RRF_K: Final = 60
# Hits of one host that keep their place where the run is not narrowed to sites.
MOST_PER_HOST: Final = 3
_MOST_QUERY: Final = 2_000
_MOST_SNIPPET: Final = 500
# Code points of a title or snippet that are kept in the record.
_STORED: Final = 2_000
_MOST_TITLE: Final = 200
_MOST_ADDRESS: Final = 1_000
_MOST_MESSAGE: Final = 200
# Providers answer within this share of the call's time, so that a slow one costs only itself.
_SHARE: Final = 0.9

SEARCH: Final = ToolSpec(
    name="search",
    description=(
        "Search the documents and sites that this run may use. Give one query or several at once; "
        "each finds other things. Words in double quotation marks are looked for as they stand. "
        "The result lists addresses for `visit`, with titles and short extracts."
    ),
    parameters={
        "type": "object",
        "properties": {
            "query": {
                "type": ["string", "array"],
                "minLength": 1,
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "maxItems": MOST_QUERIES,
                "description": "What to look for: a few telling words, or a list of such queries.",
            },
            "num_results": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_HITS,
                "description": f"Results wanted for each query; {HITS} unless given.",
            },
            "filter_year": {
                "type": ["integer", "null"],
                "minimum": 1000,
                "maximum": 9999,
                "description": "Only what was published in this year, where the date is known.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reply:
    """What one provider said to one query."""

    provider: str
    found: Found | None = None
    error: ToolError | None = None


class SearchTool:
    """Asks every provider every query side by side; joins what they find by reciprocal rank."""

    def __init__(
        self,
        providers: Sequence[Search],
        *,
        weights: Mapping[str, float] | None = None,
        outside: frozenset[str] = frozenset(),
        ranking: Ranking | None = None,
    ) -> None:
        """`weights` says how much a provider's ranks count, by its name; 1 unless given.

        `outside` names the providers that pass queries on to others: a query that the gateway
        refuses is kept from them. With `ranking` what was joined is put in order once more; where that
        gives no order in time it stays as it was.
        """
        self._providers = tuple(providers)
        self._weights = [(weights or {}).get(provider.name, 1.0) for provider in self._providers]
        self._outside = outside
        self._ranking = ranking

    @property
    def spec(self) -> ToolSpec:
        """See `ports.Tool`."""
        return SEARCH

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """See `ports.Tool`. Raises `ToolFailed` when no provider answered any query."""
        if not self._providers:
            raise ToolFailed("nothing can be searched: no documents were given and the web is off")
        queries = [
            query_of(text, arguments, language=context.language, options=context.options)
            for text in texts_of(arguments)
        ]
        limit = Deadline(context.deadline)
        deadline = context.deadline * _SHARE
        refused = {text[:_MOST_QUERY]: reason for text, reason in context.refused.items()}
        async with asyncio.TaskGroup() as asking:
            tasks = [
                [
                    asking.create_task(self._ask(one, query, deadline=deadline, refused=refused))
                    for one in self._providers
                ]
                for query in queries
            ]
        replies = [[task.result() for task in row] for row in tasks]
        _raise_for(replies)
        joined = [(query, _joined(query, row, self._weights)) for query, row in zip(queries, replies, strict=True)]
        ordered = await in_order(self._ranking, joined, refused=refused, deadline=limit.left() * _SHARE)
        results: list[Json] = [
            _result(query, row, of) for query, row, of in zip(queries, replies, ordered, strict=True)
        ]
        paid = sum(reply.found.usd for row in replies for reply in row if reply.found is not None)
        return ToolResult(value={"results": results}, cost_usd=paid + sum(of.usd for of in ordered))

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return numbered hits under each query; a page that came before is only pointed to."""
        results: list[dict[str, Any]] = value["results"] if isinstance(value, dict) else []
        numbers: dict[str, int] = {}
        return "\n\n".join(_block(result, numbers) for result in results)

    async def _ask(self, provider: Search, query: Query, *, deadline: float, refused: Mapping[str, str]) -> _Reply:
        if query.text in refused and provider.name in self._outside:
            return _Reply(provider=provider.name, error=Forbidden(refused[query.text]))
        return await _ask(provider, query, deadline)


def texts_of(arguments: Mapping[str, Json]) -> list[str]:
    """Return the words of each query that a call asks, each once."""
    query = arguments["query"]
    texts = query if isinstance(query, list) else [query]
    return list(dict.fromkeys(str(text)[:_MOST_QUERY] for text in texts))


def query_of(text: str, arguments: Mapping[str, Json], *, language: str, options: Options) -> Query:
    """Return a query of a call as providers are asked it, with all filters of the call and its run."""
    limit, year = arguments.get("num_results"), arguments.get("filter_year")
    return Query(
        text=text,
        limit=limit if isinstance(limit, int) else HITS,
        language=language,
        sites=options.sites,
        exclude=options.exclude,
        since=options.since,
        year=year if isinstance(year, int) else None,
    )


async def _ask(provider: Search, query: Query, deadline: float) -> _Reply:
    try:
        async with asyncio.timeout(deadline):
            found = await provider.search(query, deadline=deadline)
    except ToolError as error:
        return _Reply(provider=provider.name, error=error)
    except TimeoutError:
        late = ToolFailed(f"no answer within {deadline:.3g} s")
        return _Reply(provider=provider.name, error=late)
    return _Reply(provider=provider.name, found=found)


def _raise_for(replies: Sequence[Sequence[_Reply]]) -> None:
    """Raise where the run must stop, or where no question was answered at all."""
    flat = [reply for row in replies for reply in row]
    for reply in flat:
        if isinstance(reply.error, ToolStop):
            raise reply.error
    if all(reply.error is not None for reply in flat):
        told = dict.fromkeys(f"{r.provider}: {_message(r.error)}" for r in flat if r.error)
        again = any(reply.error is not None and reply.error.retryable for reply in flat)
        raise (ProviderUnavailable if again else ToolFailed)("the search failed; " + "; ".join(told))


def _message(error: ToolError) -> str:
    return brief(str(error), _MOST_MESSAGE)


def _joined(query: Query, row: Sequence[_Reply], weights: Sequence[float]) -> list[Hit]:
    answered = [
        (reply.found.hits, weight) for reply, weight in zip(row, weights, strict=True) if reply.found is not None
    ]
    return join(query, [hits for hits, _ in answered], [weight for _, weight in answered])


def _result(query: Query, row: Sequence[_Reply], of: Ordered) -> Json:
    hits = _shared(query, of.hits)[: query.limit] if of.reranked else of.hits[: query.limit]
    ignored = {name for reply in row if reply.found is not None for name in reply.found.ignored}
    failures: list[Json] = [
        {"provider": r.provider, "code": r.error.code, "message": _message(r.error)} for r in row if r.error is not None
    ]
    failures += [
        {"provider": one.provider, "code": one.code, "message": brief(one.message, _MOST_MESSAGE)}
        for reply in row
        if reply.found is not None
        for one in reply.found.failures
    ]
    return {
        "query": query.text,
        "hits": [
            {
                "uri": hit.uri,
                "title": hit.title[:_STORED],
                "snippet": hit.snippet[:_STORED],
                "published": hit.published,
                "provider": hit.provider,
                "rank": hit.rank,
            }
            for hit in hits
        ],
        "ignored": sorted(ignored),
        "failures": failures,
        **({"reranked": True} if of.reranked else {}),
    }


def _shared(query: Query, hits: Sequence[Hit]) -> list[Hit]:
    """Return hits in their order, those beyond a host's share at the end."""
    places = _spread([(str(at), hit.uri) for at, hit in enumerate(hits)], None if query.sites else MOST_PER_HOST)
    return numbered([hits[int(place)] for place in places])


def join(query: Query, lists: Iterable[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """Return one list of what several found for a query; a host's share is kept to unless it is narrowed to sites."""
    return fuse(lists, weights=weights, per_host=None if query.sites else MOST_PER_HOST)


def fuse(
    lists: Iterable[Sequence[Hit]], *, weights: Sequence[float] | None = None, per_host: int | None = None
) -> list[Hit]:
    """Return one list by reciprocal rank, a page once, ranked anew from 1.

    Of the hits of one page the best ranked one stays; ties go to the earlier list. `weights` says
    how much each list counts. Of one host on the web `per_host` hits keep their place; further
    ones come after all others. An address of more than `_MOST_ADDRESS` characters is dropped: no
    model could repeat it.
    """
    scores: dict[str, float] = {}
    best: dict[str, Hit] = {}
    for number, hits in enumerate(lists):
        once: dict[str, Hit] = {}
        for hit in hits:
            if len(hit.uri) <= _MOST_ADDRESS:
                once.setdefault(page_key(hit.uri), hit)
        weight = 1.0 if weights is None else weights[number]
        for rank, (key, hit) in enumerate(once.items(), start=1):
            scores[key] = scores.get(key, 0.0) + weight / (RRF_K + rank)
            if key not in best or hit.rank < best[key].rank:
                best[key] = hit
    ranked = sorted(scores, key=lambda key: -scores[key])
    return [
        replace(best[key], rank=rank, uri=shown(best[key].uri), score=scores[key])
        for rank, key in enumerate(_spread([(key, best[key].uri) for key in ranked], per_host), start=1)
    ]


def _spread(pages: Sequence[tuple[str, str]], per_host: int | None) -> list[str]:
    """Return the keys of (key, address), those beyond a host's share at the end."""
    kept: list[str] = []
    beyond: list[str] = []
    counts: Counter[str] = Counter()
    for key, uri in pages:
        host = host_of(uri)
        counts[host] += 1
        full = per_host is not None and bool(host) and counts[host] > per_host
        (beyond if full else kept).append(key)
    return kept + beyond


def _block(result: Mapping[str, Any], numbers: dict[str, int]) -> str:
    lines = [f"Results for: {brief(result['query'], _MOST_TITLE)}"]
    lines += [_line(hit, numbers) for hit in result["hits"]]
    if not result["hits"]:
        lines.append("Nothing was found.")
    lines += [f"({failure['provider']} could not be asked: {failure['message']})" for failure in result["failures"]]
    if result["ignored"]:
        lines.append(f"(Not every result honours: {', '.join(result['ignored'])})")
    return "\n".join(lines)


def _line(hit: Mapping[str, Any], numbers: dict[str, int]) -> str:
    title = brief(hit["title"], _MOST_TITLE) or "(no title)"
    key = canonical(hit["uri"])
    if key in numbers:
        return f"[{numbers[key]}] {title} (see above)"
    numbers[key] = len(numbers) + 1
    lines = [f"[{numbers[key]}] {title}", f"    {brief(hit['uri'], _MOST_ADDRESS)}"]
    if hit["published"]:
        lines.append(f"    published {brief(hit['published'], 40)}")
    snippet = brief(hit["snippet"], _MOST_SNIPPET)
    return "\n".join([*lines, f"    {snippet}"] if snippet else lines)
