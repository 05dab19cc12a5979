"""A model server gave no usable answer."""

from __future__ import annotations

from leadline.errors.base import LeadlineError


class ModelError(LeadlineError):
    """A model server did not give a usable answer."""

    exit_code = 4


class ModelUnavailable(ModelError):
    """The server is down, refuses connections, or answers 5xx."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelRateLimited(ModelUnavailable):
    """The server answered 429; `retry_after` holds its wish in seconds, where it told one."""


class ModelTimeout(ModelError):
    """First token, gap between tokens, or the whole answer took longer than allowed."""

    retryable = True


class ModelBroken(ModelError):
    """The answer is not in the protocol, or the stream ended without a finish reason."""

    retryable = True


class ModelDenied(ModelError):
    """Wrong key, no permission, or the server does not know the model."""


class ContextOverflow(ModelError):
    """The request is longer than the model's window; `window` in tokens where the server told it."""

    def __init__(self, message: str, *, window: int | None = None) -> None:
        super().__init__(message)
        self.window = window
