"""What a model may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from leadline.domain import (
    Json,
    Options,
    ToolCall,
    ToolResult,
    ToolSpec,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallContext:
    """What a tool may know of the run that calls it.

    `deadline` is in seconds from now. `goal` is what the run wants to know, for choosing passages.
    `known` are the addresses of the web that results of this branch have offered; `private` is text
    of its own documents that results have shown; `told` is what each external server itself said, by its
    name. All follow from recorded outcomes alone.
    `refused` maps addresses and queries of the call that must not go out to the reason; it is the
    gateway's to fill and the tool's to obey.
    """

    run_id: str
    tenant: str
    deadline: float
    goal: str
    language: str
    options: Options
    known: frozenset[str] = frozenset()
    private: tuple[str, ...] = ()
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """Something that a model may call."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and argument schema, as offered to a model."""
        ...

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """Do it. Raises `ToolFailed` where the model may adapt, `ToolStop` where the run must end."""
        ...

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text of a result for a model; pure, from the recorded value.

        `texts` maps the ids of the sources that the value names to their stored texts.
        """
        ...


class Tools(Protocol):
    """The tools of one run, behind argument checks and time limits."""

    def specs(self) -> Sequence[ToolSpec]:
        """Return what may be called, in a fixed order."""
        ...

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Check the arguments and do it. Raises `ToolFailed` (also for an unknown tool), `ToolStop`."""
        ...

    def render(self, name: str, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text form of a recorded value; see `Tool.render`."""
        ...
