"""Research as a model of the OpenAI-compatible API: messages become a question, a report an answer with citations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from leadline.domain import Json, Report, StrategyName, Usage
from leadline.errors import InputError, UnknownObject
from leadline.events import Event, PlanMade, RunStarted, ToolAnswered, ToolAsked
from leadline.service.shapes import ResearchTaken
from leadline.telling.addresses import address, linkable, name, readable
from leadline.telling.numbering import Numbers
from leadline.telling.queries import queries_told
from leadline.text.clean import squeeze, visible

OWNER: Final = "leadline"
_MOST_EARLIER: Final = 16_000
_MOST_LINE: Final = 300
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "strategy": "Strategy",
        "plan": "Plan",
        "failed": "failed",
        "search": "Searching",
        "visit": "Reading",
        "scholar": "Searching scholarly works",
        "python": "Computing",
    },
    "zh": {
        "strategy": "策略",
        "plan": "计划",
        "failed": "失败",
        "search": "搜索",
        "visit": "阅读",
        "scholar": "搜索学术文献",
        "python": "计算",
    },
}
_SHOWN: Final = ("query", "url", "files", "goal")
_ADDRESS: Final = re.compile(r"(?:document|file):\S+\Z")


class ChatMessage(BaseModel):
    """A message; of its content only text is taken."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """What a stream holds besides."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: bool = False


class ChatTaken(BaseModel):
    """A request of the OpenAI-compatible API. What a sampler would obey is taken and not used."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="`leadline`, or `leadline-` and a strategy."
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1_000)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    leadline: dict[str, Any] | None = Field(
        default=None,
        description="How it is to be researched: fields of `POST /v1/research` (`web`, `corpora`, `budget`, ...).",
    )


def names() -> tuple[str, ...]:
    """Return what models are called here: `leadline` chooses the strategy by the question."""
    named = [name for name in StrategyName if name is not StrategyName.AUTO]
    return (OWNER, *(f"{OWNER}-{name.value}" for name in named))


def strategy_of(model: str) -> str:
    """Return the strategy that a model's name stands for. Raises `UnknownObject`."""
    if model not in names():
        raise UnknownObject(f"no such model: {model[:60]!r}; there are {', '.join(names())}")
    return model.removeprefix(OWNER).removeprefix("-") or StrategyName.AUTO.value


def research_of(taken: ChatTaken) -> ResearchTaken:
    """Return what a chat asks for: its last message is the question, what came before is told as wishes.

    Raises `InputError` where the last message is not a person's, or holds more than text,
    `RequestValidationError` for wishes that do not fit.
    """
    strategy = strategy_of(taken.model)
    last = taken.messages[-1]
    if last.role != "user":
        raise InputError("the last message must be the user's: it is the question")
    wishes = dict(taken.leadline or {})
    if wishes.get("approve") or wishes.get("clarify"):
        raise InputError("nobody can be asked back in a chat completion: use `POST /v1/research` for that")
    earlier = _earlier(taken.messages[:-1])
    given = "\n\n".join(filter(None, (earlier, str(wishes.pop("instructions", "") or ""))))
    if given:
        wishes["instructions"] = given
    body = {"strategy": strategy, **wishes, "question": _text(last)}
    try:
        return ResearchTaken.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error


def _earlier(messages: Sequence[ChatMessage]) -> str:
    """Return what came before the question, the latest of it where it is long."""
    system = [_text(one) for one in messages if one.role in {"system", "developer"}]
    turns = [f"{one.role}: {_text(one)}" for one in messages if one.role in {"user", "assistant"} and _text(one)]
    talk = "\n\n".join(turns)[-_MOST_EARLIER // 2 :]
    told = f"Earlier in this conversation:\n\n{talk}" if talk else ""
    return "\n\n".join(filter(None, ("\n\n".join(system)[: _MOST_EARLIER // 2], told)))


def _text(message: ChatMessage) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    kinds = {part.get("type") for part in message.content}
    if kinds - {"text"}:
        raise InputError("only text is taken: put documents into a corpus and name it in `leadline.corpora`")
    return "\n".join(str(part.get("text", "")) for part in message.content)


def told(event: Event, language: str) -> str:
    """Return a line about what a run does, for who watches it; empty for what is of no interest."""
    words = _WORDS.get(language, _WORDS["en"])
    match event:
        case RunStarted():
            return f"{words['strategy']}: {event.options.strategy.value}\n"
        case PlanMade():
            steps = "".join(f"- {_line(step.text)}\n" for step in event.plan.steps)
            return f"{words['plan']}:\n{steps}"
        case ToolAsked():
            shown = next((_said(event.arguments[key], key) for key in _SHOWN if key in event.arguments), "")
            return f"{words.get(event.tool, event.tool)}: {shown}\n"
        case ToolAnswered() if event.failure is not None:
            return f"{event.tool} ({words['failed']}): {_line(event.failure.message)}\n"
        case _:
            return ""


def _said(value: Json, key: str) -> str:
    """Return what a call is about, documents by the names that a person knows."""
    items = queries_told(value) if key == "query" else value if isinstance(value, list) else [value]
    return _line("; ".join(readable(str(item)) if _ADDRESS.match(str(item)) else str(item) for item in items))


def _line(text: str) -> str:
    return visible(squeeze(text, limit=_MOST_LINE))


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return what a run used, as the API calls it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def details_of(report: Report) -> dict[str, Any]:
    """Return what a report knows beyond its text: each numbered citation with its quote, each claim's verdict."""
    numbers = Numbers(report)
    citations = [
        {
            "number": numbered.number,
            "title": name(source),
            "uri": address(source) if linkable(address(source)) else source.uri,
            "quote": numbered.citation.quote,
            "source_id": source.id,
        }
        for source in report.sources
        for numbered in numbers.in_source(source.id)
    ]
    verdicts = [{"claim": claim.text, "verdict": claim.verdict.value} for claim in report.claims]
    return {
        "run_id": report.run_id,
        "stop_reason": report.stop_reason,
        "citations": sorted(citations, key=_number),
        "claims": verdicts,
    }


def _number(citation: Mapping[str, Any]) -> int:
    number: int = citation["number"]
    return number
