"""What a sandbox takes and gives: the port `Sandbox` and its values.

A program is hostile: it was written by a model that had read hostile pages. What comes back from
it - text, exit status, files - is data of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MiB: Final = 1 << 20


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
