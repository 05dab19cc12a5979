"""What each alert is told of and what it must let pass."""

from __future__ import annotations

from tests.integration.ops.objective_cases import GPUS, OBJECTIVES
from tests.integration.ops.rule_case import Case, histogram, requests


def _up(**jobs: str) -> dict[str, str]:
    return {f'up{{job="{job.replace("_", "-")}",instance="{job[-1]}:1"}}': values for job, values in jobs.items()}


_ALL_UP = _up(vllm="1x90", leadline_service="1x90", leadline_worker="1x90", leadline_tools="1x90", gpu="1x90")

_TARGETS = (
    Case(
        alert="TargetDown",
        at=3,
        fires={'up{job="leadline-worker",instance="w:1"}': "1 0x5"},
        quiet={
            "up": {'up{job="leadline-worker",instance="w:1"}': "1x5"},
            "one scrape missed": {'up{job="leadline-worker",instance="w:1"}': "1 0 1 1"},
            "not ours": {'up{job="elsewhere",instance="w:1"}': "0x5"},
        },
        labels={"job": "leadline-worker", "instance": "w:1"},
        summary="leadline-worker at w:1 answers no metrics",
    ),
    Case(
        alert="TargetsVanished",
        at=6,
        fires={name: values for name, values in _ALL_UP.items() if "worker" not in name},
        quiet={"all there": _ALL_UP, "down is not vanished": _ALL_UP | _up(leadline_worker="0x90")},
        severity="critical",
        labels={"job": "leadline-worker"},
        summary="Nothing of the job leadline-worker is watched any more",
    ),
    Case(
        alert="ReplicasMissing",
        at=6,
        fires={'up{job="leadline-worker",process="worker",instance="w:1"}': "1x9"},
        quiet={
            "two are up": {
                'up{job="leadline-worker",process="worker",instance="w:1"}': "1x9",
                'up{job="leadline-worker",process="worker",instance="w:2"}': "1x9",
            },
            "one was replaced": {
                'up{job="leadline-worker",process="worker",instance="w:1"}': "1x9",
                'up{job="leadline-worker",process="worker",instance="w:2"}': "1x2 _x9",
                'up{job="leadline-worker",process="worker",instance="w:3"}': "_x3 1x9",
            },
        },
        labels={"job": "leadline-worker", "process": "worker"},
        summary="1 of worker are up: too few",
    ),
    Case(
        alert="ReplicasMissing",
        at=6,
        fires={'up{job="leadline-service",instance="s:1"}': "1x9"},
        quiet={
            "found again": {
                'up{job="leadline-worker",process="worker",instance="w:1"}': "_x3 1x9",
                'up{job="leadline-worker",process="worker",instance="w:2"}': "_x3 1x9",
            },
        },
        labels={"job": "leadline-worker", "process": "worker"},
        summary="0 of worker are up: too few",
    ),
)

_MODELS = (
    Case(
        alert="ModelServiceDown",
        at=2,
        fires={'up{job="vllm",instance="a:8000"}': "0x5", 'up{job="vllm",instance="b:8000"}': "1x5"},
        quiet={
            "both up": {'up{job="vllm",instance="a:8000"}': "1x5", 'up{job="vllm",instance="b:8000"}': "1x5"},
            "a short break": {'up{job="vllm",instance="a:8000"}': "1 0 1 1x5"},
        },
        severity="critical",
        labels={"job": "vllm", "instance": "a:8000"},
        summary="The model server a:8000 is down",
    ),
    Case(
        alert="NoModelService",
        at=2,
        fires={'up{job="vllm",instance="a:8000"}': "0x5", 'up{job="vllm",instance="b:8000"}': "0x5"},
        quiet={
            "one is left": {'up{job="vllm",instance="a:8000"}': "0x5", 'up{job="vllm",instance="b:8000"}': "1x5"},
            "one answers calls": {
                'leadline_model_server_healthy{server="a",instance="w:1"}': "0x5",
                'leadline_model_server_healthy{server="b",instance="w:1"}': "1x5",
            },
            "some calls pass": {
                'leadline_model_server_healthy{server="a",instance="w:1"}': "1x5",
                'leadline_model_server_calls_total{server="a",instance="w:1",outcome="failed"}': "0+9x5",
                'leadline_model_server_calls_total{server="a",instance="w:1",outcome="answered"}': "0+1x5",
            },
        },
        severity="critical",
        summary="No model server answers",
    ),
    Case(
        alert="NoModelService",
        at=8,
        fires={
            'leadline_model_server_healthy{server="a",instance="idle:1"}': "1x9",
            'leadline_model_server_healthy{server="a",instance="w:1"}': "0x9",
            'leadline_model_server_calls_total{server="a",instance="w:1",outcome="failed"}': "0+3x9",
        },
        quiet={
            "nobody calls": {
                'leadline_model_server_healthy{server="a",instance="idle:1"}': "1x9",
                'leadline_model_server_healthy{server="a",instance="w:1"}': "0x9",
                'leadline_model_server_calls_total{server="a",instance="w:1",outcome="failed"}': "40x9",
            },
        },
        severity="critical",
        summary="No model server answers",
    ),
    Case(
        alert="ModelServerOutOfService",
        at=7,
        fires={
            'leadline_model_server_healthy{server="http://a:8000/v1",instance="w:1"}': "0x9",
            'leadline_model_server_healthy{server="http://a:8000/v1",instance="w:2"}': "1x9",
        },
        quiet={
            "in service": {'leadline_model_server_healthy{server="http://a:8000/v1",instance="w:1"}': "1x9"},
            "came back": {'leadline_model_server_healthy{server="http://a:8000/v1",instance="w:1"}': "0 0 0 1x9"},
            "only an idle process still thinks so": {
                'leadline_model_server_healthy{server="http://a:8000/v1",instance="idle:1"}': "0x9",
                'leadline_model_server_healthy{server="http://a:8000/v1",instance="w:1"}': "1x9",
                'leadline_model_server_calls_total{server="http://a:8000/v1",instance="idle:1",outcome="failed"}': "3x9",
                'leadline_model_server_calls_total{server="http://a:8000/v1",instance="w:1",outcome="answered"}': (
                    "0+5x9"
                ),
            },
        },
        labels={"server": "http://a:8000/v1"},
        summary="http://a:8000/v1 is out of service",
    ),
    Case(
        alert="GatewayErrors",
        at=25,
        fires={
            'leadline_gateway_requests_total{outcome="answered"}': "0+8x25",
            'leadline_gateway_requests_total{outcome="model_unavailable"}': "0+1x25",
            'leadline_gateway_requests_total{outcome="broken"}': "0+1x25",
        },
        quiet={
            "one in twenty-one": {
                'leadline_gateway_requests_total{outcome="answered"}': "0+20x25",
                'leadline_gateway_requests_total{outcome="broken"}': "0+1x25",
            },
            "clients are at fault": {
                'leadline_gateway_requests_total{outcome="invalid_api_key"}': "0+8x25",
                'leadline_gateway_requests_total{outcome="client_left"}': "0+8x25",
                'leadline_gateway_requests_total{outcome="context_overflow"}': "0+8x25",
            },
            "too few": {'leadline_gateway_requests_total{outcome="broken"}': "0+1x25"},
        },
        summary="20% of the requests at the gateway get no whole answer",
    ),
    Case(
        alert="SlowFirstToken",
        at=40,
        fires=histogram(
            "leadline_model_first_token_seconds",
            'server="a"',
            {"30.0": "0x60", "60.0": "0+2x60", "+Inf": "0+2x60"},
        ),
        quiet={
            "quick": histogram(
                "leadline_model_first_token_seconds",
                'server="a"',
                {"30.0": "0+2x60", "60.0": "0+2x60", "+Inf": "0+2x60"},
            ),
            "two calls": histogram(
                "leadline_model_first_token_seconds",
                'server="a"',
                {"30.0": "0x60", "60.0": "0x30 2x30", "+Inf": "0x30 2x30"},
            ),
        },
        labels={"server": "a"},
        summary="a takes 58.5s to the first token",
    ),
)


_RUNS = (
    Case(
        alert="HighErrorRate",
        at=45,
        fires=requests(error="0+1x60", success="0+3x60", partial="0+1x60"),
        quiet={
            "one of twenty": requests(error="0+1x60", success="0+19x60"),
            "cancelled by people": requests(error="0x60", success="0+1x60", cancelled="0+9x60", rejected="0+9x60"),
            "one of five runs": requests(error="0x30 1x30", success="0x30 4x30"),
            "no run": requests(error="0x60", success="0x60"),
        },
        severity="critical",
        summary="20% of runs fail",
    ),
    Case(
        alert="HighLatency",
        at=60,
        fires=requests(success="0+1x90")
        | histogram(
            "agent_request_latency_seconds",
            'method="api"',
            {"1800.0": "0x90", "3600.0": "0+1x90", "+Inf": "0+1x90"},
        ),
        quiet={
            "ten minutes": requests(success="0+1x90")
            | histogram(
                "agent_request_latency_seconds",
                'method="api"',
                {"600.0": "0+1x90", "1800.0": "0+1x90", "+Inf": "0+1x90"},
            ),
            "two runs": requests(success="0x40 2x50")
            | histogram(
                "agent_request_latency_seconds",
                'method="api"',
                {"1800.0": "0x90", "3600.0": "0x40 2x50", "+Inf": "0x40 2x50"},
            ),
        },
        summary="Runs take 58m 30s",
    ),
    Case(
        alert="ToolCallFailures",
        at=40,
        fires={
            'agent_tool_calls_total{tool="search",status="error"}': "0+2x60",
            'agent_tool_calls_total{tool="search",status="success"}': "0+2x60",
            'agent_tool_calls_total{tool="visit",status="success"}': "0+9x60",
        },
        quiet={
            "one of ten": {
                'agent_tool_calls_total{tool="search",status="error"}': "0+1x60",
                'agent_tool_calls_total{tool="search",status="success"}': "0+9x60",
            },
            "four calls": {
                'agent_tool_calls_total{tool="search",status="error"}': "0x30 4x30",
                'agent_tool_calls_total{tool="search",status="success"}': "0x60",
            },
            "refused by a rule": {
                'agent_tool_calls_total{tool="search",status="refused"}': "0+9x60",
                'agent_tool_calls_total{tool="search",status="success"}': "0+2x60",
            },
        },
        labels={"tool": "search"},
        summary="50% of the calls of search fail",
    ),
    Case(
        alert="RunsGivenUp",
        at=30,
        fires={'leadline_runs_left_total{how="given_up"}': "0+1x40"},
        quiet={
            "they end": {'leadline_runs_left_total{how="finished"}': "0+9x40"},
            "a worker drains": {'leadline_runs_left_total{how="handed_over"}': "0+9x40"},
            "two": {'leadline_runs_left_total{how="lost"}': "0x20 2x20"},
        },
        summary="15 runs were given up or lost in a quarter of an hour",
    ),
)

_QUEUE = (
    Case(
        alert="QueueAge",
        at=10,
        fires={'leadline_queue_oldest_seconds{instance="w:1"}': "400x20"},
        quiet={
            "short": {'leadline_queue_oldest_seconds{instance="w:1"}': "60x20"},
            "a short peak": {'leadline_queue_oldest_seconds{instance="w:1"}': "0 400 400 0x20"},
        },
        summary="A run has waited for 6m 40s",
    ),
    Case(
        alert="QueueStalled",
        at=10,
        fires={
            'leadline_queue_runs{state="claimable",instance="w:1"}': "3x20",
            'agent_active_tasks{instance="w:1"}': "0x20",
        },
        quiet={
            "somebody works": {
                'leadline_queue_runs{state="claimable",instance="w:1"}': "3x20",
                'agent_active_tasks{instance="w:1"}': "0x20",
                'agent_active_tasks{instance="w:2"}': "1x20",
            },
            "nothing waits": {
                'leadline_queue_runs{state="claimable",instance="w:1"}': "0x20",
                'agent_active_tasks{instance="w:1"}': "0x20",
            },
        },
        severity="critical",
        summary="3 runs wait and nobody works on any",
    ),
    Case(
        alert="StuckLeases",
        at=10,
        fires={
            'leadline_queue_runs{state="claimable",instance="w:1"}': "4x20",
            'leadline_queue_runs{state="queued",instance="w:1"}': "3x20",
        },
        quiet={
            "they only wait": {
                'leadline_queue_runs{state="claimable",instance="w:1"}': "3x20",
                'leadline_queue_runs{state="queued",instance="w:1"}': "3x20",
            },
            "taken up soon": {
                'leadline_queue_runs{state="claimable",instance="w:1"}': "0 2 0x20",
                'leadline_queue_runs{state="queued",instance="w:1"}': "0x20",
            },
        },
        summary="Runs lost their worker and nobody takes them up",
    ),
    Case(
        alert="NoWorkers",
        at=4,
        fires=_up(leadline_worker="0x9"),
        quiet={"one is up": _up(leadline_worker="1x9")},
        severity="critical",
        summary="No worker is up",
    ),
    Case(
        alert="StoreDown",
        at=3,
        fires={
            'leadline_reachable{part="store",instance="w:1"}': "1 0x9",
            'leadline_reachable{part="store",instance="s:1"}': "1 0x9",
        },
        quiet={
            "one reaches it": {
                'leadline_reachable{part="store",instance="w:1"}': "0x9",
                'leadline_reachable{part="store",instance="s:1"}': "1x9",
            }
        },
        severity="critical",
        summary="No process reaches the store",
    ),
    Case(
        alert="LeaseStorm",
        at=20,
        fires={'leadline_lease_expiries_total{instance="w:1"}': "0+1x30"},
        quiet={
            "one worker with four runs died": {'leadline_lease_expiries_total{instance="w:1"}': "0x10 4x20"},
            "new processes": {'leadline_lease_expiries_total{instance="w:2"}': "0x30"},
        },
        severity="critical",
        summary="15 runs lost their worker in a quarter of an hour",
    ),
)


def _seen(part: str, **by: str) -> dict[str, str]:
    return {f'leadline_reachable{{part="{part}",instance="{name}:1"}}': values for name, values in by.items()}


def _broken(part: str, states: str, *, opened: str) -> dict[str, str]:
    return {
        f'leadline_breaker_state{{part="{part}",instance="w:1"}}': states,
        f'leadline_breaker_changes_total{{part="{part}",state="open",instance="w:1"}}': opened,
    }


_PARTS = (
    Case(
        alert="BrokerDown",
        at=4,
        fires=_seen("broker", w="1 0x9", s="1 0x9"),
        quiet={"one reaches it": _seen("broker", w="0x9", s="1x9"), "another's": _seen("cache", w="0x9")},
        summary="The broker is down",
    ),
    *(
        case
        for part in ("cache", "limits")
        for case in (
            Case(
                alert=f"{part.title()}Down",
                at=4,
                fires=_seen(part, w="1 0x9", s="1 0x9"),
                quiet={
                    "one reaches it": _seen(part, w="0x9", s="1x9"),
                    "a hiccup": _seen(part, w="1 0 1x9"),
                },
                summary=f"The shared {part} {'is' if part == 'cache' else 'are'} down",
            ),
            Case(
                alert=f"{part.title()}Down",
                at=6,
                fires=_broken(part, "2 1 2 1 2 1 2 1", opened="0+1x9"),
                quiet={
                    "up": _broken(part, "0x9", opened="3x9"),
                    "nobody has tried it since": _broken(part, "2x9", opened="3x9"),
                },
                summary=f"The shared {part} {'is' if part == 'cache' else 'are'} down",
            ),
        )
    ),
    Case(
        alert="PartBroken",
        at=7,
        fires=_broken("tool:search", "2x9", opened="0+1x9"),
        quiet={
            "up": _broken("tool:search", "0x9", opened="3x9"),
            "nobody has tried it since": _broken("tool:search", "2x9", opened="3x9"),
            "another's": _broken("cache", "2x9", opened="0+1x9"),
        },
        labels={"part": "tool:search"},
        summary="tool:search is not called any more",
    ),
    Case(
        alert="DiskNearlyFull",
        at=7,
        fires={'leadline_disk_free_ratio{folder="data",instance="w:1"}': "0.05x9"},
        quiet={"half": {'leadline_disk_free_ratio{folder="data",instance="w:1"}': "0.5x9"}},
        severity="critical",
        labels={"instance": "w:1"},
        summary="The disk of w:1 has 5% left",
    ),
    Case(
        alert="EventLogLag",
        at=7,
        fires={'leadline_event_log_lag_seconds{instance="w:1"}': "600x9"},
        quiet={"keeps up": {'leadline_event_log_lag_seconds{instance="w:1"}': "2x9"}},
        summary="The event log is 10m 0s behind",
    ),
)

_MONEY = (
    Case(
        alert="SpendHigh",
        at=90,
        fires={'leadline_run_cost_usd_total{strategy="react"}': "0+1x90"},
        quiet={"little": {'leadline_run_cost_usd_total{strategy="react"}': "0+0.1x90"}},
        severity="critical",
        summary="60 US dollars were spent in an hour",
    ),
    Case(
        alert="SpendUnusual",
        at=1552,
        step=4,
        fires={'leadline_run_cost_usd_total{strategy="react"}': "0+0.04x375 15+0.8x25"},
        quiet={
            "as ever": {'leadline_run_cost_usd_total{strategy="react"}': "0+0.8x400"},
            "cents": {'leadline_run_cost_usd_total{strategy="react"}': "0+0.002x375 0.75+0.02x25"},
            "the first day": {'leadline_run_cost_usd_total{strategy="react"}': "0x375 0+0.8x25"},
        },
        summary="9.68 US dollars were spent in an hour, far more than usual",
    ),
    Case(
        alert="QuotaNearlyUsed",
        at=3,
        fires={'leadline_quota_used_ratio{quota="usd",instance="s:1"}': "0.95x9"},
        quiet={"half": {'leadline_quota_used_ratio{quota="usd",instance="s:1"}': "0.5x9"}},
        labels={"quota": "usd"},
        summary="A tenant has used 95% of its usd of today",
    ),
    Case(
        alert="QuotaRefusals",
        at=20,
        fires={'leadline_rejections_total{reason="tenant_usd",instance="s:1"}': "0+1x30"},
        quiet={
            "two": {'leadline_rejections_total{reason="tenant_usd",instance="s:1"}': "0x10 2x20"},
            "another limit": {'leadline_rejections_total{reason="key_rate",instance="s:1"}': "0+9x30"},
        },
        labels={"reason": "tenant_usd"},
        summary="15 questions were refused: tenant_usd",
    ),
    Case(
        alert="ProviderHolds",
        at=40,
        fires={'leadline_limit_holds_total{limit="service:serper",instance="w:1"}': "0+1x60"},
        quiet={"now and then": {'leadline_limit_holds_total{limit="service:serper",instance="w:1"}': "0+0.2x60"}},
        labels={"limit": "service:serper"},
        summary="service:serper asks us to wait, again and again",
        detail="15 answers in a quarter of an hour were 429: its quota is used up, or shared.",
    ),
)

_QUALITY = (
    Case(
        alert="UnsupportedClaims",
        at=100,
        fires={
            'leadline_claims_total{verdict="supported"}': "0+1x150",
            'leadline_claims_total{verdict="unsupported"}': "0+1x150",
        },
        quiet={
            "one of ten": {
                'leadline_claims_total{verdict="supported"}': "0+9x150",
                'leadline_claims_total{verdict="unsupported"}': "0+1x150",
            },
            "one report": {'leadline_claims_total{verdict="unsupported"}': "0x60 9x90"},
            "partial is some support": {
                'leadline_claims_total{verdict="supported"}': "0+1x150",
                'leadline_claims_total{verdict="partial"}': "0+9x150",
            },
        },
        summary="50% of claims have no support",
    ),
    Case(
        alert="EmptySearches",
        at=100,
        fires={
            'leadline_searches_total{result="empty"}': "0+3x150",
            'leadline_searches_total{result="found"}': "0+1x150",
        },
        quiet={
            "most find": {
                'leadline_searches_total{result="empty"}': "0+1x150",
                'leadline_searches_total{result="found"}': "0+3x150",
            },
            "failed is another alert's": {
                'leadline_searches_total{result="failed"}': "0+3x150",
                'leadline_searches_total{result="found"}': "0+1x150",
            },
            "three searches": {'leadline_searches_total{result="empty"}': "0x60 3x90"},
        },
        summary="75% of searches find nothing",
    ),
)


CASES = (*_TARGETS, *_MODELS, *_RUNS, *_QUEUE, *_PARTS, *_MONEY, *_QUALITY, *OBJECTIVES, *GPUS)
