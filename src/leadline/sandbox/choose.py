"""Which sandbox: `auto`, `bwrap`, `landlock`, an `http(s)://` address, or `off`; never none in silence.

A local design is used only after its self-test has held on this machine, in this process.
"""

from __future__ import annotations

import os
import shutil
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
from leadline.sandbox.selftest import prove
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Limits, Verdict

LOCAL: Final = ("bwrap", "landlock")
CHOICES: Final = ("auto", *LOCAL, "off")
_SBIN: Final = "/usr/bin:/bin:/usr/local/bin"


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
    installed = tree.find(options.folder) or tree.in_place()
    failures: list[str] = []
    for name in names:
        try:
            design = design_of(name, tree=installed, limits=options.limits)
        except SettingsError as error:
            failures.append(f"{name}: {error}")
            continue
        verdict = await _try(design, options)
        if verdict.held:
            return _build(design, options, preload=installed.preload)
        failures.append(f"{name}: {verdict.why()}")
    raise NoSandbox(
        f"no sandbox holds on this machine, so that the `python` tool is refused ({'; '.join(failures)}); "
        "install bubblewrap, use a kernel with Landlock 4 (Linux 6.7), name an executor's address, or set it to `off`"
    )


def design_of(name: str, *, tree: Tree, limits: Limits) -> Design:
    """Return a local design, untried. Raises `SettingsError` where its program or kernel is missing."""
    if name == "landlock":
        return Landlock(tree=tree, limits=limits)
    binary = shutil.which("bwrap", path=_SBIN)
    if binary is None:
        raise SettingsError("bubblewrap is not installed; on Debian: apt-get install bubblewrap")
    return Bwrap(binary=Path(binary), tree=tree, limits=limits)


async def _try(design: Design, options: Options) -> Verdict:
    async with _build(design, options, warm=0) as sandbox:
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
