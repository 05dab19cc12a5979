"""What the front returns beside a report."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.ports import Reader, Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """Whether a report stands on its stored sources; `problems` are fit for a person."""

    ok: bool
    problems: tuple[str, ...]
    claims: int
    quotes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GcReport:
    """What was deleted: runs, and bytes of bodies that nothing names any more."""

    runs: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """Documents of this machine: what searches them, and what reads one of them by its address."""

    search: Search
    reader: Reader
