"""GPUs, as two exporters tell of them, under one name each: NVIDIA's DCGM exporter, and one of nvidia-smi.

https://docs.nvidia.com/datacenter/dcgm/latest/gpu-telemetry/dcgm-exporter.html
https://github.com/utkuozdemir/nvidia_gpu_exporter
"""

from __future__ import annotations

from leadline.ops.monitoring.rules import Alert, Group, Record
from leadline.ops.monitoring.targets import Targets, Thresholds

_DCGM = ("label_replace(", ', "card", "$1", "UUID", "(.+)")')
_SMI = ("label_replace(", ', "card", "$1", "uuid", "(.+)")')


def _both(dcgm: str, smi: str) -> str:
    """Return a query over both: a card is named by its `card` label."""
    return f"max by (instance, card) ({_DCGM[0]}{dcgm}{_DCGM[1]})\nor max by (instance, card) ({_SMI[0]}{smi}{_SMI[1]})"


def gpu_groups(targets: Targets, over: Thresholds) -> list[Group]:
    """Return what is recorded and told of GPUs; nothing where none is watched."""
    if not targets.gpu:
        return []
    records = (
        Record(
            name="card:gpu_busy:ratio",
            query=_both("DCGM_FI_DEV_GPU_UTIL / 100", "nvidia_smi_utilization_gpu_ratio"),
        ),
        Record(
            name="card:gpu_memory_used:ratio",
            query=_both(
                "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)",
                "nvidia_smi_memory_used_bytes / nvidia_smi_memory_total_bytes",
            ),
        ),
        Record(
            name="card:gpu_temperature:celsius",
            query=_both("DCGM_FI_DEV_GPU_TEMP", "nvidia_smi_temperature_gpu"),
        ),
    )
    alerts = (
        Alert(
            name="GpuMemoryFull",
            query=f"card:gpu_memory_used:ratio > {over.gpu_memory}",
            lasting=900,
            severity="warning",
            summary="{{ $labels.card }} at {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory",
            detail="A server that asks for more fails; vLLM takes a fixed share, which leaves room by intent.",
        ),
        Alert(
            name="GpuHot",
            query=f"card:gpu_temperature:celsius > {over.gpu_celsius:g}",
            lasting=300,
            severity="warning",
            summary="{{ $labels.card }} at {{ $labels.instance }} has {{ $value }} degrees",
            detail="It slows down, and at some point switches itself off.",
        ),
        Alert(
            name="GpuErrors",
            query="max by (instance, card) (" + _DCGM[0] + "DCGM_FI_DEV_XID_ERRORS" + _DCGM[1] + ") > 0",
            severity="critical",
            summary="{{ $labels.card }} at {{ $labels.instance }} reports the error Xid {{ $value }}",
            detail="The driver or the card has failed; what Xid means is in NVIDIA's list.",
        ),
    )
    return [Group(name="gpu", rules=(*records, *alerts))]
