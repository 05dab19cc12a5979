"""Models, their servers, and the machines below."""

from __future__ import annotations

from typing import Final

from leadline.ops.monitoring.grafana import Dashboard, Panel, Query, Row, one

_MODELS: Final = Row(
    title="Calls of models",
    panels=(
        Panel(
            title="Calls",
            says="A minute at each server, by outcome.",
            queries=one(
                "sum by (server, outcome) (rate(leadline_model_server_calls_total[5m])) * 60", "{{server}} {{outcome}}"
            ),
        ),
        Panel(
            title="Servers in service",
            says="1: in service, as all processes see it.",
            queries=one("min by (server) (leadline_model_server_healthy)", "{{server}}"),
        ),
        Panel(
            title="First token",
            says="95 of 100 calls, by server.",
            queries=one("server:leadline_model_first_token_seconds:p95_15m", "{{server}}"),
            unit="s",
            bound=30,
        ),
        Panel(
            title="Time of a call",
            says="95 of 100, by what it was for, with waiting for a server.",
            queries=one(
                "histogram_quantile(0.95, sum by (le, purpose) (rate(leadline_model_seconds_bucket[15m])))",
                "{{purpose}}",
            ),
            unit="s",
        ),
        Panel(
            title="Tokens",
            says="A second; cached ones are in input too.",
            queries=one("sum by (type) (rate(agent_model_tokens_total[5m]))", "{{type}}"),
            unit="ops",
        ),
        Panel(
            title="Conversations that stay",
            says="Calls of a conversation on the server that knows it, on another one, or the first.",
            queries=one("sum by (session) (increase(leadline_model_pool_turns_total[30m]))", "{{session}}"),
            stacked=True,
        ),
    ),
)

_GATEWAY: Final = Row(
    title="The gateway",
    panels=(
        Panel(
            title="Requests of clients",
            says="A minute by how they ended; calls of runs that go through the gateway are among them.",
            queries=one("sum by (outcome) (rate(leadline_gateway_requests_total[5m])) * 60", "{{outcome}}"),
        ),
        Panel(
            title="Time of a request",
            says="95 of 100, from its first byte to its answer's last.",
            queries=one(
                "histogram_quantile(0.95, sum by (le) (rate(leadline_gateway_request_seconds_bucket[15m])))", "p95"
            ),
            unit="s",
        ),
        Panel(
            title="Under way",
            says="Requests at servers, and those that wait for one with room.",
            queries=(
                Query(query="sum(leadline_gateway_in_flight)", legend="under way"),
                Query(query="sum(leadline_gateway_waiting)", legend="waiting"),
            ),
        ),
        Panel(
            title="Calls at each server",
            says="Under way; a server that is drained comes to 0.",
            queries=(
                Query(query="sum by (server) (leadline_gateway_server_in_flight)", legend="{{server}}"),
                Query(query="max by (server) (leadline_gateway_server_draining)", legend="{{server}} is drained"),
            ),
        ),
        Panel(
            title="Asked elsewhere",
            says="Share of requests for which another server was asked.",
            queries=one(
                "sum(rate(leadline_gateway_failovers_total[15m])) / sum(rate(leadline_gateway_requests_total[15m]))",
                "asked elsewhere",
            ),
            unit="percentunit",
        ),
        Panel(
            title="Clients' conversations that stay",
            says="Calls of a known conversation on the server that knows it, or on another one.",
            queries=one("sum by (session) (increase(leadline_gateway_turns_total[30m]))", "{{session}}"),
            stacked=True,
        ),
    ),
)

_VLLM: Final = Row(
    title="vLLM",
    panels=(
        Panel(
            title="Requests",
            says="Running and waiting, as the servers tell.",
            queries=(
                Query(query="sum by (instance) (vllm:num_requests_running)", legend="{{instance}} running"),
                Query(query="sum by (instance) (vllm:num_requests_waiting)", legend="{{instance}} waiting"),
            ),
        ),
        Panel(
            title="Cache of keys and values",
            says="Share in use; full means that requests wait or are put back.",
            queries=one(
                "max by (instance) (vllm:kv_cache_usage_perc) or max by (instance) (vllm:gpu_cache_usage_perc)",
                "{{instance}}",
            ),
            unit="percentunit",
            bound=0.95,
        ),
        Panel(
            title="Prefixes found",
            says="Share of prompt tokens that were in the cache.",
            queries=one(
                "sum by (instance) (rate(vllm:prefix_cache_hits_total[15m])) "
                "/ sum by (instance) (rate(vllm:prefix_cache_queries_total[15m]))",
                "{{instance}}",
            ),
            unit="percentunit",
        ),
        Panel(
            title="Tokens written",
            says="A second, by server.",
            queries=one("sum by (instance) (rate(vllm:generation_tokens_total[5m]))", "{{instance}}"),
            unit="ops",
        ),
    ),
)

_GPUS: Final = Row(
    title="GPUs",
    panels=(
        Panel(
            title="Load",
            says="Share of the time in which something ran.",
            queries=one("card:gpu_busy:ratio", "{{instance}} {{card}}"),
            unit="percentunit",
        ),
        Panel(
            title="Memory",
            says="Share in use; vLLM takes a fixed one.",
            queries=one("card:gpu_memory_used:ratio", "{{instance}} {{card}}"),
            unit="percentunit",
            bound=0.97,
        ),
        Panel(
            title="Temperature",
            says="Of the chip.",
            queries=one("card:gpu_temperature:celsius", "{{instance}} {{card}}"),
            unit="celsius",
            bound=88,
        ),
    ),
)

MODELS: Final = Dashboard(
    uid="leadline-models", title="Leadline: models and GPUs", rows=(_MODELS, _GATEWAY, _VLLM, _GPUS)
)
