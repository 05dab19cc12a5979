"""A typed client of a remote service.

    from leadline.client import Client

    with Client("https://research.example.org", key="ll_...") as client:
        report = client.research("When did the dive take place?", web=True)

`AsyncClient` is the same for asynchronous code. Both retry what may safely be tried again, go on
with a stream where it broke off, and raise the errors of `leadline.errors`.
"""

from leadline.client.aio import AsyncClient
from leadline.client.asked import Ask
from leadline.client.shapes import KeyView, MadeKey, RunsPage, RunView, SourceText, Span
from leadline.client.sync import Client

__all__ = ["Ask", "AsyncClient", "Client", "KeyView", "MadeKey", "RunView", "RunsPage", "SourceText", "Span"]
