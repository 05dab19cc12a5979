"""Imports that take long, beside the event loop: a look at one part must not hold up runs and streams."""

from __future__ import annotations

import asyncio
from importlib import import_module


async def loaded(*modules: str) -> None:
    """Import modules; one that is an extra and not installed is passed over, whoever needs it says so."""

    def work() -> None:
        for name in modules:
            try:
                import_module(name)
            except ImportError:
                continue

    await asyncio.to_thread(work)
