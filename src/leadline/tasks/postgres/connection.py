"""What is used of asyncpg's connections, which come without types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Mapping[str, Any]


class Connection(Protocol):
    """An open connection; each method is one round trip. Raises what `faults.FAILURES` names."""

    async def execute(self, query: str, *arguments: object) -> str:
        """Carry a statement out and return its status."""
        ...

    async def fetch(self, query: str, *arguments: object) -> list[Row]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *arguments: object) -> Row | None:
        """Return the first row."""
        ...

    async def fetchval(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 a value of any column
        """Return the first row's first value."""
        ...
