"""A service of Leadline, asked over HTTP, gave no answer."""

from __future__ import annotations

from leadline.errors.base import LeadlineError


class ServiceError(LeadlineError):
    """A service of Leadline answered in no way that this version knows."""

    exit_code = 12


class ServiceUnavailable(ServiceError):
    """The service is down, unreachable, about to leave, or its stream broke off for longer than was waited."""

    retryable = True


class ServiceLimited(ServiceUnavailable):
    """A limit of the service leaves no room: it asked to wait, `retry_after` seconds where it told."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
