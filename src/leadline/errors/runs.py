"""A run, or the check of one, came to no good end."""

from __future__ import annotations

from collections.abc import Mapping

from leadline.errors.base import LeadlineError, family_of


class WorkDied(LeadlineError):
    """A process for CPU work died on the same work twice, or was closed during it."""


class RunFailed(LeadlineError):
    """A run ended without a report; `cause` is the code of what failed in it."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def family(self) -> type[LeadlineError]:
        """The class of what failed in the run."""
        return family_of(self.cause)


class RunWaits(LeadlineError):
    """A run waits for a person, so there is no report yet; `asks` is what it wants to know."""

    exit_code = 10

    def __init__(self, message: str, *, run_id: str, asks: Mapping[str, object]) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.asks = asks


class RunCancelled(LeadlineError):
    """A run was cancelled, so there is no report."""

    exit_code = 130


class CheckFailed(LeadlineError):
    """A report does not stand: a quote is not in its stored source, or a hash differs."""

    exit_code = 8


class Unhealthy(LeadlineError):
    """`doctor` or `preflight`: something that is set does not work, or a must is missing."""

    exit_code = 13


class NotStarted(LeadlineError):
    """A part of `leadline up` could not start; the message names it, and says why and where more stands."""

    exit_code = 14


class ReplayError(LeadlineError):
    """The record does not lead where it led."""

    exit_code = 9


class Diverged(ReplayError):
    """A request differs from the recorded one; the message names the first that does."""


class RecordIncomplete(ReplayError):
    """The record ends before the run does."""
