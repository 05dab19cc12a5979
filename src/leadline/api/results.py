"""What the front returns and raises beside a report."""

from __future__ import annotations

from dataclasses import dataclass

from leadline import errors
from leadline.domain import Failure
from leadline.errors import LeadlineError


class RunFailed(LeadlineError):
    """A run ended without a report; `failure` says why."""

    def __init__(self, run_id: str, failure: Failure) -> None:
        super().__init__(f"run {run_id} failed: {failure.message}")
        self.failure = failure
        family = getattr(errors, "".join(part.title() for part in failure.code.split("_")), LeadlineError)
        self.family: type[LeadlineError] = family if isinstance(family, type) else LeadlineError


class RunCancelled(LeadlineError):
    """A run was cancelled, so there is no report."""

    exit_code = 130


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
