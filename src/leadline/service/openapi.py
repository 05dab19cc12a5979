"""The OpenAPI document: what the routes say of themselves, with the credentials and failures that all share."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from leadline.service.routing import ACTION
from leadline.service.shapes import ProblemShown

_TOLD: Final = (
    "Research over HTTP: ask, watch, read the report and the evidence under it. Every answer that is no success is "
    "a problem detail (RFC 9457) with a stable `code`. `x-leadline-action` names what a key must be permitted."
)
_SECURITY: Final = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key (`ll_...`) of `leadline keys create`, or a token of the identity provider that is set.",
    }
}


def documented(api: FastAPI) -> None:
    """Give an application its document, made at the first wish."""

    def made() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = _document(api)
        return api.openapi_schema

    api.openapi = made  # type: ignore[method-assign]  # FastAPI's own way to replace it


def _document(api: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=api.title, version=api.version, description=_TOLD, routes=api.routes)
    parts = found.setdefault("components", {})
    problem = ProblemShown.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.setdefault("schemas", {})["Problem"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts["securitySchemes"] = _SECURITY
    for path in found["paths"].values():
        for operation in path.values():
            if ACTION in operation:
                operation["security"] = [{"key": []}]
    return found
