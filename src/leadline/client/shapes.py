"""What a service tells, as values. Times are UTC, ISO 8601, as the service writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leadline.domain import Failure, Json, RunState, Source, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """A run. `asks` is what one that waits wants to know, where it was looked at alone."""

    id: str
    state: RunState
    question: str
    language: str
    strategy: str
    created_at: str
    updated_at: str
    usage: Usage
    web: bool = False
    corpora: tuple[str, ...] = ()
    continues: str | None = None
    priority: int = 0
    last_event: int = 0
    flag: str | None = None
    waits_for: str | None = None
    asks: Mapping[str, Json] | None = None
    stop_reason: str | None = None
    failure: Failure | None = None
    has_report: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportLink:
    """Where an export can be fetched without a key until a time; whoever knows `url` may read it all."""

    url: str
    expires_at: str

    def __repr__(self) -> str:
        return f"ExportLink(url='********', expires_at={self.expires_at!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsPage:
    """Some runs, newest first; `next` is the cursor of what follows, `None` after the last."""

    items: tuple[RunView, ...]
    next: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A piece of a source's text that a claim rests on; offsets count Unicode code points."""

    claim_id: str
    claim: str
    verdict: str
    start: int
    end: int
    locator: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceText:
    """A source as it was stored, and what of it claims rest on."""

    source: Source
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyView:
    """A key without its secret."""

    id: str
    name: str
    role: str
    created_at: str
    made_by: str = ""
    scopes: tuple[str, ...] | None = None
    expires_at: str | None = None
    last_used_at: str | None = None
    revoked_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeKey:
    """A key that was just made; `credential` is told this once."""

    key: KeyView
    credential: str

    def __repr__(self) -> str:
        return f"MadeKey(key={self.key!r}, credential='********')"


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusView:
    """A set of documents at a service, and how many of its newest version are how far."""

    id: str
    name: str
    version: int
    created_at: str
    updated_at: str
    documents: int = 0
    bytes: int = 0
    queued: int = 0
    reading: int = 0
    ready: int = 0
    failed: int = 0

    @property
    def unread(self) -> int:
        """How many documents have still to be read."""
        return self.queued + self.reading


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentView:
    """A document of a corpus. `state` is `queued`, `reading`, `ready` or `failed`, then with `code` and `reason`."""

    name: str
    sha256: str
    size: int
    type: str
    added_at: str
    state: str
    characters: int | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """What bringing a corpus up to date with files did: names that were sent, that were there, that were removed.

    `refused` are names that the service does not take, with its reason.
    """

    sent: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleView:
    """A question that is asked again and again; `options` are those of its runs, as a request has them.

    `next_at` is `None` while it is paused. `reason` says why it was paused where nobody asked for
    that, or why a run that is due could not be started yet.
    """

    id: str
    name: str
    question: str
    when: str
    zone: str
    created_at: str
    made_by: str
    options: Mapping[str, Json] = field(default_factory=dict)
    next_at: str | None = None
    reason: str | None = None
    last_at: str | None = None
    last_run: str | None = None
    last_state: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookView:
    """An address that is told of events, without its secret."""

    id: str
    url: str
    events: tuple[str, ...]
    created_at: str
    made_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeWebhook:
    """A webhook that was just made; the `secret` that deliveries are signed with is told this once."""

    webhook: WebhookView
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryView:
    """An event for a webhook. `state` is `pending`, `delivered` or `failed`; `status` the last answer's."""

    id: str
    event: str
    run_id: str
    state: str
    attempts: int
    created_at: str
    next_at: str | None = None
    status: int | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareView:
    """A read-only link to a run's report, without its token."""

    id: str
    run_id: str
    created_at: str
    made_by: str
    expires_at: str | None = None
    revoked_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeShare(ShareView):
    """A link that was just made; its `token`, which is sent as `X-Leadline-Share`, is told this once."""

    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretView:
    """A key of the tenant's own at a provider, without the key.

    `key_id` names what it is encrypted with. `used` is false while the service asks no such provider.
    """

    name: str
    key_id: str
    updated_at: str
    used: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class DayView:
    """What the tenant used on a day (UTC), and what is set aside of that day's budget."""

    day: str
    runs: int
    calls: int
    tokens: int
    usd: float
    held_tokens: int
    held_usd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditView:
    """Who did what, on which object, from where, and how it ended: `done`, `denied` or `failed`."""

    number: int
    at: str
    actor: str
    action: str
    kind: str
    object: str
    source: str
    outcome: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """Some of the audit log, newest first; `next` is the cursor of what follows, `None` after the last."""

    items: tuple[AuditView, ...]
    next: str | None = None
