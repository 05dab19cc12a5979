"""`/healthz`: the process answers. `/readyz`: it takes requests, until it leaves."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import Response

from leadline.service.serving import Leaving


def add_health(api: FastAPI, leaving: Leaving) -> None:
    """Add both paths to an application."""

    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def readyz() -> Response:
        if leaving.now:
            return Response(b'{"status":"leaving"}', status_code=503, media_type="application/json")
        return Response(b'{"status":"ready"}', media_type="application/json")

    api.add_api_route("/healthz", healthz, methods=["GET"], include_in_schema=False)
    api.add_api_route("/readyz", readyz, methods=["GET"], include_in_schema=False)
