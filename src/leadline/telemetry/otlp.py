"""Spans to a collector over OTLP/HTTP, in the background; needs the extra `otel`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from leadline.version import __version__

PATH: Final = "/v1/traces"


def resource_of(process: str) -> Resource:
    """Return what spans say of this process, with what `OTEL_RESOURCE_ATTRIBUTES` adds. Takes a moment."""
    return Resource.create({"service.name": f"leadline-{process}", "service.version": __version__})


@contextmanager
def exporting(url: str, headers: Mapping[str, str]) -> Iterator[BatchSpanProcessor]:
    """Yield what takes spans for the collector at `url`; on leaving, what waits is sent."""
    endpoint = url if url.endswith(PATH) else f"{url.rstrip('/')}{PATH}"
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, headers=dict(headers), timeout=5.0))
    try:
        yield processor
    finally:
        processor.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry annotates it in part
