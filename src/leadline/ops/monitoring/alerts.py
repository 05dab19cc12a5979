"""What somebody is told of Leadline: the table of alerts.

Each has a runbook, a test in which it fires and one in which it does not. A share is told of only
where enough happened that one failure more would not have made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leadline.ops.monitoring.rules import Alert, Group
from leadline.ops.monitoring.targets import KIND, Targets, Thresholds

_CALLS: Final = "leadline_model_server_calls_total"


def alert_groups(targets: Targets, over: Thresholds) -> list[Group]:
    """Return the alerts for what is there."""
    return [
        Group(name="leadline-targets", rules=tuple(_targets(targets))),
        Group(name="leadline-models", rules=tuple(_models(targets))),
        Group(name="leadline-runs", rules=tuple(_runs(over))),
        Group(name="leadline-queue", rules=tuple(_queue(targets, over))),
        Group(name="leadline-parts", rules=tuple(_parts(over))),
        Group(name="leadline-money", rules=tuple(_money(over))),
        Group(name="leadline-quality", rules=tuple(_quality(over))),
    ]


def _targets(targets: Targets) -> Iterator[Alert]:
    yield Alert(
        name="Watchdog",
        query="vector(1)",
        severity="none",
        summary="Alerts are told",
        detail="This one always fires: where it is not heard any more, no other alert would be either.",
    )
    yield Alert(
        name="TargetDown",
        query='up{job=~"leadline-.+|gpu"} == 0',
        lasting=120,
        severity="warning",
        summary="{{ $labels.job }} at {{ $labels.instance }} answers no metrics",
        detail="The process is gone, hangs, or refuses Prometheus its metrics.",
    )
    jobs = [job for job, _ in targets.jobs()]
    if jobs:
        yield Alert(
            name="TargetsVanished",
            query="\nor ".join(f'absent(up{{job="{job}"}})' for job in jobs),
            lasting=300,
            severity="critical",
            summary="Nothing of the job {{ $labels.job }} is watched any more",
            detail="Prometheus has no target of this job: what it does, and whether it runs, is not seen.",
        )
    found = list(targets.found())
    if found:
        yield Alert(
            name="ReplicasMissing",
            query="\nor ".join(_fewer(f'up{{job="{job}",{KIND}="{one.part}"}}', one.least) for job, one in found),
            lasting=300,
            severity="warning",
            summary="{{ $value }} of {{ $labels.process }} are up: too few",
            detail="Those that are gone are not found any more, so that no target of theirs is seen to be down.",
        )


def _fewer(series: str, least: int) -> str:
    """Return a query that has an answer where fewer are up, or none is there at all."""
    return f"(sum by (job, {KIND}) ({series}) or 0 * absent({series})) < {least}"


def _models(targets: Targets) -> Iterator[Alert]:
    if targets.vllm:
        yield Alert(
            name="ModelServiceDown",
            query='up{job="vllm"} == 0',
            lasting=60,
            severity="critical",
            summary="The model server {{ $labels.instance }} is down",
            detail="It has not answered for a minute. Runs use the others, where there are any.",
        )
    # A process that is idle may not know yet: what the calls of the others show counts as well.
    told = (
        "max(leadline_model_server_healthy) == 0\n"
        f'or (sum(increase({_CALLS}{{outcome=~"failed|denied"}}[5m])) >= 5\n'
        f'unless sum(increase({_CALLS}{{outcome="answered"}}[5m])) > 0)'
    )
    works = (
        f'sum by (server) (increase({_CALLS}{{outcome="answered"}}[15m])) > 0\n'
        f'unless on (server) sum by (server) (increase({_CALLS}{{outcome=~"failed|denied"}}[15m])) > 0'
    )
    yield Alert(
        name="NoModelService",
        query=f'sum(up{{job="vllm"}}) == 0\nor {told}' if targets.vllm else told,
        lasting=60,
        severity="critical",
        summary="No model server answers",
        detail="Runs end with reports by the extractive writer, from what they had found.",
    )
    yield Alert(
        name="ModelServerOutOfService",
        query=f"min by (server) (leadline_model_server_healthy) == 0\nunless on (server) ({works})",
        lasting=300,
        severity="warning",
        summary="{{ $labels.server }} is out of service",
        detail="Its calls fail or time out, whether it answers metrics or not; it is tried again and again.",
    )
    yield Alert(
        name="SlowFirstToken",
        query=(
            "server:leadline_model_first_token_seconds:p95_15m > 30\n"
            "and on (server) sum by (server) (increase(leadline_model_first_token_seconds_count[15m])) >= 20"
        ),
        lasting=600,
        severity="warning",
        summary="{{ $labels.server }} takes {{ $value | humanizeDuration }} to the first token",
        detail="Five of a hundred calls wait for longer: the server has more to do than it can.",
    )
    ended = "sum(increase(leadline_gateway_requests_total[15m]))"
    yield Alert(
        name="GatewayErrors",
        query=(
            f'sum(increase(leadline_gateway_requests_total{{outcome=~"broken|model_.+"}}[15m])) / {ended} > 0.05\n'
            f"and on () {ended} >= 20"
        ),
        lasting=300,
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the requests at the gateway get no whole answer",
        detail="No server could take them, or broke off; refusals for what a client did wrong do not count.",
    )


def _runs(over: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="HighErrorRate",
        query=(
            f"leadline:run_errors:ratio_increase30m > {over.errors}\nand on () leadline:runs_ended:increase30m >= 10"
        ),
        lasting=300,
        severity="critical",
        summary="{{ $value | humanizePercentage }} of runs fail",
        detail=f"More than {over.errors:.0%} of the runs that ended in half an hour gave no report.",
    )
    yield Alert(
        name="HighLatency",
        query=(
            f"leadline:run_latency_seconds:p95_30m > {over.latency_seconds:g}\n"
            "and on () leadline:runs_ended:increase30m >= 5"
        ),
        lasting=600,
        severity="warning",
        summary="Runs take {{ $value | humanizeDuration }}",
        detail="Five of a hundred runs take longer from the question to the end, the queue included.",
    )
    yield Alert(
        name="ToolCallFailures",
        query=(
            f"tool:agent_tool_call_errors:ratio_increase15m > {over.tool_errors}\n"
            "and on (tool) tool:agent_tool_calls:increase15m >= 20"
        ),
        lasting=600,
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the calls of {{ $labels.tool }} fail",
        detail="Refused and cancelled calls do not count.",
    )
    yield Alert(
        name="RunsGivenUp",
        query='sum(increase(leadline_runs_left_total{how=~"given_up|lost"}[15m])) > 5',
        severity="warning",
        summary="{{ $value | humanize }} runs were given up or lost in a quarter of an hour",
        detail="Workers let go of runs that they could not go on with: the store fails, or beats come too late.",
    )


def _queue(targets: Targets, over: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="QueueAge",
        query=f"leadline:queue_oldest_seconds:max > {over.queue_seconds:g}",
        lasting=300,
        severity="warning",
        summary="A run has waited for {{ $value | humanizeDuration }}",
        detail="More is asked than the workers carry.",
    )
    yield Alert(
        name="QueueStalled",
        query='max(leadline_queue_runs{state="claimable"}) > 0\nand on () sum(agent_active_tasks) == 0',
        lasting=300,
        severity="critical",
        summary="{{ $value }} runs wait and nobody works on any",
        detail="Processes are up, yet none takes a run: they cannot reach the store, or lack what the runs need.",
    )
    yield Alert(
        name="StuckLeases",
        query='max(leadline_queue_runs{state="claimable"}) > max(leadline_queue_runs{state="queued"})',
        lasting=300,
        severity="warning",
        summary="Runs lost their worker and nobody takes them up",
        detail="Their leases ran out minutes ago: workers are full, of another version, or lack what the runs need.",
    )
    if targets.worker:
        yield Alert(
            name="NoWorkers",
            query="leadline:workers:up == 0",
            lasting=120,
            severity="critical",
            summary="No worker is up",
            detail="Questions are taken in and wait.",
        )
    yield Alert(
        name="StoreDown",
        query='max(leadline_reachable{part="store"}) == 0',
        lasting=60,
        severity="critical",
        summary="No process reaches the store",
        detail="No run begins, none goes on, no question is taken in; what runs hold is kept and written later.",
    )
    yield Alert(
        name="LeaseStorm",
        query=f"leadline:lease_expiries:increase15m > {over.lease_expiries}",
        severity="critical",
        summary="{{ $value | humanize }} runs lost their worker in a quarter of an hour",
        detail="Workers die or hang; a run that has lost its workers too often is ended without a report.",
    )


def _down(part: str) -> str:
    """Return what says that no process reaches a part, or that it answers and refuses.

    A breaker that nobody has asked since it opened says nothing of now: one that is tried opens again and again.
    """
    mine = f'part="{part}"'
    return (
        f"max(leadline_reachable{{{mine}}}) == 0\n"
        f"or max(leadline_breaker_state{{{mine}}}) >= 1\n"
        f'and sum(increase(leadline_breaker_changes_total{{{mine}, state="open"}}[2m])) > 0'
    )


def _parts(over: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="BrokerDown",
        query='max(leadline_reachable{part="broker"}) == 0',
        lasting=120,
        severity="warning",
        summary="The broker is down",
        detail="No run is lost: workers find what waits in the store, seconds later than they were woken.",
    )
    yield Alert(
        name="CacheDown",
        query=_down("cache"),
        lasting=120,
        severity="warning",
        summary="The shared cache is down",
        detail="Every process loads what others have: searches and pages are paid for again.",
    )
    yield Alert(
        name="LimitsDown",
        query=_down("limits"),
        lasting=120,
        severity="warning",
        summary="The shared limits are down",
        detail="Every process keeps limits by itself, so that all together may ask for more than is allowed.",
    )
    yield Alert(
        name="PartBroken",
        query=(
            'max by (part) (leadline_breaker_state{part=~"(tool|service):.+"}) >= 1\n'
            'and on (part) sum by (part) (increase(leadline_breaker_changes_total{state="open"}[5m])) > 0'
        ),
        lasting=300,
        severity="warning",
        summary="{{ $labels.part }} is not called any more",
        detail="It failed too often in a row; it is tried from time to time.",
    )
    yield Alert(
        name="DiskNearlyFull",
        query=f'min by (instance) (leadline_disk_free_ratio{{folder="data"}}) < {over.disk_free}',
        lasting=300,
        severity="critical",
        summary="The disk of {{ $labels.instance }} has {{ $value | humanizePercentage }} left",
        detail="Where nothing is left, no run goes on: what it finds can not be kept.",
    )
    yield Alert(
        name="EventLogLag",
        query=f"max(leadline_event_log_lag_seconds) > {over.event_log_seconds:g}",
        lasting=300,
        severity="warning",
        summary="The event log is {{ $value | humanizeDuration }} behind",
        detail="Nothing is lost: the journal keeps what the log did not take yet. Whoever reads the log sees the past.",
    )


def _money(over: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="SpendHigh",
        query=f"leadline:run_cost_usd:increase1h > {over.usd_per_hour:g}",
        severity="critical",
        summary="{{ $value | humanize }} US dollars were spent in an hour",
        detail=f"The bound is {over.usd_per_hour:g}.",
    )
    yield Alert(
        name="SpendUnusual",
        query=(
            f"leadline:run_cost_usd:increase1h > {over.usual_spend:g} * (leadline:run_cost_usd:usual1h > 0)\n"
            "and on () leadline:run_cost_usd:increase1h > 1"
        ),
        lasting=900,
        severity="warning",
        summary="{{ $value | humanize }} US dollars were spent in an hour, far more than usual",
        detail=f"More than {over.usual_spend:g} times the mean of the day before.",
    )
    yield Alert(
        name="QuotaNearlyUsed",
        query=f"max by (quota) (leadline_quota_used_ratio) >= {over.quota}",
        lasting=60,
        severity="warning",
        summary="A tenant has used {{ $value | humanizePercentage }} of its {{ $labels.quota }} of today",
        detail="What does not fit into the rest is refused until midnight, UTC.",
    )
    yield Alert(
        name="QuotaRefusals",
        query='sum by (reason) (increase(leadline_rejections_total{reason=~"tenant_tokens|tenant_usd"}[15m])) >= 5',
        severity="warning",
        summary="{{ $value | humanize }} questions were refused: {{ $labels.reason }}",
        detail="A tenant has used up what it may use in a day, and goes on asking.",
    )
    yield Alert(
        name="ProviderHolds",
        query="sum by (limit) (increase(leadline_limit_holds_total[15m])) > 10",
        lasting=600,
        severity="warning",
        summary="{{ $labels.limit }} asks us to wait, again and again",
        detail="{{ $value | humanize }} answers in a quarter of an hour were 429: its quota is used up, or shared.",
    )


def _quality(over: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="UnsupportedClaims",
        query=(
            f"leadline:claims_without_support:ratio_increase1h > {over.unsupported}\n"
            "and on () leadline:claims:increase1h >= 50"
        ),
        lasting=900,
        severity="warning",
        summary="{{ $value | humanizePercentage }} of claims have no support",
        detail="They are marked in the reports; the model, the judge or the sources have changed.",
    )
    yield Alert(
        name="EmptySearches",
        query=(
            f"leadline:empty_searches:ratio_increase1h > {over.empty_searches}\n"
            "and on () leadline:searches:increase1h >= 20"
        ),
        lasting=900,
        severity="warning",
        summary="{{ $value | humanizePercentage }} of searches find nothing",
        detail="A provider answers without results, or queries have become odd.",
    )
