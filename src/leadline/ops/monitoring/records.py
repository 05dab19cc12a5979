"""What alerts and dashboards both ask: computed once, under one name.

Names are `level:metric:operation`, as https://prometheus.io/docs/practices/rules/ advises. Shares
are missing, not zero, where nothing happened.
"""

from __future__ import annotations

from typing import Final

from leadline.ops.monitoring.rules import Group, Record

ENDED: Final = 'status=~"success|partial|error"'
"""Runs that had their chance: cancelled and refused ones say nothing of the service."""


def _share(part: str, whole: str) -> str:
    return f"{part}\n  / ({whole} > 0)"


def _increase(metric: str, window: str, *, by: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase({metric}[{window}]))"


def runs_for_workers(matchers: str = "") -> str:
    """Return the query of how many runs workers have, or may take: one number, whoever answers metrics.

    Every process tells the same of the store, so that the greatest counts and not the sum; `claimable`
    holds queued runs once more, and runs that wait for their user need no worker. `matchers` choose
    series, each with a comma behind it.
    """
    return f'max(sum without (state) (leadline_queue_runs{{{matchers}state=~"queued|running"}}))'


RECORDS: Final = Group(
    name="leadline-records",
    rules=(
        Record(
            name="leadline:runs_ended:increase30m",
            query=_increase(f"agent_requests_total{{{ENDED}}}", "30m"),
        ),
        Record(
            name="leadline:run_errors:ratio_increase30m",
            query=_share(
                _increase('agent_requests_total{status="error"}', "30m"),
                _increase(f"agent_requests_total{{{ENDED}}}", "30m"),
            ),
        ),
        *(
            Record(
                name=f"leadline:run_latency_seconds:p{share}_30m",
                query=f"histogram_quantile(0.{share}, sum by (le) (rate(agent_request_latency_seconds_bucket[30m])))",
            )
            for share in (50, 95)
        ),
        Record(
            name="tool:agent_tool_calls:increase15m",
            query=_increase('agent_tool_calls_total{status=~"success|error"}', "15m", by="tool"),
        ),
        Record(
            name="tool:agent_tool_call_errors:ratio_increase15m",
            query=_share(
                _increase('agent_tool_calls_total{status="error"}', "15m", by="tool"),
                _increase('agent_tool_calls_total{status=~"success|error"}', "15m", by="tool"),
            ),
        ),
        Record(name="state:leadline_queue_runs:max", query="max by (state) (leadline_queue_runs)"),
        Record(name="leadline:runs_for_workers:max", query=runs_for_workers()),
        Record(name="leadline:queue_oldest_seconds:max", query="max(leadline_queue_oldest_seconds)"),
        Record(name="leadline:workers:up", query='sum(up{job="leadline-worker"}) or vector(0)'),
        Record(
            name="leadline:lease_expiries:increase15m",
            query=_increase("leadline_lease_expiries_total", "15m"),
        ),
        Record(name="leadline:run_cost_usd:increase1h", query=_increase("leadline_run_cost_usd_total", "1h")),
        Record(
            name="leadline:run_cost_usd:usual1h",
            query="sum(increase(leadline_run_cost_usd_total[1d] offset 1h)) / 24",
        ),
        Record(name="leadline:claims:increase1h", query=_increase("leadline_claims_total", "1h")),
        Record(
            name="leadline:claims_without_support:ratio_increase1h",
            query=_share(
                _increase('leadline_claims_total{verdict=~"unsupported|contradicted"}', "1h"),
                _increase("leadline_claims_total", "1h"),
            ),
        ),
        Record(name="leadline:searches:increase1h", query=_increase("leadline_searches_total", "1h")),
        Record(
            name="leadline:empty_searches:ratio_increase1h",
            query=_share(
                _increase('leadline_searches_total{result="empty"}', "1h"),
                _increase("leadline_searches_total", "1h"),
            ),
        ),
        Record(
            name="category:leadline_cache_hits:ratio_increase30m",
            query=_share(
                _increase('leadline_cache_answers_total{layer!="load"}', "30m", by="category"),
                _increase("leadline_cache_answers_total", "30m", by="category"),
            ),
        ),
        Record(
            name="server:leadline_model_first_token_seconds:p95_15m",
            query=(
                "histogram_quantile(0.95, sum by (le, server) (rate(leadline_model_first_token_seconds_bucket[15m])))"
            ),
        ),
    ),
)
