"""Events and signals to counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from leadline.domain import Failure, RunState, StopReason, Usage, Verdict
from leadline.events import (
    ClaimChecked,
    ContextFolded,
    Event,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    ToolAnswered,
    ToolAsked,
)
from leadline.ports.signals import (
    BreakerChanged,
    CacheAnswered,
    DiskSeen,
    HttpAnswered,
    LimitHeld,
    LimitPassed,
    LimitRefused,
    LogSeen,
    PartSeen,
    ProviderAsked,
    QueueSeen,
    QuotaSeen,
    Rejected,
    RunEnded,
    RunLeft,
    RunTaken,
    ServerCalled,
    ServerTurned,
    Signal,
)
from leadline.telemetry.families import STATES
from leadline.telemetry.follow import Followed, Seen
from leadline.telemetry.quality import fetches_of, searches_of
from leadline.version import __version__

if TYPE_CHECKING:
    from leadline.telemetry.instruments import Instruments  # its library is an extra, and log lines need none

# Failures that say that a person or a rule stopped the call, not that it broke.
_CANCELLED: Final = frozenset({"interrupted"})
_REFUSED: Final = frozenset({"forbidden", "invalid_arguments", "limit_reached"})
_MCP: Final = "mcp_"


class Metrics:
    """`Reader` that counts. `aliases` maps names that a tool has elsewhere to its own."""

    def __init__(self, instruments: Instruments, *, aliases: Mapping[str, str] | None = None) -> None:
        self._do = instruments
        self._aliases = dict(aliases or {})
        self._servers: set[str] = set()
        self._events: dict[type[Event], Callable[[Any, Seen], None]] = {
            ModelAnswered: self._model,
            ToolAsked: self._queries,
            ToolAnswered: self._tool,
            ContextFolded: self._fold,
            ClaimChecked: self._claim,
            RunFinished: self._finished,
        }
        self._signals: dict[type[Signal], Callable[[Any, Followed | None], None]] = {
            RunTaken: self._taken,
            RunLeft: self._left,
            RunEnded: self._ended,
            Rejected: self._rejected,
            CacheAnswered: self._cache,
            LimitPassed: self._passed,
            LimitRefused: self._limit_refused,
            LimitHeld: self._held,
            BreakerChanged: self._breaker,
            ServerTurned: self._turned,
            ServerCalled: self._called,
            ProviderAsked: self._provider,
            HttpAnswered: self._http,
            QueueSeen: self._queue,
            PartSeen: self._part,
            LogSeen: self._event_log,
            DiskSeen: self._disk,
            QuotaSeen: self._quota,
        }
        instruments.put("agent_active_tasks", 0)
        instruments.put("leadline_build_info", 1, __version__)

    def event(self, seen: Seen) -> None:
        """See `Reader.event`."""
        take = self._events.get(type(seen.record.event))
        if take is not None:
            take(seen.record.event, seen)

    def signal(self, signal: Signal, run: Followed | None) -> None:
        """See `Reader.signal`."""
        self._signals[type(signal)](signal, run)

    # -- events -------------------------------------------------------------------------------

    def _model(self, event: ModelAnswered, seen: Seen) -> None:
        asked = seen.asked.event if seen.asked is not None else None
        purpose = asked.purpose if isinstance(asked, ModelAsked) else "unknown"
        self._do.add("leadline_model_requests_total", purpose, outcome_of(event.failure, refused="error"))
        if asked is not None:
            self._do.observe("leadline_model_seconds", seen.seconds, purpose)
        # What a failed call is charged is a reservation, not what it used.
        self._spent(seen.run, event.usage, counted=event.answer is not None)

    def _queries(self, event: ToolAsked, seen: Seen) -> None:
        for repeated in seen.run.repeats(event):
            self._do.add("leadline_queries_total", "repeated" if repeated else "new")

    def _tool(self, event: ToolAnswered, seen: Seen) -> None:
        tool = self._tool_name(event.tool)
        self._do.add("agent_tool_calls_total", tool, outcome_of(event.failure))
        if seen.asked is not None:
            self._do.observe("agent_tool_latency_seconds", seen.seconds, tool)
        for result in searches_of(event):
            self._do.add("leadline_searches_total", result)
        for outcome in fetches_of(event):
            self._do.add("leadline_fetches_total", outcome)
        self._spent(seen.run, event.usage, counted=True)

    def _fold(self, event: ContextFolded, seen: Seen) -> None:
        self._do.add("leadline_context_folds_total", seen.run.run.options.strategy)

    def _claim(self, event: ClaimChecked, seen: Seen) -> None:
        self._do.add("leadline_claims_total", event.verdict)

    def _finished(self, event: RunFinished, seen: Seen) -> None:
        run = seen.run
        method, strategy = run.run.origin.method or "api", run.run.options.strategy
        self._do.add("agent_requests_total", method, status_of(event))
        latency = seen.record.at - run.run.created_at - run.waited
        self._do.observe("agent_request_latency_seconds", latency, method)
        self._do.add("leadline_runs_ended_total", strategy, event.stop_reason)
        self._do.observe("leadline_run_seconds", event.usage.seconds, strategy)
        supported = run.verdicts[Verdict.SUPPORTED]
        if supported:
            self._do.observe("leadline_supported_claim_usd", event.usage.cost_usd / supported)

    def _spent(self, run: Followed, usage: Usage, *, counted: bool) -> None:
        if counted:
            for kind, tokens in (
                ("input", usage.prompt_tokens),
                ("output", usage.completion_tokens),
                ("cached", usage.cached_tokens),
            ):
                if tokens:
                    self._do.add("agent_model_tokens_total", kind, by=tokens)
        if usage.cost_usd:
            self._do.add("leadline_run_cost_usd_total", run.run.options.strategy, by=usage.cost_usd)

    def _tool_name(self, tool: str) -> str:
        return "mcp" if tool.startswith(_MCP) else self._aliases.get(tool, tool)

    # -- signals ------------------------------------------------------------------------------

    def _taken(self, signal: RunTaken, run: Followed | None) -> None:
        self._do.change("agent_active_tasks", 1)
        if run is None:
            return
        if not run.resumed:
            self._do.observe("leadline_run_queue_seconds", run.began_at - run.run.created_at)
            return
        self._do.add("leadline_resumes_total", "expiry" if run.expired else "pause")
        if run.expired:
            self._do.add("leadline_lease_expiries_total")

    def _left(self, signal: RunLeft, run: Followed | None) -> None:
        self._do.change("agent_active_tasks", -1)
        self._do.add("leadline_runs_left_total", signal.how)

    def _ended(self, signal: RunEnded, run: Followed | None) -> None:
        gone = signal.run
        method = gone.origin.method or "api"
        self._do.add("agent_requests_total", method, ending_of(gone.state, gone.stop_reason))
        self._do.observe("agent_request_latency_seconds", gone.updated_at - gone.created_at, method)
        self._do.add("leadline_runs_ended_total", gone.options.strategy, str(gone.stop_reason))

    def _rejected(self, signal: Rejected, run: Followed | None) -> None:
        self._do.add("agent_requests_total", signal.method, "rejected")
        self._do.add("leadline_rejections_total", signal.reason)

    def _cache(self, signal: CacheAnswered, run: Followed | None) -> None:
        self._do.add("leadline_cache_answers_total", signal.category, signal.layer)
        if signal.stale:
            self._do.add("leadline_cache_stale_total", signal.category)

    def _passed(self, signal: LimitPassed, run: Followed | None) -> None:
        self._do.observe("leadline_limit_wait_seconds", signal.seconds, signal.limit)

    def _limit_refused(self, signal: LimitRefused, run: Followed | None) -> None:
        self._do.add("leadline_limit_refusals_total", signal.limit)

    def _held(self, signal: LimitHeld, run: Followed | None) -> None:
        self._do.add("leadline_limit_holds_total", signal.limit)

    def _breaker(self, signal: BreakerChanged, run: Followed | None) -> None:
        self._do.put("leadline_breaker_state", STATES.index(signal.state), signal.part)
        self._do.add("leadline_breaker_changes_total", signal.part, signal.state)

    def _turned(self, signal: ServerTurned, run: Followed | None) -> None:
        self._servers.add(signal.server)
        self._do.put("leadline_model_server_healthy", int(signal.healthy), signal.server)
        self._do.add("leadline_model_server_changes_total", signal.server, "healthy" if signal.healthy else "unhealthy")

    def _called(self, signal: ServerCalled, run: Followed | None) -> None:
        if signal.server not in self._servers:
            self._servers.add(signal.server)
            self._do.put("leadline_model_server_healthy", 1, signal.server)
        self._do.add("leadline_model_server_calls_total", signal.server, signal.outcome)
        self._do.add("leadline_model_pool_turns_total", signal.session)
        if signal.first_token is not None:
            self._do.observe("leadline_model_first_token_seconds", signal.first_token, signal.server)

    def _provider(self, signal: ProviderAsked, run: Followed | None) -> None:
        self._do.add("leadline_provider_requests_total", signal.provider, signal.outcome)
        self._do.observe("leadline_provider_seconds", signal.seconds, signal.provider)

    def _http(self, signal: HttpAnswered, run: Followed | None) -> None:
        self._do.add("leadline_http_requests_total", signal.method, signal.route, str(signal.status))
        self._do.observe("leadline_http_seconds", signal.seconds, signal.route)

    def _queue(self, signal: QueueSeen, run: Followed | None) -> None:
        depth = signal.depth
        for state, count in (
            ("claimable", depth.claimable),
            ("queued", depth.queued),
            ("running", depth.running),
            ("waiting", depth.waiting),
        ):
            self._do.put("leadline_queue_runs", count, state)
        self._do.put("leadline_queue_oldest_seconds", depth.oldest or 0.0)

    def _part(self, signal: PartSeen, run: Followed | None) -> None:
        self._do.put("leadline_reachable", int(signal.reachable), signal.part)

    def _event_log(self, signal: LogSeen, run: Followed | None) -> None:
        self._do.put("leadline_event_log_lag_seconds", signal.lag.seconds)
        self._do.put("leadline_event_log_lag_rows", signal.lag.rows)

    def _disk(self, signal: DiskSeen, run: Followed | None) -> None:
        self._do.put("leadline_disk_free_ratio", signal.free, "data")

    def _quota(self, signal: QuotaSeen, run: Followed | None) -> None:
        for quota, share in (("tokens", signal.fullest.tokens), ("usd", signal.fullest.usd)):
            # Where budgets were taken away, or the day is new, the last figure would stand for ever.
            self._do.put("leadline_quota_used_ratio", share or 0.0, quota)


def outcome_of(failure: Failure | None, *, refused: str = "refused") -> str:
    """Return `success`, `cancelled`, `refused` or `error` for how a call ended."""
    if failure is None:
        return "success"
    if failure.code in _CANCELLED:
        return "cancelled"
    return refused if failure.code in _REFUSED else "error"


def status_of(event: RunFinished) -> str:
    """Return `success` for an answer, `partial` for a report without or short of one, `cancelled`, `error`."""
    return ending_of(event.state, event.stop_reason)


def ending_of(state: RunState, reason: StopReason | None) -> str:
    """Return the same for a run's last state."""
    if state is RunState.CANCELLED:
        return "cancelled"
    if state is RunState.FAILED:
        return "error"
    return "success" if reason is StopReason.ANSWERED else "partial"
