"""Every metric that there is: its name, its labels and what they may hold, what it means.

docs/metrics.md holds the same as a table; a test compares. A label's values are a fixed set, or the
first few that come (`None`); whatever is beyond is `other`, so that no question, page or tenant can
make a series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from leadline.domain import StopReason, StrategyName, Verdict

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Mode: TypeAlias = Literal["livesum", "livemin", "livemax", "mostrecent", "max"]

OTHER: Final = "other"
METHODS: Final = ("cli", "api", "openai", "mcp", "schedule", OTHER)
STATUSES: Final = ("success", "partial", "cancelled", "error", "rejected")
TOOLS: Final = ("search", "visit", "scholar", "python", "recall", "mcp", OTHER)
STATES: Final = ("closed", "half_open", "open")
STRATEGIES: Final = (*(str(name) for name in StrategyName), OTHER)

SECONDS_OF_RUNS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0)
SECONDS_OF_CALLS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
DOLLARS: Final = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric. `labels` maps each label to its values, `None` for the first few that come.

    `mode` says how a gauge of several processes behind one port becomes one.
    """

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    mode: Mode = "livesum"


FAMILIES: Final = (
    # Runs
    Family(
        name="agent_requests_total",
        kind="counter",
        help="Runs that ended, and questions that were refused, by how they were asked and how they ended.",
        labels={"method": METHODS, "status": STATUSES},
    ),
    Family(
        name="agent_request_latency_seconds",
        kind="histogram",
        help="Seconds from a question to its run's end, with the queue, without waiting for a person.",
        labels={"method": METHODS},
        buckets=SECONDS_OF_RUNS,
    ),
    Family(
        name="agent_task_success_rate",
        kind="gauge",
        help="Share of the runs ended in the last hour that gave a report; cancelled ones do not count.",
    ),
    Family(name="agent_active_tasks", kind="gauge", help="Runs that this process holds."),
    Family(
        name="leadline_runs_ended_total",
        kind="counter",
        help="Runs that ended, by why.",
        labels={"strategy": STRATEGIES, "reason": tuple(str(reason) for reason in StopReason)},
    ),
    Family(
        name="leadline_run_seconds",
        kind="histogram",
        help="Seconds for which workers held a run that ended.",
        labels={"strategy": STRATEGIES},
        buckets=SECONDS_OF_RUNS,
    ),
    Family(
        name="leadline_run_queue_seconds",
        kind="histogram",
        help="Seconds that a run waited for its first worker.",
        buckets=(0.05, 0.25, *SECONDS_OF_RUNS),
    ),
    Family(
        name="leadline_run_cost_usd_total",
        kind="counter",
        help="US dollars that models and tools cost.",
        labels={"strategy": STRATEGIES},
    ),
    Family(
        name="leadline_context_folds_total",
        kind="counter",
        help="Transcripts folded to fit the model's window.",
        labels={"strategy": STRATEGIES},
    ),
    # The queue and its workers
    Family(
        name="leadline_queue_runs",
        kind="gauge",
        help="Runs in the store by state, of all workers; the same in every process: take the maximum.",
        labels={"state": ("claimable", "queued", "running", "waiting")},
        mode="mostrecent",
    ),
    Family(
        name="leadline_queue_oldest_seconds",
        kind="gauge",
        help="Seconds that the oldest run in the queue has waited; 0 where none waits.",
        mode="mostrecent",
    ),
    Family(
        name="leadline_reachable",
        kind="gauge",
        help="1 where the process reached what it stands on when it was last asked for metrics.",
        labels={"part": ("store", "broker", "cache", "limits")},
        mode="livemin",
    ),
    Family(
        name="leadline_disk_free_ratio",
        kind="gauge",
        help="Share of the disk that is free on which the process keeps its data.",
        labels={"folder": ("data",)},
        mode="livemin",
    ),
    Family(
        name="leadline_event_log_lag_seconds",
        kind="gauge",
        help="Age of the oldest event that is not in the event log yet; the same in every process: take the maximum.",
        mode="mostrecent",
    ),
    Family(
        name="leadline_event_log_lag_rows",
        kind="gauge",
        help="Events that are not in the event log yet, counted up to 100,000; take the maximum.",
        mode="mostrecent",
    ),
    Family(
        name="leadline_rejections_total",
        kind="counter",
        help="Questions that were refused before they became runs, by the limit or the fault.",
        labels={"reason": None},
    ),
    Family(
        name="leadline_quota_used_ratio",
        kind="gauge",
        help="Share of a day's budget that is used or set aside by the tenant nearest to its end; take the maximum.",
        labels={"quota": ("tokens", "usd")},
        mode="mostrecent",
    ),
    Family(
        name="leadline_lease_expiries_total",
        kind="counter",
        help="Runs taken over because their worker fell silent.",
    ),
    Family(
        name="leadline_resumes_total",
        kind="counter",
        help="Runs taken up that another hold had begun.",
        labels={"after": ("expiry", "pause")},
    ),
    Family(
        name="leadline_runs_left_total",
        kind="counter",
        help="Holds on runs that ended, by how.",
        labels={"how": ("finished", "waiting", "handed_over", "lost", "given_up", "dropped")},
    ),
    # Tools and what stands before the outside
    Family(
        name="agent_tool_calls_total",
        kind="counter",
        help="Calls of tools by runs.",
        labels={"tool": TOOLS, "status": ("success", "error", "refused", "cancelled")},
    ),
    Family(
        name="agent_tool_latency_seconds",
        kind="histogram",
        help="Seconds of a tool's call, from its intent to its outcome.",
        labels={"tool": TOOLS},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_provider_requests_total",
        kind="counter",
        help="Requests to search and scholar services: found, empty, or the code of the failure.",
        labels={"provider": None, "outcome": None},
    ),
    Family(
        name="leadline_provider_seconds",
        kind="histogram",
        help="Seconds of a request to a search or scholar service.",
        labels={"provider": None},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_cache_answers_total",
        kind="counter",
        help="Answers by category and where they came from; `load` is a miss.",
        labels={
            "category": ("search", "page", "passages", "scholar", OTHER),
            "layer": ("memory", "store", "load"),
        },
    ),
    Family(
        name="leadline_cache_stale_total",
        kind="counter",
        help="Answers that were older than they should be.",
        labels={"category": ("search", "page", "passages", "scholar", OTHER)},
    ),
    Family(
        name="leadline_limit_wait_seconds",
        kind="histogram",
        help="Seconds that a call waited for a limit.",
        labels={"limit": None},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_limit_refusals_total",
        kind="counter",
        help="Calls that a limit left no room in time.",
        labels={"limit": None},
    ),
    Family(
        name="leadline_limit_holds_total",
        kind="counter",
        help="Times that a server asked to wait (429, Retry-After).",
        labels={"limit": None},
    ),
    Family(
        name="leadline_breaker_state",
        kind="gauge",
        help="0: calls go through, 1: one tries, 2: none does.",
        labels={"part": None},
        mode="livemax",
    ),
    Family(
        name="leadline_breaker_changes_total",
        kind="counter",
        help="Changes of a breaker.",
        labels={"part": None, "state": STATES},
    ),
    # Models
    Family(
        name="agent_model_tokens_total",
        kind="counter",
        help="Tokens of answered calls: prompts, answers, and prompt tokens from a server's cache (in `input` too).",
        labels={"type": ("input", "output", "cached")},
    ),
    Family(
        name="leadline_model_requests_total",
        kind="counter",
        help="Requests of runs to models, by what they were for.",
        labels={"purpose": None, "status": ("success", "error", "cancelled")},
    ),
    Family(
        name="leadline_model_seconds",
        kind="histogram",
        help="Seconds of a request to a model, with waiting for a server.",
        labels={"purpose": None},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_model_server_calls_total",
        kind="counter",
        help="Calls at a model server by outcome.",
        labels={"server": None, "outcome": ("answered", "failed", "busy", "denied", "abandoned")},
    ),
    Family(
        name="leadline_model_first_token_seconds",
        kind="histogram",
        help="Seconds to a model server's first token.",
        labels={"server": None},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_model_server_healthy",
        kind="gauge",
        help="1 while a model server is in service, by its calls.",
        labels={"server": None},
        mode="livemin",
    ),
    Family(
        name="leadline_model_server_changes_total",
        kind="counter",
        help="Times that a model server went out of service or came back.",
        labels={"server": None, "state": ("healthy", "unhealthy")},
    ),
    Family(
        name="leadline_model_pool_turns_total",
        kind="counter",
        help="Calls of a conversation: on the server that knows it, on another one, or the first.",
        labels={"session": ("kept", "moved", "new")},
    ),
    # The quality of research
    Family(
        name="leadline_searches_total",
        kind="counter",
        help="Queries answered with hits, with nothing, or by a failure.",
        labels={"result": ("found", "empty", "failed")},
    ),
    Family(
        name="leadline_queries_total",
        kind="counter",
        help="Queries of runs: new ones, and those that the same run had asked before.",
        labels={"novelty": ("new", "repeated")},
    ),
    Family(
        name="leadline_fetches_total",
        kind="counter",
        help="Pages and documents read, or the code of why not.",
        labels={"outcome": None},
    ),
    Family(
        name="leadline_claims_total",
        kind="counter",
        help="Claims of reports by verdict.",
        labels={"verdict": tuple(str(verdict) for verdict in Verdict)},
    ),
    Family(
        name="leadline_supported_claim_usd",
        kind="histogram",
        help="US dollars of a run for each of its supported claims; runs without one do not count.",
        buckets=DOLLARS,
    ),
    # Services
    Family(
        name="leadline_http_requests_total",
        kind="counter",
        help="Requests to this process, by the path's pattern.",
        labels={"method": ("GET", "POST", "PUT", "DELETE", "PATCH", OTHER), "route": None, "status": None},
    ),
    Family(
        name="leadline_http_seconds",
        kind="histogram",
        help="Seconds of a request to this process, to the answer's last byte.",
        labels={"route": None},
        buckets=SECONDS_OF_CALLS,
    ),
    Family(
        name="leadline_build_info",
        kind="gauge",
        help="Always 1; the version of this process.",
        labels={"version": None},
        mode="max",
    ),
)
