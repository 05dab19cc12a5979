"""The tools of a run, by name."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from leadline.domain import Json, ToolCall, ToolResult, ToolSpec
from leadline.errors import InvalidArguments, ToolFailed
from leadline.ports import CallContext, Tool
from leadline.text.clean import squeeze
from leadline.tools.arguments import ArgumentReader

SECONDS: Final = 60.0
_MOST_NAME: Final = 60


class _Entry(NamedTuple):
    tool: Tool
    reader: ArgumentReader
    seconds: float


class ToolSet:
    """Finds a tool by name, reads its arguments and calls it within its time.

    `seconds` limits single tools by name; others have `SECONDS`. A call never has more than what
    its context's deadline leaves.
    """

    def __init__(self, tools: Sequence[Tool], *, seconds: Mapping[str, float] | None = None) -> None:
        limits = seconds or {}
        self._tools: dict[str, _Entry] = {}
        for tool in tools:
            name = tool.spec.name
            if name in self._tools:
                raise ValueError(f"two tools are called `{name}`")
            self._tools[name] = _Entry(tool, ArgumentReader(tool.spec), limits.get(name, SECONDS))

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return the tools as they are offered to a model, in the order given."""
        return tuple(entry.tool.spec for entry in self._tools.values())

    def spec(self, name: str) -> ToolSpec:
        """Return one tool's description. Raises `InvalidArguments` for an unknown name."""
        return self._entry(name).tool.spec

    def read(self, call: ToolCall) -> ToolCall:
        """Return the call with arguments that fit. Raises `InvalidArguments`."""
        arguments = self._entry(call.name).reader.read(call.arguments)
        return replace(call, arguments=arguments)

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Do it.

        Raises `InvalidArguments` for an unknown tool or arguments that do not fit, `ToolFailed`
        also when the time is over, `ToolStop` where the run must end.
        """
        entry = self._entry(call.name)
        arguments = entry.reader.read(call.arguments)
        seconds = min(entry.seconds, context.deadline)
        if seconds <= 0:
            raise ToolFailed(f"no time is left for `{call.name}`")
        try:
            async with asyncio.timeout(seconds):
                return await entry.tool.call(arguments, replace(context, deadline=seconds))
        except TimeoutError as error:
            raise ToolFailed(f"`{call.name}` took longer than {seconds:.3g} s") from error

    def render(self, name: str, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text of a recorded result for a model; see `ports.Tool.render`."""
        return self._entry(name).tool.render(value, texts)

    def _entry(self, name: str) -> _Entry:
        entry = self._tools.get(name)
        if entry is not None:
            return entry
        known = ", ".join(f"`{known}`" for known in self._tools)
        near = difflib.get_close_matches(name[:_MOST_NAME], self._tools, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise InvalidArguments(f"there is no tool `{squeeze(name, limit=_MOST_NAME)}`; the tools are {known}{hint}")
