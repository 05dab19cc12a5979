"""What the service takes and gives, checked where it enters; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from leadline.ports.access import Action

Line: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Url: TypeAlias = Annotated[str, StringConstraints(min_length=8, max_length=8_000)]
ActionName: TypeAlias = Literal[tuple(action.value for action in Action)]  # type: ignore[valid-type]  # the one table
RunStateName: TypeAlias = Literal["queued", "running", "waiting", "done", "failed", "cancelled"]


class Taken(BaseModel):
    """What all bodies share: unknown fields are refused, and nothing is turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Given(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(frozen=True)


class ProblemShown(Given):
    """Why a request was not carried out (RFC 9457). `code` is stable; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str = Field(description="`urn:leadline:request:` and the id of the request, as the log names it.")
    retry_after: float | None = Field(default=None, description="Seconds after which it may succeed.")


class BudgetTaken(Taken):
    """Limits of a run; what is left out is as the service has it set."""

    steps: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="Rounds.")
    tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="Tokens, prompts and answers together."
    )
    seconds: Annotated[float, Field(gt=0, le=604_800)] | None = Field(
        default=None, description="Seconds; they count only while the run is worked on."
    )
    usd: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(default=None, description="US dollars.")


class ResearchTaken(Taken):
    """A question, and how it is to be researched."""

    question: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    language: Literal["en", "zh"] | None = Field(
        default=None, description="The language of the report; without it the question's own."
    )
    strategy: Literal["auto", "extractive", "react", "resum", "iterresearch", "plan", "heavy"] = "auto"
    policy: Literal["mark", "drop", "research"] | None = Field(
        default=None, description="What happens to a claim that its evidence does not support."
    )
    length: Literal["short", "normal", "long"] | None = None
    budget: BudgetTaken = Field(default_factory=BudgetTaken)
    web: bool | None = Field(
        default=None, description="Whether the open web is searched; without it, unless corpora or addresses are named."
    )
    scholar: bool | None = Field(default=None, description="Whether scholarly works are searched as well.")
    python: bool | None = Field(default=None, description="Whether a model may run programs in the sandbox.")
    corpora: Annotated[list[Line], Field(max_length=20)] = Field(
        default_factory=list, description="Ids of the tenant's corpora to search."
    )
    urls: Annotated[list[Url], Field(max_length=100)] = Field(
        default_factory=list, description="Addresses to read in any case."
    )
    sites: Annotated[list[Line], Field(max_length=100)] = Field(
        default_factory=list, description="Only these sites are searched."
    )
    exclude: Annotated[list[Line], Field(max_length=100)] = Field(
        default_factory=list, description="These sites are not read."
    )
    since: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = Field(
        default=None, description="Only what is at least as new as this day."
    )
    continues: Line | None = Field(default=None, description="A run whose evidence is at hand from the start.")
    instructions: Annotated[str, StringConstraints(max_length=8_000)] | None = Field(
        default=None, description="Wishes about the report."
    )
    json_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON schema in which the answer is given as well."
    )
    researchers: Annotated[int, Field(ge=2, le=8)] | None = Field(
        default=None, description="How many work side by side in `heavy`."
    )
    servers: Annotated[list[Line], Field(max_length=20)] = Field(
        default_factory=list, description="Tool servers of this service whose pinned tools the model may call."
    )
    priority: Annotated[int, Field(ge=-10, le=10)] = Field(
        default=0,
        description="Of the runs that wait for a worker those with more go first, whose ever they are. More than 0 "
        "takes an admin of the tenants that run the service.",
    )
    approve: bool = Field(default=False, description="Wait for a person after the plan.")
    clarify: bool = Field(default=False, description="A question may be asked back before the plan.")


class ReplyTaken(Taken):
    """What a person answers a run that waits: exactly one of these."""

    approve: Literal[True] | None = Field(default=None, description="The plan is good as it is.")
    plan: (
        Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=400)]], Field(min_length=1, max_length=8)
        ]
        | None
    ) = Field(default=None, description="Sub-questions in the plan's stead.")
    reject: Literal[True] | None = Field(default=None, description="The run is cancelled.")
    answer: Annotated[str, StringConstraints(max_length=4_000)] | None = Field(
        default=None, description="To a question that was asked back; may be empty."
    )


class UsageShown(Given):
    """What a run has used."""

    model_calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float
    seconds: float
    tool_calls: dict[str, int]


class FailureShown(Given):
    """Why a run failed."""

    code: str
    message: str
    retryable: bool


class RunShown(Given):
    """A run. Times are UTC, ISO 8601."""

    id: str
    state: RunStateName
    question: str
    language: str
    strategy: str
    web: bool
    corpora: list[str]
    continues: str | None
    priority: int
    created_at: str
    updated_at: str
    last_event: int = Field(description="The number of the last event.")
    flag: Literal["finish", "cancel"] | None = Field(description="A person's wish that the run has yet to take up.")
    waits_for: str | None
    asks: dict[str, Any] | None = Field(
        default=None,
        description="What a waiting run asks: `for` is `plan` or `question`. Only where one run is asked for.",
    )
    stop_reason: str | None
    failure: FailureShown | None
    has_report: bool
    usage: UsageShown


class SpanShown(Given):
    """A piece of a source's text that a claim of the report rests on; offsets in Unicode code points."""

    claim_id: str
    claim: str
    verdict: str
    start: int
    end: int
    locator: str


class SourceShown(Given):
    """A source as it was stored."""

    source: dict[str, Any] = Field(description="As in the report's `sources`, with `marks`: places by offset.")
    text: str
    spans: list[SpanShown]


class JournalShown(Given):
    """Some of a run's events."""

    items: list[dict[str, Any]] = Field(description="`seq`, `at`, `branch`, `type`, and what the type has.")
    next: int | None = Field(description="`after` of the next page; null where nothing follows yet.")


class KeyTaken(Taken):
    """A key to be made."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    role: Literal["reader", "researcher", "admin"]
    scopes: Annotated[list[ActionName], Field(max_length=50)] | None = Field(
        default=None, description="What of the role's actions it may do; without it, all of them."
    )
    expires_in_days: Annotated[float, Field(gt=0, le=3_650)] | None = None


class RotationTaken(Taken):
    """How a key is replaced."""

    grace_hours: Annotated[float, Field(ge=0, le=720)] = Field(
        default=24.0, description="Hours for which the old key is still accepted."
    )


class KeyShown(Given):
    """A key without its secret. Times are UTC, ISO 8601."""

    id: str
    name: str
    role: Literal["reader", "researcher", "admin"]
    scopes: list[str] | None
    created_at: str
    made_by: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class KeyMade(Given):
    """A key that was just made."""

    key: KeyShown
    credential: str = Field(description="What is sent as `Authorization: Bearer`. It is shown this once.")


class DayShown(Given):
    """What the tenant used on a day (UTC), and what is set aside of that day's budget."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    day: str
    runs: int
    calls: int
    tokens: int
    usd: float
    held_tokens: int
    held_usd: float


class AuditShown(Given):
    """Who did what, on which object, from where, and how it ended; never any content."""

    number: int
    at: str
    actor: str
    action: str
    kind: str
    object: str
    source: str
    outcome: Literal["done", "denied", "failed"]
    hash: str
