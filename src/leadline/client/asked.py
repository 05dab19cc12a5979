"""What is asked of a service, as its body takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from leadline.domain import Json

_BUDGET: Final = frozenset({"steps", "tokens", "seconds", "usd"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A question and how it is to be researched; what is left out is as the service has it set.

    `corpora` are ids of the tenant's documents, `continues` a run whose evidence is at hand,
    `servers` tool servers of the service's settings. Of waiting runs those with more `priority` (-10
    to 10) go first; above 0 it takes an admin of the tenants that run the service. `steps`,
    `tokens`, `seconds` and `usd` are its budget.
    """

    question: str
    language: Literal["en", "zh"] | None = None
    strategy: str = "auto"
    policy: Literal["mark", "drop", "research"] | None = None
    length: Literal["short", "normal", "long"] | None = None
    steps: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None
    web: bool | None = None
    scholar: bool | None = None
    python: bool | None = None
    corpora: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    continues: str | None = None
    instructions: str | None = None
    json_schema: Mapping[str, Json] | None = None
    researchers: int | None = None
    servers: tuple[str, ...] = ()
    priority: int = 0
    approve: bool = False
    clarify: bool = False

    def body(self) -> dict[str, Any]:
        """Return the JSON body: what differs from leaving it out."""
        given = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        budget = {name: given.pop(name) for name in _BUDGET & set(given)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return {**plain, **({"budget": budget} if budget else {})}
