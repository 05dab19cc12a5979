"""Events and signals to log lines: constant names with fields.

`task_started`, `task_step`, `tool_call`, `task_completed` and `task_error` tell a run's story. What
a person asked and what a tool was given stands in a line only with `content`; without, its length
and a hash by which equal ones are known. A failure's `error` is then its code, and its `traceback` has
frames and the kinds of errors, without their texts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from leadline import codec
from leadline.domain import Failure, Json, RunState
from leadline.events import (
    Event,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    ToolAnswered,
    ToolAsked,
)
from leadline.ports import Run
from leadline.ports.signals import (
    BreakerChanged,
    HttpAnswered,
    LimitHeld,
    LimitRefused,
    Rejected,
    RunBroke,
    RunEnded,
    RunLeft,
    RunTaken,
    Signal,
)
from leadline.telemetry.content import content_of, error_of
from leadline.telemetry.follow import Followed, Seen
from leadline.telemetry.metrics import ending_of, outcome_of, status_of
from leadline.telemetry.tracebacks import traced

log = logging.getLogger("leadline.runs")
signals_log = logging.getLogger("leadline.signals")
access_log = logging.getLogger("leadline.access")

STARTED: Final = "task_started"
RESUMED: Final = "task_resumed"
STEP: Final = "task_step"
TOOL_CALL: Final = "tool_call"
COMPLETED: Final = "task_completed"
ERROR: Final = "task_error"
LEFT: Final = "task_left"
REQUEST: Final = "http_request"

_MOST_QUESTION: Final = 200
_MOST_ARGUMENTS: Final = 2_000


@dataclass(slots=True)
class _Step:
    """A round of a branch while it lasts."""

    number: int
    began: float
    actions: list[str] = field(default_factory=list)
    observed: int = 0
    last: float = 0.0


class Lines:
    """`Reader` that logs."""

    def __init__(self, *, content: bool = False) -> None:
        self._content = content
        self._steps: dict[str, dict[str, _Step]] = {}
        self._traces: dict[str, str] = {}
        self._events: dict[type[Event], Callable[[Any, Seen], None]] = {
            ModelAsked: self._asked,
            ToolAsked: self._asked,
            ModelAnswered: self._model,
            ToolAnswered: self._tool,
            RunFinished: self._finished,
        }
        self._signals: dict[type[Signal], Callable[[Any, Followed | None], None]] = {
            RunTaken: self._taken,
            RunLeft: self._left,
            RunBroke: self._broke,
            RunEnded: self._ended,
            HttpAnswered: self._http,
            BreakerChanged: self._breaker,
            LimitHeld: self._held,
            LimitRefused: self._refused,
            Rejected: self._rejected,
        }

    def event(self, seen: Seen) -> None:
        """See `Reader.event`."""
        take = self._events.get(type(seen.record.event))
        if take is not None and log.isEnabledFor(logging.INFO):
            take(seen.record.event, seen)

    def signal(self, signal: Signal, run: Followed | None) -> None:
        """See `Reader.signal`."""
        take = self._signals.get(type(signal))
        if take is not None:
            take(signal, run)

    # -- runs ---------------------------------------------------------------------------------

    def _taken(self, signal: RunTaken, run: Followed | None) -> None:
        if run is None:
            return
        options = run.run.options
        fields: dict[str, Any] = {
            **_of(run),
            "strategy": str(options.strategy),
            "method": run.run.origin.method,
            "model": options.model,
            **self._text("question", run.run.question.text, _MOST_QUESTION),
        }
        if run.resumed:
            log.info(RESUMED, extra={**fields, "attempt": run.run.attempts, "expired": run.expired})
        else:
            log.info(STARTED, extra=fields)

    def _left(self, signal: RunLeft, run: Followed | None) -> None:
        if run is None:
            return
        self._flush(run)
        self._steps.pop(run.run.id, None)
        self._traces.pop(run.run.id, None)
        if signal.how != "finished":
            log.info(LEFT, extra={**_of(run), "how": signal.how})

    def _broke(self, signal: RunBroke, run: Followed | None) -> None:
        if run is not None:
            self._traces[run.run.id] = traced(signal.error, content=self._content)

    def _ended(self, signal: RunEnded, run: Followed | None) -> None:
        gone = signal.run
        level, name = (logging.ERROR, ERROR) if gone.state is RunState.FAILED else (logging.INFO, COMPLETED)
        fields: dict[str, Any] = {
            "status": ending_of(gone.state, gone.stop_reason),
            "stop_reason": str(gone.stop_reason),
            **self._failure(gone.failure),
        }
        log.log(level, name, extra={**_named(gone), **fields})

    def _asked(self, event: ModelAsked | ToolAsked, seen: Seen) -> None:
        branch, number, *_ = event.call.split("/")
        run, record = seen.run, seen.record
        steps = self._steps.setdefault(run.run.id, {})
        step = steps.get(branch)
        if step is None or step.number != int(number):
            if step is not None:
                self._step(run, branch, step)
            step = steps[branch] = _Step(int(number), record.at, last=record.at)
        step.actions.append(event.tool if isinstance(event, ToolAsked) else event.purpose)

    def _model(self, event: ModelAnswered, seen: Seen) -> None:
        self._observed(seen, event.call, 0)
        if event.failure is not None:
            log.warning("model_failed", extra={**_of(seen.run), "call": event.call, "code": event.failure.code})

    def _tool(self, event: ToolAnswered, seen: Seen) -> None:
        length = len(codec.encode(event.value)) if event.value is not None else 0
        self._observed(seen, event.call, length)
        intent = seen.asked.event if seen.asked is not None else None
        arguments: Json = intent.arguments if isinstance(intent, ToolAsked) else {}
        failed = {} if event.failure is None else {"code": event.failure.code}
        log.info(
            TOOL_CALL,
            extra={
                **_of(seen.run),
                "tool": event.tool,
                "call": event.call,
                **self._text("arguments", codec.encode(arguments).decode(), _MOST_ARGUMENTS),
                "duration_ms": round(seen.seconds * 1000),
                "observation_length": length,
                "status": outcome_of(event.failure),
                **failed,
            },
        )

    def _finished(self, event: RunFinished, seen: Seen) -> None:
        run, record = seen.run, seen.record
        self._flush(run)
        fields: dict[str, Any] = {
            **_of(run),
            "status": status_of(event),
            "stop_reason": str(event.stop_reason),
            "total_steps": len(run.steps),
            "duration_seconds": round(record.at - run.run.created_at - run.waited, 3),
            "held_seconds": event.usage.seconds,
            "prompt_tokens": event.usage.prompt_tokens,
            "completion_tokens": event.usage.completion_tokens,
            "cost_usd": event.usage.cost_usd,
            "claims": dict(run.verdicts),
        }
        fields |= self._failure(event.failure)
        trace = self._traces.pop(run.run.id, "")
        if event.state is RunState.FAILED:
            log.error(ERROR, extra={**fields, **({"traceback": trace} if trace else {})})
        else:
            log.info(COMPLETED, extra=fields)

    # -- steps --------------------------------------------------------------------------------

    def _observed(self, seen: Seen, call: str, length: int) -> None:
        step = self._steps.get(seen.run.run.id, {}).get(call.split("/", maxsplit=1)[0])
        if step is not None:
            step.observed += length
            step.last = seen.record.at

    def _flush(self, run: Followed) -> None:
        for branch, step in self._steps.pop(run.run.id, {}).items():
            self._step(run, branch, step)

    def _step(self, run: Followed, branch: str, step: _Step) -> None:
        log.info(
            STEP,
            extra={
                **_of(run),
                "branch": branch,
                "step": step.number,
                "action": ",".join(step.actions),
                "observation_length": step.observed,
                "duration_ms": round((step.last - step.began) * 1000),
            },
        )

    # -- beside runs --------------------------------------------------------------------------

    def _http(self, signal: HttpAnswered, run: Followed | None) -> None:
        access_log.info(
            REQUEST,
            extra={
                "request": signal.request,
                "trace": signal.trace.trace if signal.trace is not None else "",
                "method": signal.method,
                "route": signal.route,
                "status": signal.status,
                "duration_ms": round(signal.seconds * 1000, 1),
                "client": signal.client,
            },
        )

    def _breaker(self, signal: BreakerChanged, run: Followed | None) -> None:
        level = logging.WARNING if signal.state == "open" else logging.INFO
        signals_log.log(level, "breaker_changed", extra={"part": signal.part, "state": signal.state})

    def _held(self, signal: LimitHeld, run: Followed | None) -> None:
        signals_log.warning("limit_held", extra={"limit": signal.limit, "seconds": signal.seconds})

    def _refused(self, signal: LimitRefused, run: Followed | None) -> None:
        signals_log.info("limit_refused", extra={"limit": signal.limit})

    def _rejected(self, signal: Rejected, run: Followed | None) -> None:
        signals_log.info("task_rejected", extra={"method": signal.method, "code": signal.reason})

    def _failure(self, failure: Failure | None) -> dict[str, Any]:
        if failure is None:
            return {}
        return error_of(failure.code, failure.message, content=self._content)

    def _text(self, name: str, text: str, most: int) -> dict[str, Any]:
        return content_of(name, text, most=most, content=self._content)


def _of(run: Followed) -> dict[str, Any]:
    return _named(run.run)


def _named(run: Run) -> dict[str, Any]:
    """Return whose line it is; `task_id` is the run again, by the name that such logs are searched by."""
    return {"run": run.id, "task_id": run.id, "tenant": run.tenant}
