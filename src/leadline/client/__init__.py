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
from leadline.client.shapes import (
    CorpusView,
    DocumentView,
    KeyView,
    MadeKey,
    RunsPage,
    RunView,
    SourceText,
    Span,
    Synced,
)
from leadline.client.sync import Client, Corpora

__all__ = [
    "Ask",
    "AsyncClient",
    "AsyncCorpora",
    "Client",
    "Corpora",
    "CorpusView",
    "DocumentView",
    "KeyView",
    "MadeKey",
    "RunView",
    "RunsPage",
    "SourceText",
    "Span",
    "Synced",
]
