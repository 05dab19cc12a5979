"""Imports that take long, beside the event loop: a look at one part must not hold up runs and streams."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Lock


async def loaded(*modules: str) -> None:
    """Import modules; one that is an extra and not installed is passed over, whoever needs it says so."""

    def work() -> None:
        for name in modules:
            with _one_at_a_time(), suppress(ImportError):
                import_module(name)

    await asyncio.to_thread(work)


@cache
def _one_at_a_time() -> Lock:
    """Return the lock of all imports here: two threads in modules that import each other end in a deadlock."""
    return Lock()
