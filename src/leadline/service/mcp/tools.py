"""The tools of the protocol: what each is called, takes, needs permission for, and does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from leadline.codec import build, orjson_tree
from leadline.domain import Json, StrategyName, ToolSpec
from leadline.errors import InputError, InvalidArguments
from leadline.ports.access import Action
from leadline.service.mcp.desk import Desk, Standing, Wish
from leadline.text.clean import defused, neutralise, squeeze
from leadline.text.schema import faults

LONGEST_WAIT: Final = 50.0
"""Seconds that one call may wait for a run: hosts give up after a minute."""

NOT_YET: Final = "The run has not ended. Ask again with `research_result`; `wait_seconds` waits for it."
_MOST_LINE: Final = 400
_MOST_FAULTS: Final = 3
_MOST_SNIPPET: Final = 600

Arguments: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a tool gave: text for the host's model, and the same as JSON where it has a shape."""

    text: str
    value: Mapping[str, Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One tool. `action` is what a caller must be permitted; `reads` says that it changes nothing."""

    spec: ToolSpec
    action: Action
    reads: bool
    work: Callable[[Desk, Arguments], Awaitable[Told]]


async def _start(desk: Desk, given: Arguments) -> Told:
    wish = build(Wish, dict(given))
    return _told(await desk.start(wish), "Ask for it with `research_result`.")


async def _status(desk: Desk, given: Arguments) -> Told:
    return _told(await _standing(desk, given))


async def _result(desk: Desk, given: Arguments) -> Told:
    standing = await _standing(desk, given)
    if not standing.state.ended:
        return _told(standing, NOT_YET)
    # What sources say stands in it: whoever reads it is a model as well.
    report = await desk.report(standing.run_id, str(given.get("format") or "md"))
    return Told(text=neutralise(report))


async def _cancel(desk: Desk, given: Arguments) -> Told:
    return _told(await desk.cancel(str(given["run_id"])))


async def _search(desk: Desk, given: Arguments) -> Told:
    return Told(text=await desk.search(str(given["query"]), int(given.get("num_results") or 10)))


async def _visit(desk: Desk, given: Arguments) -> Told:
    return Told(text=await desk.visit(str(given["url"]), str(given.get("goal") or "")))


async def _standing(desk: Desk, given: Arguments) -> Standing:
    run_id, seconds = str(given["run_id"]), float(given.get("wait_seconds") or 0.0)
    return await desk.wait(run_id, min(seconds, LONGEST_WAIT)) if seconds > 0 else await desk.standing(run_id)


def _told(standing: Standing, hint: str = "") -> Told:
    lines = [f"run {standing.run_id}: {standing.state.value}"]
    if standing.stop_reason is not None:
        lines.append(f"stop reason: {standing.stop_reason}")
    if standing.failure is not None:
        lines.append(f"failure: {_line(standing.failure)}")
    if standing.waits_for is not None:
        lines.append(f"it waits for a person: {_line(standing.waits_for)}")
    lines.append(f"{standing.model_calls} model calls, {standing.tool_calls} tool calls, {standing.cost_usd:.4f} USD")
    return Told(text="\n".join(filter(None, [*lines, hint])), value=orjson_tree(standing))


def hits_told(hits: Sequence[Mapping[str, Any]]) -> str:
    """Return hits of a search as text that is safe in a prompt."""
    blocks = [
        "\n".join(
            filter(
                None,
                (
                    f"[{number}] {_line(defused(str(hit.get('title') or '(no title)')))}",
                    f"    {_line(str(hit.get('uri') or hit.get('url') or ''))}",
                    f"    {squeeze(defused(neutralise(str(hit.get('snippet') or ''))), limit=_MOST_SNIPPET)}",
                ),
            )
        )
        for number, hit in enumerate(hits, 1)
    ]
    return "\n".join(blocks) or "Nothing was found."


def _line(text: str) -> str:
    return squeeze(neutralise(text), limit=_MOST_LINE)


def _spec(name: str, description: str, properties: Mapping[str, Json], *required: str) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=description,
        parameters={
            "type": "object",
            "properties": dict(properties),
            "required": list(required),
            "additionalProperties": False,
        },
    )


_RUN: Final[Mapping[str, Json]] = {"run_id": {"type": "string", "minLength": 1, "description": "The run's id."}}
_WAIT: Final[Mapping[str, Json]] = {
    "wait_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": LONGEST_WAIT,
        "description": "Wait up to so long for the run's end.",
    }
}
_STRINGS: Final[Mapping[str, Json]] = {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 20}
_SCHEMA_START: Final[Mapping[str, Json]] = {
    "question": {"type": "string", "minLength": 1, "description": "What is to be found out."},
    "strategy": {
        "type": "string",
        "enum": [name.value for name in StrategyName],
        "description": "How evidence is gathered; `auto` chooses.",
    },
    "web": {"type": "boolean", "description": "Whether the open web is searched."},
    "corpora": {**_STRINGS, "description": "Ids of document collections to search."},
    "urls": {**_STRINGS, "description": "Pages to read in any case."},
    "length": {"type": "string", "enum": ["short", "normal", "long"], "description": "How long the report is."},
    "seconds": {"type": "number", "minimum": 1, "description": "How long it may take."},
}

OFFERS: Final[Mapping[str, Offer]] = MappingProxyType(
    {
        offer.spec.name: offer
        for offer in (
            Offer(
                spec=_spec(
                    "research_start",
                    "Start researching a question. It takes minutes; the run's id comes at once. The report ties every "
                    "claim to a quotation of a source and says how it was checked.",
                    _SCHEMA_START,
                    "question",
                ),
                action=Action.RUNS_START,
                reads=False,
                work=_start,
            ),
            Offer(
                spec=_spec("research_status", "Tell where a run stands.", {**_RUN, **_WAIT}, "run_id"),
                action=Action.RUNS_READ,
                reads=True,
                work=_status,
            ),
            Offer(
                spec=_spec(
                    "research_result",
                    "Return the report of a run that has ended: Markdown with numbered citations, or JSON.",
                    {**_RUN, **_WAIT, "format": {"type": "string", "enum": ["md", "json"]}},
                    "run_id",
                ),
                action=Action.RUNS_READ,
                reads=True,
                work=_result,
            ),
            Offer(
                spec=_spec("research_cancel", "Stop a run; it gets no report.", _RUN, "run_id"),
                action=Action.RUNS_STEER,
                reads=False,
                work=_cancel,
            ),
            Offer(
                spec=_spec(
                    "search",
                    "Search the web, or the documents that are served here, and return hits: title, address, snippet.",
                    {
                        "query": {"type": "string", "minLength": 1, "maxLength": 2_000},
                        "num_results": {"type": "integer", "minimum": 1, "maximum": 50},
                    },
                    "query",
                ),
                action=Action.TOOLS_CALL,
                reads=True,
                work=_search,
            ),
            Offer(
                spec=_spec(
                    "visit",
                    "Read a page of the web, or a document by its address, and return the passages that serve a goal.",
                    {
                        "url": {"type": "string", "minLength": 8, "maxLength": 8_000},
                        "goal": {"type": "string", "maxLength": 2_000, "description": "What is wanted of the page."},
                    },
                    "url",
                ),
                action=Action.TOOLS_CALL,
                reads=True,
                work=_visit,
            ),
        )
    }
)
"""All tools by name, in the order in which they are listed."""


def offer_of(name: str) -> Offer:
    """Return a tool. Raises `InputError` for a name that is none."""
    if name not in OFFERS:
        raise InputError(f"there is no tool {squeeze(name, limit=60)!r}; there are {', '.join(OFFERS)}")
    return OFFERS[name]


async def called(desk: Desk, offer: Offer, arguments: Mapping[str, Json]) -> Told:
    """Do what a tool says. Raises `InvalidArguments` for what does not fit, and `LeadlineError`."""
    wrong = list(islice(faults(arguments, offer.spec.parameters), _MOST_FAULTS))
    if wrong:
        raise InvalidArguments(f"`{offer.spec.name}` cannot be called so: {'; '.join(wrong)}")
    return await offer.work(desk, arguments)
