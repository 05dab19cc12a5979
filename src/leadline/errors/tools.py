"""A tool gave no result, or bytes gave no text."""

from __future__ import annotations

from leadline.errors.base import LeadlineError


class ToolError(LeadlineError):
    """A tool did not give a result."""

    exit_code = 5


class ToolFailed(ToolError):
    """The tool failed in a way that the model may see and adapt to."""


class InvalidArguments(ToolFailed):
    """The model's arguments do not fit the tool's schema; the message tells how to correct them."""


class ToolMissing(ToolFailed):
    """The tool does not work on this machine, now or later: the run goes on without it."""


class NotFound(ToolFailed):
    """The address or document does not exist."""


class LimitReached(ToolFailed):
    """Our own limit leaves no room within the deadline; there is some in `retry_after` seconds."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderFailed(ToolFailed):
    """A search or scholar service gave no answer; an empty answer is no failure."""


class ProviderDenied(ProviderFailed):
    """The key is wrong, expired or missing, has no permission, or has used up what was paid for."""


class ProviderBroken(ProviderFailed):
    """The service does not take our request, or answers in no shape that we know."""


class ProviderUnavailable(ProviderFailed):
    """The service is down, unreachable, too slow, or answered 5xx."""

    retryable = True


class ProviderLimited(ProviderUnavailable):
    """The service asked to wait: `retry_after` seconds where it told."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Forbidden(ToolFailed):
    """The guard refuses the address, or its robots.txt asks not to read it; another way round is refused too."""


class FetchFailed(ToolFailed):
    """An address gave no page; `status` is the HTTP status where there was one."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class FetchRefused(FetchFailed):
    """The server will not show the page to us: it wants a key, a payment or another client."""


class FetchTooLarge(FetchFailed):
    """The document has more bytes than allowed, and a part of it would be of no use."""


class FetchUnreadable(FetchFailed):
    """The bytes are of a kind that no parser reads, or are damaged."""


class FetchTimeout(FetchFailed):
    """The page took longer than allowed."""

    retryable = True


class FetchUnavailable(FetchFailed):
    """The server is down, unreachable, broke off or answered 5xx."""

    retryable = True


class FetchRateLimited(FetchUnavailable):
    """The host asked to wait, `retry_after` seconds where it told."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class ToolStop(ToolError):
    """The tool failed in a way that makes going on useless or unsafe: the run must stop."""


class ExtractError(LeadlineError):
    """Bytes could not be turned into text."""

    exit_code = 5


class UnknownFormat(ExtractError):
    """No parser knows this kind of file."""


class BrokenDocument(ExtractError):
    """The file is damaged, or its parser died on it."""


class EncryptedDocument(ExtractError):
    """The file needs a password that was not given or is wrong."""


class TooLarge(ExtractError):
    """The file, or what it unpacks to, is larger than allowed."""


class ExtractTimeout(ExtractError):
    """The parser took longer than allowed and was killed."""
