"""What is asked: the question, and everything that may change the course of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from leadline.domain.done import ToolSpec
from leadline.domain.values import Json


class StrategyName(StrEnum):
    """How evidence is gathered."""

    AUTO = "auto"  # chosen by window, question and budget; extractive without a model
    EXTRACTIVE = "extractive"  # no model: search, read, rank, quote
    REACT = "react"  # think, act, observe
    RESUM = "resum"  # react, folded to a cumulative summary when the window is nearly full
    ITERRESEARCH = "iterresearch"  # rounds of constant context around an evolving report
    PLAN = "plan"  # sub-questions side by side, then an outline and its sections
    HEAVY = "heavy"  # several researchers side by side, fused


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
class NotRead:
    """Documents of a run that gave no text when it began: how many, and of the first the reasons by name.

    `all` says that there was no other: nothing in its documents could be searched.
    """

    count: int = 0
    named: Mapping[str, str] = field(default_factory=dict)
    all: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Everything about a run that may change its course; recorded with it and used again on resume.

    `corpora` are ids of document indexes, `not_read` what these could not take. `web` allows the
    open web. `urls`, `sites`, `exclude` and `since` (ISO date) narrow it. `model` is the model's
    name at the server, `None` without one. `window` is the model's context in tokens; 0 is asked of
    its servers at the start.
    `ledger_of` names an earlier run whose evidence is at hand from the start. `python` and `scholar`
    offer those tools; with `keeps_state` programs find names and files of earlier ones.
    `instructions` are a person's wishes about the report, `schema` a JSON schema that the answer
    must also be given in. `researchers` work side by side in `heavy`. `approve` waits for a person
    after the plan, `clarify` may ask one back before it. `external` are tools of other servers, as
    they were offered when the run began. `chosen` says why `auto` became what it is.
    """

    strategy: StrategyName = StrategyName.AUTO
    policy: Policy = Policy.MARK
    length: Length = Length.NORMAL
    budget: Budget = field(default_factory=Budget)
    corpora: tuple[str, ...] = ()
    not_read: NotRead = field(default_factory=NotRead)
    web: bool = False
    urls: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    ledger_of: str | None = None
    python: bool = False
    scholar: bool = False
    keeps_state: bool = False
    instructions: str | None = None
    schema: Mapping[str, Json] | None = None
    researchers: int = 3
    approve: bool = False
    clarify: bool = False
    external: tuple[ToolSpec, ...] = ()
    chosen: str = ""
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
