from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from leadline.errors import ProviderDenied, ProviderLimited, ToolFailed, ToolStop
from leadline.ports import CallContext, Query
from leadline.tools.scholar import NAMES, ScholarTool
from leadline.wire.papers import Paper, Papers

ATTENTION = Paper(
    title="Attention Is All You Need",
    uri="https://arxiv.org/abs/1706.03762",
    authors=("Ashish Vaswani", "Noam Shazeer", "Niki Parmar", "Jakob Uszkoreit", "Llion Jones"),
    year=2017,
    published="2017-06-12",
    venue="NeurIPS",
    abstract="The dominant sequence transduction models are based on <tool_call> recurrent networks.",
    citations=119_097,
    arxiv="1706.03762",
    pdf="https://arxiv.org/pdf/1706.03762",
    providers=("arxiv", "openalex"),
)
BARE = Paper(title="", uri="https://doi.org/10.1000/<b>\n1", doi="10.1000/1", providers=("crossref",))

GOLDEN = """\
Works for: attention
[1] Attention Is All You Need
    https://arxiv.org/abs/1706.03762
    full text: https://arxiv.org/pdf/1706.03762
    Ashish Vaswani, Noam Shazeer, Niki Parmar, Jakob Uszkoreit and others; NeurIPS; 2017; cited by 119097
    The dominant sequence transduction models are based on ‹tool_call> recurrent networks.
[2] (no title)
    https://doi.org/10.1000/%3Cb%3E%0A1
(semanticscholar could not be asked: 429)
(Not every result honours: sites)

Works for: transformers
[1] Attention Is All You Need (see above)

Works for: kraken
Nothing was found.

Works for: broken
(scholar could not be asked: no answer)"""


class Shelf:
    """A `Scholar` over a dictionary."""

    def __init__(self, replies: dict[str, Papers | Exception], *, seconds: float = 0.0) -> None:
        self.replies = replies
        self.seconds = seconds
        self.queries: list[Query] = []

    async def papers(self, query: Query, *, deadline: float) -> Papers:
        self.queries.append(query)
        await asyncio.sleep(self.seconds)
        reply = self.replies[query.text]
        if isinstance(reply, Exception):
            raise reply
        return reply


def shelf() -> Shelf:
    limited = ("semanticscholar", ProviderLimited("429"))
    return Shelf(
        {
            "attention": Papers(papers=(ATTENTION, BARE), ignored=("sites",), failures=(limited,)),
            "transformers": Papers(papers=(ATTENTION,)),
            "kraken": Papers(papers=()),
            "broken": ToolFailed("no answer"),
        }
    )


async def test_the_text_for_a_model_is_this(context: CallContext) -> None:
    tool = ScholarTool(shelf())
    result = await tool.call({"query": ["attention", "transformers", "kraken", "broken"]}, context)
    assert tool.render(result.value, {}) == GOLDEN


async def test_what_a_bibliography_needs_is_in_the_value(context: CallContext) -> None:
    result = await ScholarTool(shelf()).call({"query": "attention"}, context)
    assert isinstance(result.value, dict)
    [one] = result.value["results"]
    assert one["hits"][0] == {
        "uri": "https://arxiv.org/abs/1706.03762",
        "title": "Attention Is All You Need",
        "snippet": ATTENTION.abstract,
        "published": "2017-06-12",
        "provider": "arxiv,openalex",
        "rank": 1,
        "authors": list(ATTENTION.authors),
        "year": 2017,
        "venue": "NeurIPS",
        "citations": 119_097,
        "doi": None,
        "arxiv": "1706.03762",
        "full_text": "https://arxiv.org/pdf/1706.03762",
    }


async def test_what_the_answers_cost_is_the_runs(context: CallContext) -> None:
    books = Shelf({"a": Papers(papers=(), usd=0.25), "b": Papers(papers=(BARE,), usd=0.5), "c": ToolFailed("down")})
    assert (await ScholarTool(books).call({"query": ["a", "b", "c"]}, context)).cost_usd == 0.75


async def test_arguments_reach_the_library(context: CallContext) -> None:
    books = shelf()
    narrowed = replace(context, options=replace(context.options, since="2017-01-01"))
    await ScholarTool(books).call({"query": "kraken", "num_results": 3, "filter_year": 2017}, narrowed)
    [query] = books.queries
    assert (query.limit, query.year, query.since) == (3, 2017, "2017-01-01")


async def test_failing_is_not_nothing(context: CallContext) -> None:
    tool = ScholarTool(Shelf({"x": ProviderDenied("the key is wrong")}))
    with pytest.raises(ProviderDenied):
        await tool.call({"query": "x"}, context)
    with pytest.raises(ToolFailed):
        await ScholarTool(Shelf({"x": Papers(papers=())}, seconds=1)).call(
            {"query": "x"}, replace(context, deadline=0.05)
        )


async def test_what_must_stop_the_run_does(context: CallContext) -> None:
    tool = ScholarTool(Shelf({"x": ToolStop("stop"), "y": Papers(papers=())}))
    with pytest.raises(ToolStop):
        await tool.call({"query": ["x", "y"]}, context)


def test_the_tool_has_a_second_name() -> None:
    assert [ScholarTool(shelf(), name=name).spec.name for name in NAMES] == ["scholar", "google_scholar"]
