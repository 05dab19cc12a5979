"""The nouns of a research run: frozen values, equal by content, free of behaviour that needs the outside.

Order of reading: what is asked (`Question`, `Options`, `Budget`), what is done (`Message`,
`ToolCall`, `Outcome`), what is found (`Source`, `Excerpt`), what is told (`Draft`, `Claim`,
`Report`), and the run itself (`RunState`, `StopReason`, `Usage`).

All offsets count Unicode code points of a source's stored text; `end` is exclusive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value as JSON has it; what tools exchange with models is JSON by nature."""

REPORT_SCHEMA = "leadline.report/1"


# --- what is asked ---------------------------------------------------------------------------


class StrategyName(StrEnum):
    """How evidence is gathered."""

    AUTO = "auto"  # react with a model, extractive without
    EXTRACTIVE = "extractive"  # no model: search, read, rank, quote
    REACT = "react"  # think, act, observe


class Policy(StrEnum):
    """What happens to a claim that its evidence does not support."""

    MARK = "mark"  # shown, and marked
    DROP = "drop"  # left out, and counted
    RESEARCH = "research"  # one more round of gathering for it, then marked


class Length(StrEnum):
    """How long a report should be."""

    SHORT = "short"
    NORMAL = "normal"
    LONG = "long"


class Dialect(StrEnum):
    """How tools are offered to a model and its calls are written."""

    NATIVE = "native"  # the server's own tool calls; text tags are understood as well
    TAGS = "tags"  # <tool_call>{json}</tool_call> in text, tools described in the system prompt
    TONGYI = "tongyi"  # the published message format of Tongyi DeepResearch


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked. `language` (`en`, `zh`) is the language of the report."""

    text: str
    language: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Limits of a run; `None` is no limit.

    `steps` are rounds (one model turn, or one search wave without a model), `tokens` count prompt
    and completion, `seconds` count only while a worker holds the run, `usd` is US dollars.
    """

    steps: int | None = 50
    tokens: int | None = 1_000_000
    seconds: float | None = 1800.0
    usd: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Everything about a run that may change its course; recorded with it and used again on resume.

    `corpora` are ids of document indexes. `web` allows the open web. `urls`, `sites`, `exclude`
    and `since` (ISO date) narrow it. `model` is the model's name at the server, `None` without
    one. `window` is the model's context in tokens; 0 is asked of its servers at the start. `ledger_of` names an earlier run whose
    evidence is at hand from the start.
    """

    strategy: StrategyName = StrategyName.AUTO
    policy: Policy = Policy.MARK
    length: Length = Length.NORMAL
    budget: Budget = field(default_factory=Budget)
    corpora: tuple[str, ...] = ()
    web: bool = False
    urls: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    ledger_of: str | None = None
    model: str | None = None
    judge: str | None = None
    dialect: Dialect = Dialect.NATIVE
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 8192
    window: int = 32_768
    price: Price | None = None
    judge_price: Price | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """US dollars per million tokens; `cached` is what a prompt token from the server's cache costs."""

    prompt: float
    completion: float
    cached: float | None = None


# --- what is done ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What something cost: model calls, tokens, US dollars, seconds held, tool calls by name."""

    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    tool_calls: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        tools = dict(self.tool_calls)
        for name, count in other.tool_calls.items():
            tools[name] = tools.get(name, 0) + count
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            seconds=self.seconds + other.seconds,
            tool_calls=tools,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSpec:
    """A tool as it is offered to a model.

    `parameters` is a JSON schema (2020-12) of the arguments object. A call of a tool that is not
    `idempotent` is never issued twice: after a crash its outcome is unknown.
    """

    name: str
    description: str
    parameters: Mapping[str, Json]
    idempotent: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call that a model, or a strategy without one, asks for. `id` is the model's own or derived."""

    name: str
    arguments: Mapping[str, Json]
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a conversation with a model.

    `opaque` holds provider blocks (signed thinking and the like) that must go back byte for byte.
    `call_id` names the call that a `tool` message answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    opaque: Json = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """Everything that is sent to a model but the address and the key.

    `schema` asks for a JSON answer of that JSON schema. `seed` makes sampling repeatable where
    the server can.
    """

    messages: tuple[Message, ...]
    model: str
    tools: tuple[ToolSpec, ...] = ()
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 8192
    stop: tuple[str, ...] = ()
    seed: int | None = None
    schema: Mapping[str, Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """What a model answered; `text` is without its `reasoning`.

    `finish` is the server's finish reason: `stop`, `length`, `tool_calls` or its own word.
    """

    text: str
    finish: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    opaque: Json = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A typed failure of a call, as recorded: an error's `code` and a message fit for a model.

    Codes of errors are in `errors`; `interrupted` (a flag came), `unknown_outcome` (a call that
    is not idempotent was in flight when its worker died) and `deadline` are the recorder's own.
    """

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A source with its stored text and, where they may travel, the raw bytes it was made from."""

    source: Source
    text: str
    raw: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What a tool gave: a JSON value that names sources by id, and the sources themselves.

    The text that a model sees is derived from `value` by the tool's own versioned `render`;
    `shown` are the spans of stored text that it shows: what a report may cite first.
    """

    value: Json
    sources: tuple[Fetched, ...] = ()
    shown: tuple[Excerpt, ...] = ()
    cost_usd: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One entry of a research plan: a sub-question, and what was found for it."""

    text: str
    done: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a strategy means to find out, in order."""

    steps: tuple[Step, ...]


# --- what is found ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """From `start` on, the stored text lies at `label` (`page 12`, `heading: Installation`)."""

    start: int
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A document or page as it was stored.

    `id` derives from `sha256`, the hash of the stored text (UTF-8); `raw_sha256` is that of the
    bytes it was extracted from by `extractor` (name/version). `also` are further addresses of the
    same text. `fetched_at` is UTC, ISO 8601. `marks` are locators, by start.
    """

    id: str
    uri: str
    sha256: str
    raw_sha256: str
    extractor: str
    content_type: str
    chars: int
    title: str = ""
    authors: tuple[str, ...] = ()
    published: str | None = None
    language: str | None = None
    fetched_at: str = ""
    final_uri: str | None = None
    provider: str = ""
    truncated: bool = False
    also: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """A span of a source's stored text; `id` derives from source and span."""

    id: str
    source_id: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One search result. `uri` can be visited; `score` orders hits of one reply only."""

    uri: str
    title: str
    snippet: str
    provider: str
    rank: int
    score: float = 0.0
    published: str | None = None


# --- what is told ----------------------------------------------------------------------------


class Verdict(StrEnum):
    """How a claim stands against the excerpts it cites."""

    SUPPORTED = "supported"
    PARTIAL = "partial"  # some of it stands
    CONTRADICTED = "contradicted"  # the evidence says otherwise
    UNSUPPORTED = "unsupported"  # the evidence does not say it
    UNCHECKED = "unchecked"  # no evidence named, or no budget left to look


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftSentence:
    """A sentence as a writer gave it: its text without markers, and the excerpts it names.

    `quotes` are passages that the writer put in quotation marks as verbatim. `claims` is false
    for sentences that assert nothing (transitions, statements of what was not found).
    """

    text: str
    excerpt_ids: tuple[str, ...] = ()
    claims: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftSection:
    """A titled part of a draft; the title may be empty."""

    title: str
    sentences: tuple[DraftSentence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a writer made of the ledger: the direct answer first, then sections.

    `written_by` is a model's name, or `extractive`. `unknown_ids` counts ids that the writer
    named and the ledger does not know.
    """

    answer: tuple[DraftSentence, ...]
    sections: tuple[DraftSection, ...]
    written_by: str
    unknown_ids: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """The evidence of a claim: the exact span `quote == text[start:end]` of a source's stored text."""

    source_id: str
    quote: str
    start: int
    end: int
    locator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checks:
    """How a verdict came about.

    `decided_by`: `quote` (the claim is its quote), `values` (numbers, dates, names, negation),
    `words`, `judge`, `none`. `bound_by`: `writer` (it named the excerpt), `retrieval`, `none`.
    `reasons` are short and fit for a reader.
    """

    decided_by: str
    bound_by: str
    reasons: tuple[str, ...] = ()
    score: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A sentence of the report that asserts something, with its evidence and verdict."""

    id: str
    text: str
    verdict: Verdict
    checks: Checks
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A sentence of the report; `claim_id` is `None` where it asserts nothing."""

    text: str
    claim_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A titled part of the report."""

    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contradiction:
    """Two pieces of evidence that cannot both be right about `about`."""

    about: str
    sides: tuple[Citation, Citation]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a run, schema `leadline.report/1`; the same for every writer and strategy.

    `answer` is the direct answer's text, empty where none can be given; `answer_claims` are the
    ids of its claims. `unexamined` names open sub-questions, unread hits and failed sources.
    `notes` tell the reader what to know about how the report was made.
    """

    run_id: str
    question: str
    language: str
    strategy: str
    stop_reason: str
    created_at: str
    answer: str
    answer_claims: tuple[str, ...]
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]
    sources: tuple[Source, ...]
    contradictions: tuple[Contradiction, ...] = ()
    unexamined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    models: tuple[str, ...] = ()
    schema: str = REPORT_SCHEMA


# --- the run ---------------------------------------------------------------------------------


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a person
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True for a state that nothing follows."""
        return self in {RunState.DONE, RunState.FAILED, RunState.CANCELLED}


class StopReason(StrEnum):
    """Why a run ended."""

    ANSWERED = "answered"
    NOTHING_FOUND = "nothing_found"
    STEPS = "steps"
    TOKENS = "tokens"
    MONEY = "money"
    DEADLINE = "deadline"
    FINISHED_EARLY = "finished_early"  # a person asked for the report now
    CANCELLED = "cancelled"
    ERROR = "error"
    ATTEMPTS = "attempts"  # its worker died too often


class Flag(StrEnum):
    """A wish of a person about a run that is under way."""

    FINISH = "finish"  # stop gathering, write now
    CANCEL = "cancel"  # stop


# --- derived ids -----------------------------------------------------------------------------


def sha256(data: bytes) -> str:
    """Return the lower-case hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def source_id(text_sha256: str) -> str:
    """Return the id of the source whose stored text has this hash."""
    return "s" + text_sha256[:16]


def excerpt_id(source: str, start: int, end: int) -> str:
    """Return the id of the excerpt `text[start:end]` of a source."""
    return "e" + hashlib.blake2b(f"{source}:{start}:{end}".encode(), digest_size=8).hexdigest()


def claim_id(index: int, text: str, citations: Sequence[Citation]) -> str:
    """Return the id of the `index`-th claim of a report, bound to its text and evidence."""
    spans = "|".join(f"{c.source_id}:{c.start}:{c.end}" for c in citations)
    return "c" + hashlib.blake2b(f"{index}:{text}:{spans}".encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
