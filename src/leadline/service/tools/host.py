"""What a tool's service stands on, as the service sees it; `wiring.tool_host` builds one."""

from __future__ import annotations

from typing import Protocol

from leadline.domain import Fetched
from leadline.ports import Program, Ran, Reader, Said, Search
from leadline.wire.own_keys import OwnKeys
from leadline.wire.papers import Scholar


class Host(Protocol):
    """The parts of the tools; a service of one tool uses its own."""

    async def search(self, tenant: str) -> Search:
        """Return what searches the web for a tenant."""
        ...

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages for a tenant."""
        ...

    async def library(self, tenant: str) -> Scholar:
        """Return what searches scholarly works for a tenant."""
        ...

    async def run(self, program: Program) -> Ran:
        """Run a program in the sandbox; cancelling kills it."""
        ...

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """Sum a text up for a goal. Raises as `Summarizer` does."""
        ...

    async def content(self, fetched: Fetched, goal: str, *, language: str, deadline: float) -> str:
        """Return a page as `visit` shows it to a model."""
        ...


class Holder(Host, Protocol):
    """A host whose requests may bring keys of their tenants' own."""

    def holding(self, keys: OwnKeys) -> Host:
        """Return the same parts with these keys in place of the operator's, for one request."""
        ...
