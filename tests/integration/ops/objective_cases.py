"""What burns a budget of errors, and what GPUs are told of."""

from __future__ import annotations

from tests.integration.ops.rule_case import Case, histogram, requests


def _http(status: str) -> str:
    return f'leadline_http_requests_total{{job="leadline-service",route="/v1/research",status="{status}"}}'


def _probe(status: str) -> str:
    return f'leadline_http_requests_total{{job="leadline-service",route="/readyz",status="{status}"}}'


def _burn(slo: str, window: str, rate: str, **case: object) -> Case:
    values: dict[str, object] = {
        "alert": f"{slo.capitalize()}BudgetBurn",
        "labels": {"slo": slo, "window": window},
        "severity": "warning" if window == "3d" else "critical",
        "summary": f"The error budget of {slo} burns {rate} times too fast",
    }
    return Case(**(values | case))  # type: ignore[arg-type]  # the names are a case's own


OBJECTIVES = (
    _burn(
        "availability",
        "1h",
        "14.4",
        at=90,
        also=("6h", "3d"),
        fires={_http("200"): "0+80x90", _http("503"): "0+20x90"},
        quiet={
            "one of ten": {_http("200"): "0+90x90", _http("503"): "0+10x90"},
            "refused callers": {_http("200"): "0+80x90", _http("429"): "0+20x90"},
            "over since ten minutes": {_http("200"): "0+80x90", _http("503"): "0+20x75 1500x15"},
            "probes of a leaving process": {_http("200"): "0+80x90", _probe("503"): "0+80x90"},
        },
        detail="The objective is that 99% of requests to the service are answered without a failure of its own; "
        "over 1h 20% did not.",
    ),
    _burn(
        "availability",
        "6h",
        "6",
        at=480,
        step=4,
        also=("3d",),
        fires={_http("200"): "0+92x120", _http("503"): "0+8x120"},
        quiet={"one of a hundred": {_http("200"): "0+99x120", _http("503"): "0+1x120"}},
        detail="The objective is that 99% of requests to the service are answered without a failure of its own; "
        "over 6h 8% did not.",
    ),
    _burn(
        "availability",
        "3d",
        "1",
        at=4500,
        step=15,
        fires={_http("200"): "0+98x300", _http("503"): "0+2x300"},
        quiet={"one of two hundred": {_http("200"): "0+199x300", _http("503"): "0+1x300"}},
        detail="The objective is that 99% of requests to the service are answered without a failure of its own; "
        "over 3d 2% did not.",
    ),
    _burn(
        "research",
        "1h",
        "14.4",
        at=90,
        also=("6h", "3d"),
        fires=requests(success="0+1x90", error="0+4x90"),
        quiet={"half": requests(success="0+1x90", error="0+1x90"), "one run": requests(error="0x60 1x30")},
        detail="The objective is that 95% of runs end in a report; over 1h 80% did not.",
    ),
    _burn(
        "research",
        "6h",
        "6",
        at=480,
        step=4,
        also=("3d",),
        fires=requests(success="0+3x120", error="0+2x120"),
        quiet={"one of five": requests(success="0+4x120", error="0+1x120")},
        detail="The objective is that 95% of runs end in a report; over 6h 40% did not.",
    ),
    _burn(
        "research",
        "3d",
        "1",
        at=4500,
        step=15,
        fires=requests(success="0+9x300", error="0+1x300"),
        quiet={"one of fifty": requests(success="0+49x300", error="0+1x300")},
        detail="The objective is that 95% of runs end in a report; over 3d 10% did not.",
    ),
    _burn(
        "latency",
        "6h",
        "6",
        at=480,
        step=4,
        also=("3d",),
        fires=histogram("agent_request_latency_seconds", 'method="api"', {"1800.0": "0+1x120", "+Inf": "0+5x120"}),
        quiet={
            "half": histogram("agent_request_latency_seconds", 'method="api"', {"1800.0": "0+1x120", "+Inf": "0+2x120"})
        },
        detail="The objective is that 90% of runs end within half an hour, the queue included; over 6h 80% did not.",
    ),
    _burn(
        "latency",
        "3d",
        "1",
        at=4500,
        step=15,
        fires=histogram("agent_request_latency_seconds", 'method="api"', {"1800.0": "0+4x300", "+Inf": "0+5x300"}),
        quiet={
            "one of twenty": histogram(
                "agent_request_latency_seconds", 'method="api"', {"1800.0": "0+19x300", "+Inf": "0+20x300"}
            )
        },
        detail="The objective is that 90% of runs end within half an hour, the queue included; over 3d 20% did not.",
    ),
)

_DCGM = 'gpu="0",UUID="GPU-aa",instance="a:9400"'
_SMI = 'uuid="bb",instance="b:9835"'

GPUS = (
    Case(
        alert="GpuMemoryFull",
        at=20,
        fires={f"DCGM_FI_DEV_FB_USED{{{_DCGM}}}": "99x30", f"DCGM_FI_DEV_FB_FREE{{{_DCGM}}}": "1x30"},
        quiet={
            "as vLLM takes it": {
                f"DCGM_FI_DEV_FB_USED{{{_DCGM}}}": "92x30",
                f"DCGM_FI_DEV_FB_FREE{{{_DCGM}}}": "8x30",
                f"nvidia_smi_memory_used_bytes{{{_SMI}}}": "92x30",
                f"nvidia_smi_memory_total_bytes{{{_SMI}}}": "100x30",
            }
        },
        labels={"instance": "a:9400", "card": "GPU-aa"},
        summary="GPU-aa at a:9400 uses 99% of its memory",
    ),
    Case(
        alert="GpuHot",
        at=10,
        fires={f"nvidia_smi_temperature_gpu{{{_SMI}}}": "91x20"},
        quiet={"warm": {f"nvidia_smi_temperature_gpu{{{_SMI}}}": "70x20", f"DCGM_FI_DEV_GPU_TEMP{{{_DCGM}}}": "70x20"}},
        labels={"instance": "b:9835", "card": "bb"},
        summary="bb at b:9835 has 91 degrees",
    ),
    Case(
        alert="GpuErrors",
        at=3,
        fires={f"DCGM_FI_DEV_XID_ERRORS{{{_DCGM}}}": "79x9"},
        quiet={"none": {f"DCGM_FI_DEV_XID_ERRORS{{{_DCGM}}}": "0x9"}},
        severity="critical",
        labels={"instance": "a:9400", "card": "GPU-aa"},
        summary="GPU-aa at a:9400 reports the error Xid 79",
    ),
)
