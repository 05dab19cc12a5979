"""A command's time with an engine: settings in, an event loop around."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import click

from leadline.cli.engine import Engine
from leadline.cli.shell import TERMINATED, Shell
from leadline.errors import InputError, LeadlineError
from leadline.settings import Settings, load

log = logging.getLogger("leadline.cli")

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
    if settings.sources.get("server.priority") == "flag":
        raise InputError("`--priority` is for runs that wait at a service: name it with `--server URL`")
    from leadline.api import Leadline  # noqa: PLC0415 the whole engine: only where one is needed

    return Leadline(settings, method="cli", everyones=True)


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


@asynccontextmanager
async def following(shell: Shell, follow: Callable[[Settings], None]) -> AsyncIterator[None]:
    """While the context is open, have SIGHUP read the settings again; `follow` takes what may change meanwhile.

    Settings that are refused change nothing; the log says why.
    """
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def keep() -> None:
        while True:
            await asked.wait()
            asked.clear()
            try:
                follow(await asyncio.to_thread(load, flags=shell.flags, config=shell.config))
            except LeadlineError as error:
                log.warning("settings_not_reloaded", extra={"reason": str(error)})
            else:
                log.info("settings_reloaded")

    loop.add_signal_handler(signal.SIGHUP, asked.set)
    task = loop.create_task(keep(), name="settings")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.wait([task])


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
