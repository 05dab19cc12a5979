"""`scholar`: queries to scholarly works, with authors, year, venue, citations and full text that can be visited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from leadline.domain import Json, ToolResult, ToolSpec
from leadline.errors import ToolError, ToolFailed, ToolStop
from leadline.ports import CallContext, Query
from leadline.tools.addresses import shown
from leadline.tools.brief import brief
from leadline.wire.papers import Paper, Papers, Scholar

NAMES: Final = ("scholar", "google_scholar")
"""What the tool may be called; the second is what some models were trained on."""

MOST_QUERIES: Final = 4
MOST_WORKS: Final = 20
WORKS: Final = 10
_SHARE: Final = 0.9
_MOST_QUERY: Final = 2_000
_MOST_TITLE: Final = 300
_MOST_ABSTRACT: Final = 700
_STORED_ABSTRACT: Final = 4_000
_MOST_ADDRESS: Final = 1_000
_MOST_MESSAGE: Final = 200
_AUTHORS_SHOWN: Final = 4
_AUTHORS_STORED: Final = 50


class ScholarTool:
    """Asks the library every query side by side.

    A result's value has the shape of `search`'s, each hit with what a bibliography needs besides.
    """

    def __init__(self, scholar: Scholar, *, name: str = NAMES[0]) -> None:
        self._scholar = scholar
        self._spec = _spec(name)

    @property
    def spec(self) -> ToolSpec:
        """See `ports.Tool`."""
        return self._spec

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """See `ports.Tool`. Raises `ToolFailed` when no query was answered."""
        given = arguments["query"]
        texts = list(dict.fromkeys(str(text)[:_MOST_QUERY] for text in (given if isinstance(given, list) else [given])))
        deadline = context.deadline * _SHARE
        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(self._ask(_query(text, arguments, context), deadline)) for text in texts]
        replies = [task.result() for task in tasks]
        failed = [reply for reply in replies if isinstance(reply, ToolError)]
        for error in failed:
            if isinstance(error, ToolStop) or len(failed) == len(replies):
                raise error
        results: list[Json] = [_result(text, reply) for text, reply in zip(texts, replies, strict=True)]
        paid = sum(reply.usd for reply in replies if not isinstance(reply, ToolError))
        return ToolResult(value={"results": results}, cost_usd=paid)

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return numbered works under each query; one that came before is only pointed to."""
        results: list[dict[str, Any]] = value["results"] if isinstance(value, dict) else []
        numbers: dict[str, int] = {}
        return "\n\n".join(_block(result, numbers) for result in results)

    async def _ask(self, query: Query, deadline: float) -> Papers | ToolError:
        try:
            async with asyncio.timeout(deadline):
                return await self._scholar.papers(query, deadline=deadline)
        except ToolError as error:
            return error
        except TimeoutError:
            return ToolFailed(f"no answer within {deadline:.3g} s")


def _spec(name: str) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=(
            "Search scholarly works: articles, preprints, books. Give one query or several. The result lists "
            "authors, year, venue, citations, and addresses for `visit`; the full text where anybody may read it."
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
                    "description": "What to look for: topic, title, author or DOI, or a list of such queries.",
                },
                "num_results": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MOST_WORKS,
                    "description": f"Works wanted for each query; {WORKS} unless given.",
                },
                "filter_year": {
                    "type": ["integer", "null"],
                    "minimum": 1000,
                    "maximum": 9999,
                    "description": "Only what was published in this year.",
                },
            },
            "required": ["query"],
            "additionalProperties": False,
        },
    )


def _query(text: str, arguments: Mapping[str, Json], context: CallContext) -> Query:
    limit, year = arguments.get("num_results"), arguments.get("filter_year")
    return Query(
        text=text,
        limit=limit if isinstance(limit, int) else WORKS,
        language=context.language,
        since=context.options.since,
        year=year if isinstance(year, int) else None,
    )


def _result(text: str, reply: Papers | ToolError) -> Json:
    papers, ignored, failures = (
        ((), (), ()) if isinstance(reply, ToolError) else (reply.papers, reply.ignored, reply.failures)
    )
    told = [("scholar", reply)] if isinstance(reply, ToolError) else failures
    named: list[Json] = [
        {"provider": name, "code": error.code, "message": brief(str(error), _MOST_MESSAGE)} for name, error in told
    ]
    return {
        "query": text,
        "hits": [_hit(paper, rank) for rank, paper in enumerate(papers, start=1)],
        "ignored": list(ignored),
        "failures": named,
    }


def _hit(paper: Paper, rank: int) -> Json:
    return {
        "uri": shown(paper.uri)[:_MOST_ADDRESS],
        "title": paper.title[:_STORED_ABSTRACT],
        "snippet": paper.abstract[:_STORED_ABSTRACT],
        "published": paper.published or (str(paper.year) if paper.year else None),
        "provider": ",".join(paper.providers),
        "rank": rank,
        "authors": list(paper.authors[:_AUTHORS_STORED]),
        "year": paper.year,
        "venue": paper.venue,
        "citations": paper.citations,
        "doi": paper.doi,
        "arxiv": paper.arxiv,
        "full_text": shown(paper.pdf)[:_MOST_ADDRESS] if paper.pdf else None,
    }


def _block(result: Mapping[str, Any], numbers: dict[str, int]) -> str:
    lines = [f"Works for: {brief(result['query'], _MOST_TITLE)}"]
    lines += [_lines(hit, numbers) for hit in result["hits"]]
    failures = [f"({one['provider']} could not be asked: {one['message']})" for one in result["failures"]]
    if not result["hits"] and not any(one["provider"] == "scholar" for one in result["failures"]):
        lines.append("Nothing was found.")
    lines += failures
    if result["ignored"]:
        lines.append(f"(Not every result honours: {', '.join(result['ignored'])})")
    return "\n".join(lines)


def _lines(hit: Mapping[str, Any], numbers: dict[str, int]) -> str:
    title = brief(hit["title"], _MOST_TITLE) or "(no title)"
    key = hit["doi"] or hit["arxiv"] or hit["uri"]
    if key in numbers:
        return f"[{numbers[key]}] {title} (see above)"
    numbers[key] = len(numbers) + 1
    lines = [f"[{numbers[key]}] {title}", f"    {brief(hit['uri'], _MOST_ADDRESS)}"]
    if hit["full_text"] and hit["full_text"] != hit["uri"]:
        lines.append(f"    full text: {brief(hit['full_text'], _MOST_ADDRESS)}")
    about = [_authors(hit["authors"]), brief(hit["venue"], 200), str(hit["year"] or "")]
    if hit["citations"] is not None:
        about.append(f"cited by {hit['citations']}")
    told = "; ".join(filter(None, about))
    abstract = brief(hit["snippet"], _MOST_ABSTRACT)
    return "\n".join([*lines, *(f"    {line}" for line in (told, abstract) if line)])


def _authors(names: Sequence[str]) -> str:
    shown_names = [brief(name, 80) for name in names[:_AUTHORS_SHOWN]]
    more = " and others" if len(names) > _AUTHORS_SHOWN else ""
    return ", ".join(shown_names) + more
