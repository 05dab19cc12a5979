"""What a run's events amount to for a person: counts that grow, and lines worth telling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Final
from urllib.parse import unquote, urlsplit

from leadline.domain import Budget, Flag, Json, Verdict
from leadline.errors import ToolMissing
from leadline.events import (
    ClaimChecked,
    ContextFolded,
    Event,
    FlagSeen,
    ModelAnswered,
    ModelAsked,
    PlanMade,
    Progress,
    Record,
    RunFinished,
    RunHandedOver,
    RunResumed,
    RunStarted,
    RunWaiting,
    SourceStored,
    ToolAnswered,
    ToolAsked,
)
from leadline.telling.queries import queries_told

GATHER: Final = "gather"
_LONGEST: Final = 160


@dataclass(slots=True)
class Story:
    """A run as told so far; `doing` is what it does now, `steps` are its rounds of gathering."""

    run_id: str
    doing: str = "starting"
    question: str = ""
    budget: Budget = field(default_factory=Budget)
    began_at: float = 0.0
    last_at: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    model_calls: int = 0
    tool_calls: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    ended: RunFinished | None = None
    _rounds: set[tuple[str, str]] = field(default_factory=set)
    _sources: set[str] = field(default_factory=set)

    @property
    def steps(self) -> int:
        """Rounds of gathering begun."""
        return len(self._rounds)

    @property
    def sources(self) -> int:
        """Sources found, each counted once."""
        return len(self._sources)

    @property
    def seconds(self) -> float:
        """Seconds between the first and the latest event."""
        return max(0.0, self.last_at - self.began_at)

    def take(self, item: Record | Progress) -> tuple[str, ...]:
        """Take what happened; return the lines that a person wants to read, mostly none or one."""
        if isinstance(item, Progress):
            if item.kind == "status":
                self.doing = brief(item.text)
            return ()
        self.began_at = self.began_at or item.at
        self.last_at = max(self.last_at, item.at)
        return _tell(item.event, self, item)

    def summary(self) -> str:
        """Return what was done and what it cost, in one line."""
        parts = [
            f"{plural(self.steps, 'step')}",
            f"{plural(self.sources, 'source')}",
            clock(self.seconds),
        ]
        if self.model_calls:
            parts.append(f"{self.tokens:,} tokens")
        if self.usd:
            parts.append(money(self.usd))
        if self.verdicts:
            parts.append(self.checked())
        return " · ".join(parts)

    def checked(self) -> str:
        """Return the claims checked so far by verdict, best first."""
        told = [f"{self.verdicts[v.value]} {v.value}" for v in Verdict if self.verdicts[v.value]]
        return f"{plural(sum(self.verdicts.values()), 'claim')} checked: {', '.join(told)}"

    def round_of(self, record: Record, call: str) -> None:
        """Count the round that a call of gathering belongs to."""
        parts = call.rsplit("/", 3)
        if len(parts) == 4:
            self._rounds.add((record.branch, parts[1]))

    def source(self, source_id: str) -> bool:
        """Count a source; return whether it is new."""
        known = source_id in self._sources
        self._sources.add(source_id)
        return not known


@singledispatch
def _tell(_event: Event, _story: Story, _record: Record) -> tuple[str, ...]:
    """Take an event into the story and return the lines it is worth."""
    return ()


@_tell.register
def _started(event: RunStarted, story: Story, _record: Record) -> tuple[str, ...]:
    story.question = event.question.text
    story.budget = event.options.budget
    model = event.options.model
    why = f", {event.options.strategy}: {event.options.chosen}" if event.options.chosen else ""
    return (f"run {story.run_id}: " + (f"model {model}" if model else "without a model") + why,)


@_tell.register
def _planned(event: PlanMade, story: Story, _record: Record) -> tuple[str, ...]:
    story.doing = "planning"
    return tuple(f"plan {n}: {brief(s.text)}" for n, s in enumerate(event.plan.steps, 1))


@_tell.register
def _model_asked(event: ModelAsked, story: Story, record: Record) -> tuple[str, ...]:
    before = story.doing
    if event.purpose == GATHER:
        story.round_of(record, event.call)
        story.doing = "thinking"
        return ()
    story.doing = event.purpose
    return () if before == story.doing else (f"model: {event.purpose}",)


@_tell.register
def _model_answered(event: ModelAnswered, story: Story, _record: Record) -> tuple[str, ...]:
    story.model_calls += 1
    story.tokens += event.usage.tokens
    story.usd += event.usage.cost_usd
    if event.failure is not None:
        return (f"the model failed: {brief(event.failure.message)}",)
    return ()


@_tell.register
def _tool_asked(event: ToolAsked, story: Story, record: Record) -> tuple[str, ...]:
    story.round_of(record, event.call)
    story.tool_calls[event.tool] += 1
    story.doing = activity(event.tool, event.arguments)
    return (story.doing,)


@_tell.register
def _tool_answered(event: ToolAnswered, story: Story, _record: Record) -> tuple[str, ...]:
    story.usd += event.usage.cost_usd
    story.tokens += event.usage.tokens
    if event.failure is not None and event.failure.code != ToolMissing.code:  # that is told once, by itself
        return (f"{event.tool} failed: {brief(event.failure.message)}",)
    return ()


@_tell.register
def _stored(event: SourceStored, story: Story, _record: Record) -> tuple[str, ...]:
    if not story.source(event.source.id):
        return ()
    title = event.source.title or last_part(event.source.uri)
    return (f"found: {brief(title)} ({event.source.chars:,} characters)",)


@_tell.register
def _folded(event: ContextFolded, _story: Story, _record: Record) -> tuple[str, ...]:
    return (f"folded the transcript: {event.before:,} to {event.after:,} tokens",)


@_tell.register
def _flagged(event: FlagSeen, story: Story, _record: Record) -> tuple[str, ...]:
    finishing = event.flag is Flag.FINISH
    story.doing = "writing what there is" if finishing else "stopping"
    return (story.doing,)


@_tell.register
def _checked(event: ClaimChecked, story: Story, _record: Record) -> tuple[str, ...]:
    story.verdicts[event.verdict] += 1
    story.doing = "checking claims"
    return ()


@_tell.register
def _waiting(event: RunWaiting, story: Story, _record: Record) -> tuple[str, ...]:
    story.doing = f"waiting: {brief(event.reason)}"
    return (story.doing,)


@_tell.register
def _handed_over(event: RunHandedOver, _story: Story, _record: Record) -> tuple[str, ...]:
    return (f"handed over: {brief(event.reason)}",)


@_tell.register
def _resumed(event: RunResumed, _story: Story, _record: Record) -> tuple[str, ...]:
    return ("a person answered",) if event.reply is not None else (f"taken up again, attempt {event.attempt + 1}",)


@_tell.register
def _finished(event: RunFinished, story: Story, _record: Record) -> tuple[str, ...]:
    story.ended = event
    story.usd = event.usage.cost_usd or story.usd
    story.doing = event.stop_reason.value.replace("_", " ")
    return (f"{story.doing}: {story.summary()}",)


def activity(tool: str, arguments: Mapping[str, Json]) -> str:
    """Return what a tool call does, in a few words: `searching: cache invalidation`."""
    if "query" in arguments or "queries" in arguments:
        return f"searching: {_listed(queries_told(arguments.get('query', arguments.get('queries'))))}"
    if "url" in arguments or "urls" in arguments:
        addresses = arguments.get("url", arguments.get("urls"))
        names = addresses if isinstance(addresses, list) else [addresses]
        return f"reading: {_listed([last_part(str(name)) for name in names])}"
    return "computing" if "code" in arguments else f"calling: {tool}"


def last_part(uri: str) -> str:
    """Return the part of an address that a person knows it by."""
    parts = urlsplit(uri)
    name = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return name or parts.netloc or uri


def brief(text: str) -> str:
    """Return text as one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def plural(count: int, noun: str) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def clock(seconds: float) -> str:
    """Return `0:42`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money(usd: float) -> str:
    """Return US dollars, with digits enough to see small sums."""
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def _listed(items: Sequence[str]) -> str:
    """Return items in one line of bounded length; what does not fit is counted, no item but the first is cut."""
    whole = [" ".join(item.split()) for item in items]
    shown = whole[:1]
    for item in whole[1:]:
        if len("; ".join([*shown, item])) > _LONGEST:
            break
        shown.append(item)
    more = f"; {len(whole) - len(shown)} more" if len(whole) > len(shown) else ""
    return brief("; ".join(shown)) + more
