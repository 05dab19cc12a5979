"""A command's time with an engine: settings in, an event loop around."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import click

from leadline.cli.engine import Engine
from leadline.cli.shell import TERMINATED, Shell
from leadline.settings import Settings, load

T = TypeVar("T")


def settings_of(shell: Shell) -> Settings:
    """Return the settings in force, having told of what is doubtful. Raises `SettingsError`."""
    settings = load(flags=shell.flags, config=shell.config)
    for warning in settings.warnings:
        shell.say(f"warning: {warning}")
    return settings


def engine_of(shell: Shell, settings: Settings) -> Engine:
    """Return an engine, to be entered."""
    if shell.factory is not None:
        made: Engine = shell.factory(settings)
        return made
    if settings.server.url is not None:
        from leadline.cli.remote import RemoteEngine  # noqa: PLC0415 only where a service is asked

        return RemoteEngine(settings)
    from leadline.api import Leadline  # noqa: PLC0415 the whole engine: only where one is needed

    return Leadline(settings, method="cli")


def with_engine(shell: Shell, work: Callable[[Engine], Awaitable[T]]) -> T:
    """Return what `work` gives, in an engine that is open while it lasts."""
    settings = settings_of(shell)
    quiet_log(debug=shell.debug)

    async def inside() -> T:
        async with engine_of(shell, settings) as engine:
            return await work(engine)

    return on_loop(inside())


def quiet_log(*, debug: bool) -> None:
    """Let the engine's log reach standard error only where a person asked for it."""
    logger = logging.getLogger("leadline")
    logger.handlers[:] = [logging.StreamHandler() if debug else logging.NullHandler()]
    logger.setLevel(logging.DEBUG if debug else logging.CRITICAL)


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives, on an event loop of its own; SIGTERM's cancellation ends it."""
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise click.exceptions.Exit(TERMINATED) from None


def on_fast_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, where it is installed: it is not on every system."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ModuleNotFoundError):
        import uvloop  # noqa: PLC0415 an extra

        factory = uvloop.new_event_loop
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(work)
    except asyncio.CancelledError:
        raise click.exceptions.Exit(TERMINATED) from None
