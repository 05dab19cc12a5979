"""What the service takes and gives of schedules, webhooks, links and secrets."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, SecretStr, StringConstraints

from leadline.service.shapes import Given, Line, ResearchTaken, RunStateName, Taken, Url

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
EventName: TypeAlias = Literal["run_started", "plan_proposed", "question_asked", "run_finished"]


class ScheduleTaken(ResearchTaken):
    """A question that is to be asked again and again, with the options of each of its runs."""

    name: Name
    when: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="Such as `every Monday 08:00`, `every 6 hours`, or five fields of cron: `0 8 * * 1`."
    )
    zone: Line = Field(default="UTC", description="Whose local time, such as `Europe/Berlin`.")


class ScheduleChanged(Taken):
    """Whether a schedule rests."""

    paused: bool


class ScheduleShown(Given):
    """A schedule. Times are UTC, ISO 8601."""

    id: str
    name: str
    question: str
    options: dict[str, Any] = Field(description="As a request for research has them.")
    when: str
    zone: str
    created_at: str
    made_by: str
    next_at: str | None = Field(description="When it is asked next; null while it is paused.")
    reason: str | None = Field(
        description="Why it was paused where nobody asked for that, or why a run that is due could not be started yet."
    )
    last_at: str | None = Field(description="The moment that the last run stands for.")
    last_run: str | None
    last_state: RunStateName | None = Field(
        description="What became of the last run; null where there was none or it is deleted."
    )


class WebhookTaken(Taken):
    """An address that wants to be told."""

    url: Url = Field(description="`https://` or `http://`; addresses inside the service's own network are refused.")
    events: Annotated[list[EventName], Field(min_length=1, max_length=4)]


class WebhookShown(Given):
    """A webhook without its secret. Times are UTC, ISO 8601."""

    id: str
    url: str
    events: list[str]
    created_at: str
    made_by: str


class WebhookMade(Given):
    """A webhook that was just made."""

    webhook: WebhookShown
    secret: str = Field(description="What deliveries are signed with (Standard Webhooks). It is shown this once.")


class DeliveryShown(Given):
    """An event for a webhook, and what became of it. Times are UTC, ISO 8601."""

    id: str = Field(description="The `webhook-id` that it is sent with, each time.")
    event: str
    run_id: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    created_at: str
    next_at: str | None = Field(description="When it is sent next; null where that is over.")
    status: int | None = Field(description="The HTTP status of the last answer.")
    problem: str


class ShareTaken(Taken):
    """A link to be made."""

    days: Annotated[int, Field(ge=1, le=365)] = Field(default=30, description="Days for which it opens the report.")


class ShareShown(Given):
    """A read-only link, without its token. Times are UTC, ISO 8601."""

    id: str
    run_id: str
    created_at: str
    made_by: str
    expires_at: str | None
    revoked_at: str | None


class ShareMade(ShareShown):
    """A link that was just made."""

    token: str = Field(description="What is sent as `X-Leadline-Share`. It is shown this once.")


class ExportLink(Given):
    """Where an export can be fetched without a key, until a time (UTC, ISO 8601)."""

    url: str
    expires_at: str


class SecretTaken(Taken):
    """A tenant's own key at a provider."""

    value: Annotated[SecretStr, Field(min_length=1, max_length=2_000)] = Field(
        description="The key; several that are taken in turn stand on lines of their own. It is never shown again."
    )


class SecretShown(Given):
    """A tenant's own key at a provider, without the key. Times are UTC, ISO 8601."""

    name: str
    key_id: str = Field(description="Which of the operator's keys it is encrypted with.")
    updated_at: str
    used: bool = Field(description="Whether this service asks the provider at all; else the key rests until it does.")
