"""One server of a model, asked as a run asks it: what it lists, an answer, a tool call, an answer in JSON."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from leadline.domain import Dialect, Json, Message, ModelAnswer, ModelRequest, ToolSpec
from leadline.errors import ModelBroken, ModelError, SettingsError
from leadline.settings import ModelSettings, Settings, load_prices
from leadline.wiring.loaded import loaded
from leadline.wiring.models import known_price, own_model, server_specs

if TYPE_CHECKING:
    from leadline.model.pool.types import ServerSpec
    from leadline.model.streamed import StreamedModel

LIST_SECONDS: Final = 5.0
_TOKENS: Final = 1024
_ADD: Final = ToolSpec(
    name="add",
    description="Adds two whole numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
_SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server that a role's section names, to be tried. `priced`: a call costs money, as far as is known."""

    role: str
    url: str
    section: ModelSettings
    priced: bool
    spec: ServerSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What came of asking a server; `None`: it was not asked for that. Seconds are those of the short answer.

    `window` is in tokens, where the server tells it; `listed` the names of its models. `tool_call` and
    `json` tell whether what it wrote could be read, `malformed` why not.
    """

    window: int | None = None
    listed: tuple[str, ...] = ()
    seconds: float | None = None
    answered: bool | None = None
    tool_call: bool | None = None
    json: bool | None = None
    malformed: tuple[str, ...] = ()


def model_servers(settings: Settings) -> tuple[Server, ...]:
    """Return every model server that the settings name, by role: `main`, `judge`, `summarizer`."""
    prices = load_prices(settings.prices) if settings.prices else None
    sections = {"main": settings.model}
    if settings.judge.use == "own":
        sections["judge"] = own_model(settings.judge)
    if settings.summarizer.use == "own" and settings.summarizer.kind != "service":
        sections["summarizer"] = own_model(settings.summarizer)
    return tuple(
        Server(role=role, url=spec.url, section=section, priced=spec.priced, spec=spec)
        for role, section in sections.items()
        for spec in (server_specs(section, known_price(prices, section.name)) if section.urls else ())
    )


async def try_server(server: Server, *, seconds: float, answers: bool, tools: bool) -> Tried:
    """Ask a server for its models and, where `answers`, for three short answers; raise `ModelError` for no answer.

    `seconds` are for each answer. Without `tools` no tool is offered. A tool call or JSON that cannot be
    read is no failure of the server but told by `malformed`.
    """
    await loaded("leadline.model.clients", "leadline.model.structured", "leadline.research.strategies.react")
    from leadline.model.attempt import Clocks  # noqa: PLC0415 aiohttp only where a model is set
    from leadline.model.clients import clients  # noqa: PLC0415 as above
    from leadline.model.connect import open_session  # noqa: PLC0415 as above

    section = server.section
    clocks = Clocks(first_token=seconds, gap=seconds, total=seconds)
    async with open_session(connect=LIST_SECONDS) as session:
        client = clients(section.kind, clocks=clocks, thinking=section.thinking)(server.spec, session)
        tried = await _listed(client, section, must=not answers)
        if not answers:
            return tried
        began = time.monotonic()
        answer = await client.complete(_short(section), deadline=seconds, session="")
        tried = replace(tried, seconds=time.monotonic() - began, answered=bool(answer.text or answer.reasoning))
        called, why_call = await _calls_a_tool(client, section, seconds=seconds) if tools else (None, "")
        fits, why_json = await _writes_json(client, section, seconds=seconds)
        malformed = tuple(why for why in (why_call, why_json) if why)
        return replace(tried, tool_call=called, json=fits, malformed=malformed)


async def _listed(client: StreamedModel, section: ModelSettings, *, must: bool) -> Tried:
    """Return what a server lists; many list nothing and answer all the same."""
    try:
        listed = await client.models(deadline=LIST_SECONDS)
    except ModelError:
        if must:
            raise
        return Tried()
    window = next((model.window for model in listed if model.name == section.name), None)
    return Tried(window=window, listed=tuple(model.name for model in listed))


def _short(section: ModelSettings) -> ModelRequest:
    return _request(section, "Reply with the word: ready")


async def _calls_a_tool(client: StreamedModel, section: ModelSettings, *, seconds: float) -> tuple[bool, str]:
    """Return whether the model calls the one tool that it is offered, in the dialect of the settings."""
    from leadline.research.parse import Calls, parse_turn  # noqa: PLC0415 only where a server is tried
    from leadline.research.prompts import prompt  # noqa: PLC0415 as above
    from leadline.research.strategies.react import described  # noqa: PLC0415 as above

    request = _request(section, "What is 17 + 25? Use the tool `add`; do not compute it yourself.")
    if section.dialect == Dialect.NATIVE.value:
        request = replace(request, tools=(_ADD,))
    else:
        told = Message(role="system", content=prompt("tags").format(tools=described((_ADD,))))
        request = replace(request, messages=(told, *request.messages))
    complete = partial(client.complete, request, deadline=seconds, session="")
    answer, why = await _told(complete)
    if answer is None:
        return False, f"tool call: {why}"
    turn = parse_turn(answer.text, answer.tool_calls, tools=(_ADD,))
    if isinstance(turn, Calls) and any(dict(call.arguments) == {"a": 17, "b": 25} for call in turn.calls):
        return True, ""
    return False, f"tool call: none that can be read in the dialect `{section.dialect}`"


async def _writes_json(client: StreamedModel, section: ModelSettings, *, seconds: float) -> tuple[bool, str]:
    from leadline.model.structured import StructuredModel  # noqa: PLC0415 only where a server is tried

    text = "The lighthouse at Skerryvore was first lit in 1844. Give its name and that year as JSON."
    request = replace(_request(section, text), schema=_SCHEMA)
    model = StructuredModel(client)
    answer, why = await _told(partial(model.complete, request, deadline=seconds, session=""))
    return answer is not None, "" if answer is not None else f"JSON: {why}"


async def _told(complete: partial[Coroutine[object, object, ModelAnswer]]) -> tuple[ModelAnswer | None, str]:
    """Return an answer, or why there is none where the model is to blame. Raises `ModelError` for its server."""
    try:
        return await complete(), ""
    except ModelBroken as error:
        return None, str(error)


def _request(section: ModelSettings, text: str) -> ModelRequest:
    return ModelRequest(
        messages=(Message(role="user", content=text),),
        model=section.name or "",
        temperature=section.temperature,
        top_p=section.top_p,
        max_tokens=min(_TOKENS, section.max_tokens),
    )


async def try_ranking(settings: Settings, *, seconds: float) -> None:
    """Have two short texts put in order by the set server. Raises `ModelError`, `SettingsError`."""
    await loaded("leadline.model.ranker")
    from leadline.model.ranker import ServerRanker  # noqa: PLC0415 only where a server is set

    section = settings.rerank
    if section.url is None or section.name is None:
        raise SettingsError("no server that reranks is set: set `rerank.url` and `rerank.name`")
    key = section.api_key.reveal() if section.api_key else None
    async with ServerRanker(section.url, name=section.name, api_key=key, seconds=seconds) as ranker:
        await ranker.scores("lighthouse", ["a lighthouse", "a bridge"], deadline=seconds)


async def try_vectors(settings: Settings, *, seconds: float) -> int:
    """Return how many numbers a vector of the set server has. Raises `ModelError`, `SettingsError`."""
    await loaded("leadline.model.embedder")
    from leadline.model.embedder import ServerEmbedder  # noqa: PLC0415 only where a server is set

    section = settings.embed
    if section.url is None or section.name is None:
        raise SettingsError("no server of vectors is set: set `embed.url` and `embed.name`")
    key = section.api_key.reveal() if section.api_key else None
    async with ServerEmbedder(section.url, name=section.name, api_key=key, batch=section.batch) as embedder:
        (vector,) = await embedder.embed(["lighthouse"], deadline=seconds)
    return len(vector)
