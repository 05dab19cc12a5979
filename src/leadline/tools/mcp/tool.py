"""One tool of an external server, as a run calls it. What it gives is a source, and as hostile as a page."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from leadline import codec
from leadline.domain import (
    Excerpt,
    Fetched,
    Json,
    Source,
    ToolResult,
    ToolSpec,
    excerpt_id,
    sha256,
    source_id,
)
from leadline.errors import ToolFailed
from leadline.ports import CallContext
from leadline.text.clean import defused, neutralise

SCHEME: Final = "mcp:"
"""What the address of a result begins with: `mcp:server/tool/hash of the arguments`."""

EXTRACTOR: Final = "mcp/1"
_SHARE: Final = 0.95


class Given(Protocol):
    """What a tool of a server gave."""

    @property
    def text(self) -> str:
        """All its text."""
        ...

    @property
    def left_out(self) -> int:
        """How many parts were no text."""
        ...

    @property
    def cut(self) -> bool:
        """Whether the text was longer than what is kept."""
        ...


Call = Callable[[ToolSpec, Mapping[str, Json], float], Awaitable[Given]]
"""Calls what is offered under this description, within so many seconds; refuses where it is another by now."""


class ExternalTool:
    """A tool as it was offered when the run began. `limit` is how many code points a model is shown."""

    def __init__(self, spec: ToolSpec, *, server: str, call: Call, now: Callable[[], float], limit: int) -> None:
        self._spec = spec
        self._server = server
        self._call = call
        self._now = now
        self._limit = limit

    @property
    def spec(self) -> ToolSpec:
        """See `ports.Tool`."""
        return self._spec

    async def call(self, arguments: Mapping[str, Json], context: CallContext) -> ToolResult:
        """See `ports.Tool`. Raises `Forbidden` where the server describes the tool otherwise than it did."""
        given = await self._call(self._spec, arguments, context.deadline * _SHARE)
        if not given.text.strip():
            return ToolResult(value={"tool": self._spec.name, "left_out": given.left_out})
        fetched = self._stored(given, arguments)
        end = min(len(given.text), self._limit)
        source = fetched.source
        return ToolResult(
            value={
                "tool": self._spec.name,
                "source_id": source.id,
                "shown": end,
                "left_out": given.left_out,
                "truncated": given.cut,
            },
            sources=(fetched,),
            shown=(Excerpt(id=excerpt_id(source.id, 0, end), source_id=source.id, start=0, end=end),),
        )

    def render(self, value: Json, texts: Mapping[str, str]) -> str:
        """Return the text of a result between marks that its server cannot foresee."""
        told: Mapping[str, Any] = value if isinstance(value, dict) else {}
        note = f"({told['left_out']} parts that are no text were left out)" if told.get("left_out") else ""
        source = told.get("source_id")
        if source is None:
            return note or "It gave nothing."
        text = texts[source]
        lines = [f"<<document {source}>>", defused(neutralise(text[: told["shown"]]))]
        if told["shown"] < len(text) or told["truncated"]:
            lines.append(f"--- shown: {told['shown']} of {len(text)} characters")
        return "\n".join(filter(None, [*lines, f"<<end of document {source}>>", note]))

    def _stored(self, given: Given, arguments: Mapping[str, Json]) -> Fetched:
        data = given.text.encode()
        digest = sha256(data)
        asked = hashlib.blake2b(codec.canonical(dict(arguments)), digest_size=8).hexdigest()
        tool = self._spec.name.removeprefix(self._server).lstrip("_")
        source = Source(
            id=source_id(digest),
            uri=f"{SCHEME}{self._server}/{tool}/{asked}",
            sha256=digest,
            raw_sha256=digest,
            extractor=EXTRACTOR,
            content_type="text/plain",
            chars=len(given.text),
            title=f"{self._server}: {tool}",
            fetched_at=datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds"),
            provider=self._server,
            truncated=given.cut,
        )
        return Fetched(source=source, text=given.text, raw=data)


async def gone(spec: ToolSpec, arguments: Mapping[str, Json], deadline: float) -> Given:
    """Stand where a server was, for a replay: what was recorded is rendered, nothing is called."""
    del arguments, deadline
    raise ToolFailed(f"there is no server behind `{spec.name}` in a replay")
