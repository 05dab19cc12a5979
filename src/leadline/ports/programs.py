"""Programs of a model, run in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

KilledBy: TypeAlias = Literal["time", "memory", "output", "disk", "crash"]
"""Why a program was ended: its seconds, its memory, a flood of output, its folder's size; `crash`
when the process that watches it inside the sandbox went away with it."""

Part: TypeAlias = Literal["stdout", "stderr", "files"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Python text to run, with files that lie in its working folder by plain name.

    `timeout` is in seconds of wall time. Programs of one `session` share one interpreter, in
    order: names and files of the earlier ones are there. Without it each has its own. `tenant` is
    whose program it is: places are shared out by tenants.
    """

    code: str
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    timeout: float = 30.0
    session: str | None = None
    tenant: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutFile:
    """A file that a program left. `media_type` is ours, by its bytes: an `image/png` was decoded and encoded anew."""

    name: str
    data: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How a program ended: its text, its exit status (128 + n after signal n), its files.

    `truncated` names what was cut. `killed_by` is set when it did not end by itself. `fresh` is
    false when the program found the names and files of its session's earlier ones.
    """

    stdout: str
    stderr: str
    exit: int
    files: tuple[OutFile, ...] = ()
    truncated: tuple[Part, ...] = ()
    killed_by: KilledBy | None = None
    fresh: bool = True


class Sandbox(Protocol):
    """Runs Python where it can harm nobody and learn nothing."""

    async def run(self, program: Program) -> Ran:
        """Run it to its end or its timeout; cancelling kills it.

        Raises `InvalidArguments` for a program or file above the limits, `ToolFailed` where the
        sandbox cannot be started now, `ToolStop` where it may not be used at all.
        """
        ...
