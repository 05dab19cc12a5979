"""Python programs: the sandbox, opened and proven when a run first has one to run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadline.errors import SettingsError, ToolError, ToolMissing, ToolStop
from leadline.ports import Program, Ran
from leadline.settings import LOCAL, Settings
from leadline.settings.programs import NO_PYTHON

if TYPE_CHECKING:
    from leadline.sandbox.choose import Options
    from leadline.sandbox.remote import RemoteSandbox
    from leadline.sandbox.supervisor import LocalSandbox
    from leadline.sandbox.types import Verdict

FOLDER: Final = "sandbox"
"""Where below the data folder the tree of `leadline sandbox install` lies."""


class Programs:
    """A `Sandbox` that is opened at its first use, once in a process.

    Where no design proves itself the reason is kept and every program is refused with it: nothing
    is run unsandboxed, and the runs go on without.
    """

    def __init__(self, settings: Settings, *, folder: Path, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._folder = folder
        self._stack = stack
        self._opening = asyncio.Lock()
        self._sandbox: LocalSandbox | RemoteSandbox | None = None
        self._refusal: str | None = None

    @property
    def at_once(self) -> int:
        """How many programs run at a time in this process."""
        return workers(self._settings)

    async def run(self, program: Program) -> Ran:
        """See `ports.Sandbox`. Raises `ToolMissing` where no sandbox can be had on this machine."""
        return await (await self._opened()).run(program)

    async def end_session(self, session: str) -> None:
        """Forget a session's names and files; an executor elsewhere does so by itself."""
        from leadline.sandbox.supervisor import LocalSandbox  # noqa: PLC0415 only where programs were run

        if isinstance(self._sandbox, LocalSandbox):
            await self._sandbox.end_session(session)

    async def _opened(self) -> LocalSandbox | RemoteSandbox:
        async with self._opening:
            if self._refusal is not None:
                raise ToolMissing(self._refusal)
            if self._sandbox is None:
                from leadline.sandbox.choose import open_sandbox  # noqa: PLC0415 only where programs are run

                try:
                    opened = open_sandbox(sandbox_options(self._settings, self._folder))
                    self._sandbox = await self._stack.enter_async_context(opened)
                except SettingsError as error:
                    self._refusal = str(error)
                    raise ToolMissing(self._refusal) from error
            if self._sandbox is None:
                self._refusal = "Python programs are switched off here (`sandbox` is `off`)"
                raise ToolMissing(self._refusal)
            return self._sandbox


class NoPrograms:
    """Stands where a sandbox was: a replay runs nothing."""

    async def run(self, program: Program) -> Ran:
        """Raise `ToolStop`."""
        del program
        raise ToolStop("the record holds no outcome of this program, and a replay runs none")


def has_sandbox(settings: Settings) -> bool:
    """Whether programs may be run with these settings on this machine: a look, no proof."""
    place = sandbox_place(settings)
    if place == NO_PYTHON:
        return False
    from leadline.sandbox.choose import may_hold  # noqa: PLC0415 only where programs are allowed

    return may_hold(place)


def workers(settings: Settings) -> int:
    """Return how many programs run at a time: one a core unless the settings say otherwise."""
    return settings.python.workers or os.cpu_count() or 1


def sandbox_options(settings: Settings, folder: Path) -> Options:
    """Return how to open the sandbox; `folder` is the data folder."""
    from leadline.sandbox.choose import Options  # noqa: PLC0415 only where programs are run
    from leadline.sandbox.types import Limits  # noqa: PLC0415 as above

    python = settings.python
    key = python.key or settings.tools.key
    usual = Limits()
    limits = Limits(
        memory=python.memory,
        address_space=2 * python.memory,
        processes=python.processes,
        output=python.output,
        files_count=python.files,
        files_out=python.files_bytes,
        file_out=max(1, python.files_bytes // 2),
        seconds=max(usual.seconds, python.seconds),
    )
    return Options(
        choice=sandbox_place(settings),
        folder=folder / FOLDER,
        limits=limits,
        workers=workers(settings),
        warm=python.warm,
        key=key.reveal() if key else "",
    )


def sandbox_place(settings: Settings) -> str:
    """Return where programs run: `tools.python` and an address under `sandbox` are one thing; `off` is off."""
    elsewhere = settings.tools.python
    return settings.sandbox if settings.sandbox == NO_PYTHON or elsewhere == LOCAL else elsewhere


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """The tree that programs see: where it lies, its packages, and whether it was built now."""

    folder: Path
    packages: tuple[str, ...]
    built: bool


def install_tree(settings: Settings, *, force: bool, tell: Callable[[str], None]) -> Installed:
    """Build the tree of programs below the data folder, unless it is there and whole; blocks for minutes.

    `tell` hears what is being done. Raises `SettingsError` where it cannot be built.
    """
    from leadline.sandbox import tree  # noqa: PLC0415 only where it is asked for

    folder = settings.data_dir / FOLDER
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = tree.find(folder)
    except OSError as error:
        raise SettingsError(f"cannot make the data folder {settings.data_dir}: {error.strerror}") from error
    except SettingsError as error:
        tell(f"it is built anew: {error}")
        known = None
    whole = known is not None and set(tree.PACKAGES) <= set(known.packages)
    if known is None or force or not whole:
        built = tree.install(folder, tell=tell)
        return Installed(folder=built.read[0], packages=built.packages, built=True)
    return Installed(folder=known.read[0], packages=known.packages, built=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What the self-test says: of each design, which one runs use (`None`: none, and why), its packages."""

    verdicts: tuple[Verdict, ...]
    chosen: str | None
    why: str
    packages: tuple[str, ...]


async def examined(settings: Settings) -> Examined:
    """Test every sandbox of this machine, then open the one that the settings choose."""
    from leadline.sandbox import choose, tree  # noqa: PLC0415 only where it is asked for

    options = sandbox_options(settings, settings.data_dir)
    installed = await asyncio.to_thread(tree.find, options.folder)
    verdicts = await choose.examine(options)
    chosen, why = None, "`sandbox` is `off`: there is no Python tool"
    try:
        async with choose.open_sandbox(options) as opened:
            if opened is not None:
                await opened.run(Program(code="print(6 * 7)", timeout=10.0))
                chosen = options.choice if "://" in options.choice else opened.name
    except (SettingsError, ToolError) as error:
        why = str(error)
    return Examined(verdicts=verdicts, chosen=chosen, why=why, packages=installed.packages if installed else ())
