"""All resources of the service; a new file of routes gets its line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from leadline.service.routes import (
    access,
    corpora,
    diagnostics,
    evidence,
    health,
    mcp,
    openai,
    research,
    schedules,
    secrets,
    shares,
    steering,
    streaming,
    tools,
    ui,
    ui_shares,
    webhooks,
)
from leadline.service.routing import Routes

ROUTES: Final[Sequence[Callable[[], Routes]]] = (
    health.routes,
    research.routes,
    steering.routes,
    streaming.routes,
    evidence.routes,
    corpora.routes,
    tools.routes,
    schedules.routes,
    webhooks.routes,
    shares.routes,
    access.routes,
    secrets.routes,
    diagnostics.routes,
    openai.routes,
    mcp.routes,
    ui.routes,
    ui_shares.routes,
)
"""All of them, in the order of the OpenAPI document."""
