"""What happened in a run, in the past tense: one frozen class each.

Events are the journal's rows, the server-sent events, and what metrics, logs and traces read.
`type` is the name on the wire. `ENGINE` versions their meaning: a worker goes on only with runs of
a version that it declares compatible.

A call has an intent (`ModelAsked`, `ToolAsked`) and an outcome (`ModelAnswered`,
`ToolAnswered`); its id is `branch/round/kind/index`, so that resume and replay find it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from leadline.codec import build
from leadline.domain import (
    Excerpt,
    Failure,
    Flag,
    Json,
    ModelAnswer,
    Options,
    Origin,
    Plan,
    Question,
    RunState,
    Source,
    StopReason,
    Tally,
    Usage,
)

ENGINE = "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """A worker took the run up for the first time."""

    type: ClassVar[str] = "run_started"
    question: Question
    options: Options
    seed: int
    engine: str
    software: str = ""
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunWaiting:
    """The run waits for a person: `reason` says for what.

    `asks` is `{"for": "plan", "plan": [sub-question, ...]}` or `{"for": "question", "question": text}`.
    """

    type: ClassVar[str] = "run_waiting"
    reason: str
    asks: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanMade:
    """A strategy decided what to find out."""

    type: ClassVar[str] = "plan_made"
    plan: Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAsked:
    """A request to a model is about to be sent; `reserved` is what it may cost at most."""

    type: ClassVar[str] = "model_asked"
    call: str
    model: str
    request: str
    purpose: str
    reserved: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswered:
    """A model answered, or failed for good; exactly one of `answer` and `failure` is set."""

    type: ClassVar[str] = "model_answered"
    call: str
    answer: ModelAnswer | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolAsked:
    """A tool is about to be called; `request` hashes name and arguments."""

    type: ClassVar[str] = "tool_asked"
    call: str
    tool: str
    arguments: dict[str, Json]
    request: str
    idempotent: bool = True
    reserved: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolAnswered:
    """A tool gave a value, or failed.

    `sources` are ids of sources that this call brought, in order; each has a `SourceStored`
    before it in the same append.
    """

    type: ClassVar[str] = "tool_answered"
    call: str
    tool: str
    value: Json = None
    sources: tuple[str, ...] = ()
    shown: tuple[Excerpt, ...] = ()
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceStored:
    """A source's stored text and raw bytes lie in the blob store."""

    type: ClassVar[str] = "source_stored"
    call: str
    source: Source


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextFolded:
    """A transcript was folded to fit the window: tokens before and after, estimated."""

    type: ClassVar[str] = "context_folded"
    round: int
    before: int
    after: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FlagSeen:
    """A branch took notice of a person's wish at the start of a round."""

    type: ClassVar[str] = "flag_seen"
    round: int
    flag: Flag


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimChecked:
    """A claim of the draft has its verdict."""

    type: ClassVar[str] = "claim_checked"
    claim: str
    verdict: str
    decided_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunHandedOver:
    """A worker gave the run back, whole, for another to go on (drain)."""

    type: ClassVar[str] = "run_handed_over"
    owner: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResumed:
    """A worker took up a run that another had begun. `attempt` counts expired leases.

    `reply` is what a person answered a run that waited, in the first resumption after it.
    """

    type: ClassVar[str] = "run_resumed"
    owner: str
    attempt: int
    engine: str
    reply: dict[str, Json] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """The run ended; nothing follows. `report` is the hash of the report JSON's blob.

    `changes` counts what changed since the run that it went on with, where that was asked the same.
    """

    type: ClassVar[str] = "run_finished"
    state: RunState
    stop_reason: StopReason
    report: str | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    changes: Tally | None = None


Event: TypeAlias = (
    RunStarted
    | RunWaiting
    | PlanMade
    | ModelAsked
    | ModelAnswered
    | ToolAsked
    | ToolAnswered
    | SourceStored
    | ContextFolded
    | FlagSeen
    | ClaimChecked
    | RunHandedOver
    | RunResumed
    | RunFinished
)

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        cls.type: cls
        for cls in (
            RunStarted,
            RunWaiting,
            PlanMade,
            ModelAsked,
            ModelAnswered,
            ToolAsked,
            ToolAnswered,
            SourceStored,
            ContextFolded,
            FlagSeen,
            ClaimChecked,
            RunHandedOver,
            RunResumed,
            RunFinished,
        )
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An event as the journal holds it.

    `seq` counts from 1 within a run without gaps; `at` is Unix time in seconds; `branch` names
    the part of the run that it belongs to (`""` for the run itself).
    """

    seq: int
    at: float
    branch: str
    event: Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An event on its way into the journal: a record that has no `seq` yet."""

    at: float
    branch: str
    event: Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Live text of a model as it streams: never stored, has no number.

    `kind` is `text`, `reasoning` or `status`.
    """

    run_id: str
    branch: str
    kind: str
    text: str


def event_from(type_name: str, body: object) -> Event:
    """Return the event that a stored type and parsed JSON body describe.

    Raises `ValueError` for an unknown type or a body of another shape.
    """
    cls = EVENTS.get(type_name)
    if cls is None:
        raise ValueError(f"unknown event type: {type_name}")
    event: Event = build(cls, body)
    return event
