"""Which sandbox: `auto`, `bwrap`, `landlock`, an `http(s)://` address, or `off`; never none in silence.

A local design is used only after its self-test has held on this machine, in this process.
`may_hold` is the cheap look before: it says where none can.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadline.errors import SettingsError
from leadline.sandbox import cgroups, tree
from leadline.sandbox.bwrap import Bwrap
from leadline.sandbox.design import Design
from leadline.sandbox.landlock import Landlock
from leadline.sandbox.remote import RemoteSandbox
from leadline.sandbox.seccomp import MACHINES
from leadline.sandbox.selftest import prove
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Check, Limits, Verdict

LOCAL: Final = ("bwrap", "landlock")
CHOICES: Final = ("auto", *LOCAL, "off")
_SBIN: Final = "/usr/bin:/bin:/usr/local/bin"
_LANDLOCK_CREATE: Final = 444
_ASK_VERSION: Final = 1
_LEAST_ABI: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to run programs. `folder` is where `install` puts its tree; `key` is a remote executor's."""

    choice: str = "auto"
    folder: Path
    limits: Limits
    workers: int = 2
    warm: int = 0
    key: str = ""


class NoSandbox(SettingsError):
    """No design holds on this machine, or the one that was asked for does not; nothing is run without."""


def may_hold(choice: str) -> bool:
    """Whether a sandbox can be had at all, by a look of microseconds; only opening one proves it."""
    choice = choice.strip()
    if choice == "off" or "://" in choice:
        return choice != "off"
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    return (choice != "landlock" and shutil.which("bwrap", path=_SBIN) is not None) or (
        choice != "bwrap" and landlock_version() >= _LEAST_ABI
    )


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers, 0 or less where it has none."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    return int(call(ctypes.c_long(_LANDLOCK_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)))


@asynccontextmanager
async def open_sandbox(options: Options) -> AsyncIterator[LocalSandbox | RemoteSandbox | None]:
    """Open what `options.choice` asks for; `None` only for `off`.

    `auto` takes the first local design whose self-test holds. Raises `NoSandbox` with the reason
    of each that does not, `SettingsError` for a choice that is none.
    """
    choice = options.choice.strip()
    if choice == "off":
        yield None
    elif "://" in choice:
        async with RemoteSandbox(choice, limits=options.limits, key=options.key) as remote:
            yield remote
    elif choice in CHOICES:
        async with await _proven(LOCAL if choice == "auto" else (choice,), options) as local:
            yield local
    else:
        raise SettingsError(f"not a sandbox: {choice}; use {', '.join(CHOICES)}, or http://host:port")


async def _proven(names: tuple[str, ...], options: Options) -> LocalSandbox:
    """Return the first design that holds, not yet warmed."""
    installed = await asyncio.to_thread(_installed, options.folder)
    failures: list[str] = []
    for name in names:
        try:
            design = await asyncio.to_thread(design_of, name, tree=installed, limits=options.limits)
        except SettingsError as error:
            failures.append(f"{name}: {error}")
            continue
        verdict = await _try(design, options)
        if verdict.held:
            return await asyncio.to_thread(_build, design, options, preload=installed.preload)
        failures.append(f"{name}: {verdict.why()}")
    raise NoSandbox(
        f"no sandbox holds on this machine, so that the `python` tool is refused ({'; '.join(failures)}); "
        "install bubblewrap, use a kernel with Landlock 4 (Linux 6.7), name an executor's address, or set it to `off`"
    )


async def examine(options: Options) -> tuple[Verdict, ...]:
    """Return what the self-test says of each local design, whatever was chosen; one that is missing fails it."""
    installed = await asyncio.to_thread(_installed, options.folder)
    verdicts: list[Verdict] = []
    for name in LOCAL:
        try:
            design = await asyncio.to_thread(design_of, name, tree=installed, limits=options.limits)
        except SettingsError as error:
            missing = Check(name="it is there", held=False, found=str(error))
            verdicts.append(Verdict(design=name, checks=(missing,)))
        else:
            verdicts.append(await _try(design, options))
    return tuple(verdicts)


def _installed(folder: Path) -> Tree:
    return tree.find(folder) or tree.in_place()


def design_of(name: str, *, tree: Tree, limits: Limits) -> Design:
    """Return a local design, untried. Raises `SettingsError` where its program or kernel is missing."""
    if name == "landlock":
        return Landlock(tree=tree, limits=limits)
    binary = shutil.which("bwrap", path=_SBIN)
    if binary is None:
        raise SettingsError("bubblewrap is not installed; on Debian: apt-get install bubblewrap")
    return Bwrap(binary=Path(binary), tree=tree, limits=limits)


async def _try(design: Design, options: Options) -> Verdict:
    async with await asyncio.to_thread(_build, design, options, warm=0) as sandbox:
        return await prove(sandbox, design=design.name, limits=options.limits)


def _build(design: Design, options: Options, *, preload: tuple[str, ...] = (), warm: int | None = None) -> LocalSandbox:
    return LocalSandbox(
        design,
        limits=options.limits,
        cgroups=cgroups.find(mark=f"-{os.urandom(4).hex()}"),
        workers=options.workers,
        warm=options.warm if warm is None else warm,
        preload=preload,
    )
