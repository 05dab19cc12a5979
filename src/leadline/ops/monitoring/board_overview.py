"""What an operator looks at first."""

from __future__ import annotations

from typing import Final

from leadline.ops.monitoring.grafana import Dashboard, Panel, Query, Row, one
from leadline.ops.monitoring.slo import OBJECTIVES, ratio

_NOW: Final = Row(
    title="Now",
    panels=(
        Panel(
            title="Runs worked on",
            says="Runs that workers and services hold.",
            queries=one("sum(agent_active_tasks)"),
            shape="stat",
        ),
        Panel(
            title="Runs waiting",
            says="Runs that any worker may take.",
            queries=one('max(leadline_queue_runs{state="claimable"})'),
            shape="stat",
        ),
        Panel(
            title="Oldest waits",
            says="For how long the oldest run in the queue has waited.",
            queries=one("max(leadline_queue_oldest_seconds)"),
            unit="s",
            shape="stat",
            bound=300,
        ),
        Panel(
            title="Alerts",
            says="Alerts that fire now.",
            queries=one('count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)'),
            shape="stat",
            bound=1,
        ),
        Panel(
            title="Processes",
            says="Targets that answer, by job; a dip is a process that is gone.",
            queries=one("sum by (job) (up)", "{{job}}"),
        ),
        Panel(
            title="Error budgets",
            says="Share of what was bad in the last hour, by objective.",
            queries=tuple(Query(query=ratio(one, "1h"), legend=one.name) for one in OBJECTIVES),
            unit="percentunit",
        ),
    ),
)

_RUNS: Final = Row(
    title="Runs",
    panels=(
        Panel(
            title="Runs ended",
            says="Runs an hour by how they ended.",
            queries=one("sum by (status) (increase(agent_requests_total[1h]))", "{{status}}"),
            stacked=True,
        ),
        Panel(
            title="Share with a report",
            says="Of the runs that were neither cancelled nor refused.",
            queries=one(
                'sum(increase(agent_requests_total{status=~"success|partial"}[1h])) '
                '/ sum(increase(agent_requests_total{status=~"success|partial|error"}[1h]))'
            ),
            unit="percentunit",
        ),
        Panel(
            title="Time to the end",
            says="From the question to the end of its run, the queue included.",
            queries=(
                Query(query="leadline:run_latency_seconds:p50_30m", legend="half"),
                Query(query="leadline:run_latency_seconds:p95_30m", legend="95 of 100"),
            ),
            unit="s",
            bound=1_800,
        ),
        Panel(
            title="Why runs ended",
            says="Runs an hour by the reason of their end.",
            queries=one("sum by (reason) (increase(leadline_runs_ended_total[1h])) > 0", "{{reason}}"),
            stacked=True,
        ),
    ),
)

_QUEUE: Final = Row(
    title="Queue and workers",
    panels=(
        Panel(
            title="Runs in the store",
            says="By state.",
            queries=one("max by (state) (leadline_queue_runs)", "{{state}}"),
        ),
        Panel(
            title="Time in the queue",
            says="Until the first worker took a run.",
            queries=one(
                "histogram_quantile(0.95, sum by (le) (rate(leadline_run_queue_seconds_bucket[30m])))", "95 of 100"
            ),
            unit="s",
        ),
        Panel(
            title="Runs held",
            says="By process.",
            queries=one("sum by (job, instance) (agent_active_tasks)", "{{job}} {{instance}}"),
            stacked=True,
        ),
        Panel(
            title="Holds that ended badly",
            says="Leases that ran out, and runs that were lost or given up, an hour.",
            queries=(
                Query(query="sum(increase(leadline_lease_expiries_total[1h]))", legend="lease ran out"),
                Query(
                    query='sum by (how) (increase(leadline_runs_left_total{how=~"lost|given_up|dropped"}[1h]))',
                    legend="{{how}}",
                ),
            ),
        ),
    ),
)

_SERVICE: Final = Row(
    title="Service",
    panels=(
        Panel(
            title="Requests",
            says="A second, by status.",
            queries=one(
                'sum by (status) (rate(leadline_http_requests_total{job="leadline-service"}[5m]))', "{{status}}"
            ),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="Time of a request",
            says="95 of 100, by route; streams last as long as runs.",
            queries=one(
                "histogram_quantile(0.95, sum by (le, route) "
                '(rate(leadline_http_seconds_bucket{job="leadline-service"}[5m])))',
                "{{route}}",
            ),
            unit="s",
        ),
        Panel(
            title="Questions refused",
            says="An hour, by the limit or the fault.",
            queries=one("sum by (reason) (increase(leadline_rejections_total[1h]))", "{{reason}}"),
            rare=True,
        ),
        Panel(
            title="The store",
            says="1: every process reached it when it was last asked.",
            queries=one("min by (part) (leadline_reachable)", "{{part}}"),
        ),
        Panel(
            title="Breakers",
            says="Above 0 calls of this part do not go through; only parts that ever failed are shown.",
            queries=one("max by (part) (leadline_breaker_state)", "{{part}}"),
            rare=True,
        ),
        Panel(
            title="Event log",
            says="Age of the oldest event that the log has not.",
            queries=one("max(leadline_event_log_lag_seconds)", "behind"),
            unit="s",
        ),
        Panel(
            title="Disk",
            says="Share that is free where data is kept, by process.",
            queries=one("min by (job, instance) (leadline_disk_free_ratio)", "{{job}} {{instance}}"),
            unit="percentunit",
        ),
        Panel(
            title="Memory of processes",
            says="Resident, by process.",
            queries=one('process_resident_memory_bytes{job=~"leadline-.+"}', "{{job}} {{instance}}"),
            unit="bytes",
        ),
    ),
)

OVERVIEW: Final = Dashboard(uid="leadline-overview", title="Leadline: overview", rows=(_NOW, _RUNS, _QUEUE, _SERVICE))
