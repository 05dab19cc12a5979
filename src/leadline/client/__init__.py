"""A typed client of a remote service.

    from leadline.client import Client

    with Client("https://research.example.org", key="ll_...") as client:
        report = client.research("When did the dive take place?", web=True)

`AsyncClient` is the same for asynchronous code. Both retry what may safely be tried again, go on
with a stream where it broke off, and raise the errors of `leadline.errors`.
"""

from leadline.client.aio import AsyncClient
from leadline.client.asked import Ask
from leadline.client.corpora import AsyncCorpora
from leadline.client.held import AsyncSchedules, AsyncSecrets, AsyncShares, AsyncWebhooks
from leadline.client.held_sync import Schedules, Secrets, Shares, Webhooks
from leadline.client.shapes import (
    AuditPage,
    AuditView,
    CorpusView,
    DayView,
    DeliveryView,
    DocumentView,
    ExportLink,
    KeyView,
    MadeKey,
    MadeShare,
    MadeWebhook,
    RunsPage,
    RunView,
    ScheduleView,
    SecretView,
    ShareView,
    SourceText,
    Span,
    Synced,
    WebhookView,
)
from leadline.client.sync import Client, Corpora

__all__ = [
    "Ask",
    "AsyncClient",
    "AsyncCorpora",
    "AsyncSchedules",
    "AsyncSecrets",
    "AsyncShares",
    "AsyncWebhooks",
    "AuditPage",
    "AuditView",
    "Client",
    "Corpora",
    "CorpusView",
    "DayView",
    "DeliveryView",
    "DocumentView",
    "ExportLink",
    "KeyView",
    "MadeKey",
    "MadeShare",
    "MadeWebhook",
    "RunView",
    "RunsPage",
    "ScheduleView",
    "Schedules",
    "SecretView",
    "Secrets",
    "ShareView",
    "Shares",
    "SourceText",
    "Span",
    "Synced",
    "WebhookView",
    "Webhooks",
]
