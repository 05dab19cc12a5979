"""The one path of every call of a tool: what may go out, to what still works, and how often.

In order: the arguments fit the schema; addresses have a provenance and nothing repeats private
text; the tool is not known to be down; there is room beside other calls; then the call, again
where a failure says that this may help, and all within the call's time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Final

from leadline.domain import Json, Options, ToolCall, ToolResult, ToolSpec
from leadline.errors import Forbidden, LimitReached, ToolFailed
from leadline.ports import CallContext, Clock
from leadline.resilience import Backoff, Breaker, BreakerState, Deadline, retry
from leadline.tools.addresses import is_web
from leadline.tools.leaks import PrivateText
from leadline.tools.mcp.servers import server_of
from leadline.tools.provenance import Provenance
from leadline.tools.registry import ToolSet

log = logging.getLogger("leadline.tools.gateway")

# Names of log lines; what a call holds is never in one.
REFUSED: Final = "tool_refused"
FAILED: Final = "tool_failed"
SHUT: Final = "tool_left_alone"

AT_ONCE: Final = 16
"""Calls of one tool at a time, over all runs of a process."""

PRIVATE: Final = (
    "it repeats text of the private documents, which must not leave: only general words may go out, "
    "the text itself is looked for in the documents alone"
)
BACKOFF: Final = Backoff(attempts=2, base=0.5, cap=5.0)

# These obey `CallContext.refused` themselves, so that one bad address of several costs only itself.
_OBEYS: Final[Mapping[str, str]] = {"visit": "url", "search": "query"}


@dataclass(slots=True)
class _Door:
    """What is known of one tool in this process."""

    breaker: Breaker
    slots: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class Doors:
    """The health and the room of tools by name, shared by all runs of a process.

    `rooms` are calls at a time of tools that have another number than `at_once`; `same` maps names
    that a tool has elsewhere to its own. `changed` is told a tool's name and the state of its breaker.
    """

    at_once: int = AT_ONCE
    rooms: Mapping[str, int] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    breaker: Callable[[], Breaker] = Breaker
    changed: Callable[[str, BreakerState], None] | None = None
    _doors: dict[str, _Door] = field(default_factory=dict)

    def of(self, name: str) -> _Door:
        """Return the door of a tool, made on first use."""
        name = self.same.get(name, name)
        if name not in self._doors:
            room = self.rooms.get(name, self.at_once)
            breaker = self.breaker()
            if self.changed is not None:
                breaker.changed = partial(self.changed, name)
            self._doors[name] = _Door(breaker, asyncio.Semaphore(room))
        return self._doors[name]


class Gateway:
    """`Tools` of one run.

    `confined` are tools that reach nothing outside, such as a sandbox, or only what the user gave: what
    they are given is not checked. `question` is the user's own text, which may go out. Of `clock` only the wait between
    two tries is needed.
    """

    def __init__(
        self,
        tools: ToolSet,
        *,
        options: Options,
        question: str,
        doors: Doors,
        clock: Clock,
        confined: frozenset[str] = frozenset({"python"}),
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._tools = tools
        self._question = question
        self._guarded = bool(options.web or options.urls or options.external)
        self._external = frozenset(spec.name for spec in options.external)
        self._provenance = Provenance(options, question=question)
        self._private = PrivateText()
        self._doors = doors
        self._clock = clock
        self._confined = confined
        self._backoff = backoff
        self._random = Random()  # noqa: S311 spreads retries, no secret

    def specs(self) -> Sequence[ToolSpec]:
        """See `ports.Tools`."""
        return self._tools.specs()

    def render(self, name: str, value: Json, texts: Mapping[str, str]) -> str:
        """See `ports.Tools`."""
        return self._tools.render(name, value, texts)

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """See `ports.Tools`.

        Raises `InvalidArguments`, `Forbidden` for what must not go out, `LimitReached` where the
        tool is left alone or has no room in time, and what the tool raises.
        """
        call = self._tools.read(call)
        deadline = Deadline(context.deadline)
        refused = self._refused(call, context)
        if refused:
            log.warning(REFUSED, extra={"run": context.run_id, "tool": call.name, "count": len(refused)})
            if call.name not in _OBEYS:
                raise Forbidden(next(iter(refused.values())))
        context = replace(context, refused=refused)
        tries = self._backoff if self._tools.spec(call.name).idempotent else Backoff(attempts=1)

        async def once() -> ToolResult:
            async with self._passage(call.name, deadline, context):
                return await self._tools.call(call, replace(context, deadline=deadline.left()))

        return await retry(once, backoff=tries, deadline=deadline, clock=self._clock, random=self._random)

    # -- what may go out ----------------------------------------------------------------------

    def _refused(self, call: ToolCall, context: CallContext) -> dict[str, str]:
        """Return the texts of a call that must not go out, each with the reason."""
        if not self._guarded or call.name in self._confined:
            return {}
        for passage in context.private:
            self._private.add(passage)
        wanted = _OBEYS.get(call.name)
        outgoing = _strings(call.arguments if wanted is None else call.arguments.get(wanted))
        refused: dict[str, str] = {}
        for text in outgoing:
            reason = self._reason(text, context, is_address=wanted == "url", allowed=self._allowed(call, context))
            if reason is not None:
                refused[text] = reason
        return refused

    def _allowed(self, call: ToolCall, context: CallContext) -> str:
        """Return what may go out in this call: the user's own text, and to a server what it said itself."""
        if call.name not in self._external:
            return self._question
        return "\n".join((self._question, *context.told.get(server_of(call.name), ())))

    def _reason(self, text: str, context: CallContext, *, is_address: bool, allowed: str) -> str | None:
        if is_address:
            if not is_web(text) or self._provenance.is_given(text):
                return None
            reason = self._provenance.refusal(text, context.known)
            if reason is not None:
                return reason
        return PRIVATE if self._private.repeated_in(text, allowed=allowed) else None

    # -- how it goes --------------------------------------------------------------------------

    @asynccontextmanager
    async def _passage(self, name: str, deadline: Deadline, context: CallContext) -> AsyncIterator[None]:
        """Let one call through, and learn from how it went."""
        door = self._doors.of(name)
        async with _room(door.slots, name, deadline):
            if not door.breaker.allow():
                wait = door.breaker.retry_in()
                log.warning(SHUT, extra={"run": context.run_id, "tool": name, "seconds": wait})
                raise LimitReached(f"`{name}` kept failing and is left alone for {wait:.3g} s", retry_after=wait)
            try:
                yield
            except ToolFailed as error:
                log.info(FAILED, extra={"run": context.run_id, "tool": name, "code": error.code})
                if error.retryable or isinstance(error.__cause__, TimeoutError):
                    door.breaker.failed()
                else:
                    door.breaker.succeeded()
                raise
            except BaseException:  # cancelled or broken: no verdict on the tool, and the trial is free again
                door.breaker.abandoned()
                raise
            door.breaker.succeeded()


@asynccontextmanager
async def _room(slots: asyncio.Semaphore, name: str, deadline: Deadline) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline.left()):
            await slots.acquire()
    except TimeoutError as error:
        raise LimitReached(f"`{name}` is busy with other calls", retry_after=1.0) from error
    try:
        yield
    finally:
        slots.release()


def _strings(value: object) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
