"""`/metrics`: what the process counts, in Prometheus' text format, for whoever may read it."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

from leadline.service.answers import Problem
from leadline.service.problems import UNAUTHORIZED, plain_problem
from leadline.wiring.telemetry import METRICS_TYPE, Telemetry

METRICS: Final = "/metrics"


def add_metrics(api: FastAPI, telemetry: Telemetry) -> None:
    """Add the path to an application whose telemetry counts."""

    async def metrics(request: Request) -> Response:
        refusal = telemetry.refusal(request.client.host if request.client else "", request.headers)
        if refusal is not None:
            return Problem(plain_problem(401, UNAUTHORIZED, refusal))
        return Response(await telemetry.text(), media_type=None, headers={"content-type": METRICS_TYPE})

    if telemetry.metrics is not None:
        api.add_api_route(METRICS, metrics, methods=["GET"], include_in_schema=False)
