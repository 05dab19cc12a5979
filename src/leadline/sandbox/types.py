"""What a sandbox takes and gives: the port `Sandbox` and its values.

A program is hostile: it was written by a model that had read hostile pages. What comes back from
it - text, exit status, files - is data of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol, TypeAlias

KilledBy: TypeAlias = Literal["time", "memory", "output", "disk", "crash"]
"""Why a program was ended: its seconds, its memory, a flood of output, its folder's size; `crash`
when the process that watches it inside the sandbox went away with it."""

Part: TypeAlias = Literal["stdout", "stderr", "files"]

MiB: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """Python text to run, with files that lie in its working folder by plain name.

    `timeout` is in seconds of wall time. Programs of one `session` share one interpreter, in
    order: names and files of the earlier ones are there. Without it each has its own.
    """

    code: str
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    timeout: float = 30.0
    session: str | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one program may use. Sizes in bytes, `cpus` in processors."""

    memory: int = 1024 * MiB
    address_space: int = 2048 * MiB
    processes: int = 64
    cpus: float = 1.0
    work: int = 128 * MiB
    temporary: int = 64 * MiB
    shared_memory: int = 16 * MiB
    file: int = 128 * MiB
    open_files: int = 256
    output: int = 256 << 10
    flood: int = 64 * MiB
    code: int = MiB
    files_in: int = 32 * MiB
    files_out: int = 16 * MiB
    file_out: int = 8 * MiB
    files_count: int = 20
    seconds: float = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of the start-up self-test: what must hold, and whether it did."""

    name: str
    held: bool
    found: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the self-test found about one design."""

    design: str
    checks: tuple[Check, ...] = ()

    @property
    def held(self) -> bool:
        """Whether everything held; an empty test proves nothing."""
        return bool(self.checks) and all(check.held for check in self.checks)

    def why(self) -> str:
        """Return in words what did not hold."""
        return "; ".join(f"{check.name}: {check.found}" for check in self.checks if not check.held)
