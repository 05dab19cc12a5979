"""How good the research is, what it asks, and what it costs."""

from __future__ import annotations

from typing import Final

from leadline.ops.monitoring.grafana import Dashboard, Panel, Query, Row, one

_QUALITY: Final = Row(
    title="Quality",
    panels=(
        Panel(
            title="Claims",
            says="An hour, by verdict.",
            queries=one("sum by (verdict) (increase(leadline_claims_total[1h]))", "{{verdict}}"),
            stacked=True,
        ),
        Panel(
            title="Claims without support",
            says="Share that is unsupported or contradicted.",
            queries=one("leadline:claims_without_support:ratio_increase1h"),
            unit="percentunit",
            bound=0.25,
        ),
        Panel(
            title="Searches without a hit",
            says="Share of queries that found nothing.",
            queries=one("leadline:empty_searches:ratio_increase1h"),
            unit="percentunit",
            bound=0.5,
        ),
        Panel(
            title="Queries asked again",
            says="Share that the same run had asked before.",
            queries=one(
                'sum(increase(leadline_queries_total{novelty="repeated"}[1h])) '
                "/ (sum(increase(leadline_queries_total[1h])) > 0)"
            ),
            unit="percentunit",
        ),
        Panel(
            title="Pages",
            says="An hour: read, or why not.",
            queries=one("sum by (outcome) (increase(leadline_fetches_total[1h]))", "{{outcome}}"),
            stacked=True,
        ),
        Panel(
            title="Folds",
            says="Transcripts an hour that were folded to fit the window.",
            queries=one("sum by (strategy) (increase(leadline_context_folds_total[1h])) > 0", "{{strategy}}"),
            rare=True,
        ),
    ),
)

_TOOLS: Final = Row(
    title="Tools and providers",
    panels=(
        Panel(
            title="Calls of tools",
            says="A minute, by tool and outcome.",
            queries=one("sum by (tool, status) (rate(agent_tool_calls_total[5m])) * 60 > 0", "{{tool}} {{status}}"),
        ),
        Panel(
            title="Time of a tool's call",
            says="95 of 100.",
            queries=one(
                "histogram_quantile(0.95, sum by (le, tool) (rate(agent_tool_latency_seconds_bucket[15m])))", "{{tool}}"
            ),
            unit="s",
        ),
        Panel(
            title="Providers",
            says="Requests an hour, by outcome.",
            queries=one(
                "sum by (provider, outcome) (increase(leadline_provider_requests_total[1h]))",
                "{{provider}} {{outcome}}",
            ),
        ),
        Panel(
            title="Time of a provider",
            says="95 of 100.",
            queries=one(
                "histogram_quantile(0.95, sum by (le, provider) (rate(leadline_provider_seconds_bucket[15m])))",
                "{{provider}}",
            ),
            unit="s",
        ),
        Panel(
            title="Answers from the cache",
            says="Share of answers that were not loaded.",
            queries=one("category:leadline_cache_hits:ratio_increase30m", "{{category}}"),
            unit="percentunit",
        ),
        Panel(
            title="Asked to wait",
            says="Answers an hour of 429 and its like, and calls that found no room.",
            queries=(
                Query(query="sum by (limit) (increase(leadline_limit_holds_total[1h]))", legend="{{limit}} 429"),
                Query(query="sum by (limit) (increase(leadline_limit_refusals_total[1h]))", legend="{{limit}} refused"),
            ),
            rare=True,
        ),
    ),
)

_MONEY: Final = Row(
    title="Money",
    panels=(
        Panel(
            title="Spent",
            says="US dollars an hour, by strategy.",
            queries=one("sum by (strategy) (increase(leadline_run_cost_usd_total[1h]))", "{{strategy}}"),
            unit="currencyUSD",
            stacked=True,
        ),
        Panel(
            title="A supported claim",
            says="US dollars spent for each supported claim.",
            queries=one(
                "sum(increase(leadline_run_cost_usd_total[1h])) "
                '/ (sum(increase(leadline_claims_total{verdict="supported"}[1h])) > 0)'
            ),
            unit="currencyUSD",
        ),
        Panel(
            title="Budgets of the day",
            says="Share used by the tenant that is nearest to its end.",
            queries=one("max by (quota) (leadline_quota_used_ratio)", "{{quota}}"),
            unit="percentunit",
            bound=0.9,
        ),
    ),
)

RESEARCH: Final = Dashboard(
    uid="leadline-research", title="Leadline: research and money", rows=(_QUALITY, _TOOLS, _MONEY)
)
