"""`/metrics`: what the process counts, in Prometheus' text format."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import Response

from leadline.wiring.telemetry import METRICS_TYPE, Telemetry


def add_metrics(api: FastAPI, telemetry: Telemetry) -> None:
    """Add the path to an application whose telemetry counts."""

    async def metrics() -> Response:
        return Response(await telemetry.text(), media_type=None, headers={"content-type": METRICS_TYPE})

    if telemetry.metrics is not None:
        api.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
