"""Every failure that Leadline raises, as one tree.

    LeadlineError
    ├── InputError                  the caller asked for something that cannot be (exit 2)
    │   ├── MissingPath
    │   ├── UnknownRun
    │   ├── UnknownObject           no key, schedule, link, corpus ... has this id, or it is another tenant's
    │   ├── AlreadyThere            the name is taken
    │   ├── IdempotencyConflict     the same Idempotency-Key came with another body
    │   └── WrongState              the run is not in a state that allows this
    ├── SettingsError               a setting is wrong or settings contradict each other (exit 3)
    │   └── MissingExtra            an optional dependency is not installed
    ├── ModelError                  a model server did not give a usable answer (exit 4)
    │   ├── ModelUnavailable        * down, refusing or overloaded
    │   │   └── ModelRateLimited    * 429; carries `retry_after`
    │   ├── ModelTimeout            * one of the three clocks ran out
    │   ├── ModelBroken             * rubbish, or a stream that ended midway
    │   ├── ModelDenied             wrong key, no permission, unknown model
    │   └── ContextOverflow         the request is longer than the model's window
    ├── ToolError                   a tool did not give a result (exit 5)
    │   ├── ToolFailed              the model may see it and go on
    │   │   ├── InvalidArguments    the model can correct its call
    │   │   ├── ToolMissing         the tool does not work on this machine; the run goes on without it
    │   │   ├── NotFound            the address or document does not exist
    │   │   ├── LimitReached        * our own limit leaves no room in time; carries `retry_after`
    │   │   ├── ProviderFailed      a search or scholar service gave no answer; never "nothing found"
    │   │   │   ├── ProviderDenied  wrong or expired key, no permission, or what was paid for is used up
    │   │   │   ├── ProviderBroken  it does not take our request, or its answer is in no known shape
    │   │   │   └── ProviderUnavailable * down, unreachable, too slow, or 5xx
    │   │   │       └── ProviderLimited * asked to wait; carries `retry_after`
    │   │   ├── Forbidden           the guard or robots.txt refuses the address
    │   │   └── FetchFailed         an address gave no page; carries `status`
    │   │       ├── FetchRefused    the server will not show it: 401, 403, 451 and the like
    │   │       ├── FetchTooLarge   more bytes than allowed, and of no use when cut
    │   │       ├── FetchUnreadable the bytes are of a kind that no parser reads, or damaged
    │   │       ├── FetchTimeout    * it took longer than allowed
    │   │       └── FetchUnavailable * down, unreachable, broken off, or 5xx
    │   │           └── FetchRateLimited * asked to wait; carries `retry_after`
    │   └── ToolStop                the run must stop
    ├── ExtractError                bytes could not be turned into text (exit 5)
    │   ├── UnknownFormat
    │   ├── BrokenDocument
    │   ├── EncryptedDocument
    │   ├── TooLarge
    │   └── ExtractTimeout
    ├── StoreError                  the run store or the blobs failed (exit 6)
    │   ├── StoreUnavailable        * locked, away or disconnected
    │   ├── StoreFull               no space left
    │   ├── LeaseLost               another worker owns the run now
    │   ├── SecretUnreadable        a stored secret does not open with the keys that are set
    │   └── BlobMissing             a stored body is gone or damaged
    ├── BudgetError                 a budget cannot be kept (exit 7)
    │   └── PriceUnknown            money is limited but the model has no price
    ├── AccessError                 the caller may not do this (exit 11)
    │   ├── Unauthenticated         no credential, or none that is accepted
    │   └── NotPermitted            the credential's role or scopes do not permit it
    ├── WorkDied                    a process for CPU work died on the same work twice
    ├── RunFailed                   a run ended without a report (exit of what failed in it)
    ├── RunWaits                    a run waits for a person, so there is no report yet (exit 10)
    ├── RunCancelled                a run was cancelled, so there is no report (exit 130)
    ├── CheckFailed                 `verify`: a quote does not stand (exit 8)
    └── ReplayError                 the record does not lead where it led (exit 9)
        ├── Diverged                a request differs from the recorded one
        └── RecordIncomplete        the record ends before the run does

`*`: the same call may succeed later; `retryable` is true.

The class alone says what to do: nothing outside an adapter decides by reading a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class LeadlineError(Exception):
    """Base of all failures; the message says what failed, with the value, and what to do."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "error"

    def __init_subclass__(cls) -> None:
        """Give each class a stable machine name derived from its own: `ModelTimeout` -> `model_timeout`."""
        super().__init_subclass__()
        cls.code = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    @property
    def family(self) -> type[LeadlineError]:
        """The class whose code and exit code this failure has: its own, unless it only reports another."""
        return type(self)


def family_of(code: str) -> type[LeadlineError]:
    """Return the class with this `code`, as a recorded failure names it; `LeadlineError` where none has it."""
    waiting = [LeadlineError]
    while waiting:
        family = waiting.pop()
        if family.code == code:
            return family
        waiting += family.__subclasses__()
    return LeadlineError


class InputError(LeadlineError):
    """The caller asked for something that cannot be."""

    exit_code = 2


class MissingPath(InputError):
    """A file or folder that was named does not exist or cannot be read."""


class UnknownRun(InputError):
    """No run has this id, or it belongs to another tenant."""


class UnknownObject(InputError):
    """Nothing of that kind has this id, or it belongs to another tenant."""


class AlreadyThere(InputError):
    """Something of that kind has this name or id already."""


class IdempotencyConflict(InputError):
    """A request with the same idempotency key came before, and had another body."""


class WrongState(InputError):
    """The state of the run, or of the object, does not allow what was asked."""


class SettingsError(LeadlineError):
    """A setting has a wrong value, or settings contradict each other."""

    exit_code = 3


class MissingExtra(SettingsError):
    """An optional dependency is needed and not installed; the message names the install command."""


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


class StoreError(LeadlineError):
    """The run store or the blob store failed."""

    exit_code = 6


class StoreUnavailable(StoreError):
    """The store is locked, away or disconnected."""

    retryable = True


class StoreFull(StoreError):
    """No space is left where the data is kept; what was committed before stands."""


class LeaseLost(StoreError):
    """Another worker owns the run now; this one's writes are refused."""


class SecretUnreadable(StoreError):
    """A stored secret does not open with any of the keys that are set, or was moved or changed."""


class BlobMissing(StoreError):
    """A stored body is gone, or its bytes do not have the hash that names them."""


class BudgetError(LeadlineError):
    """A budget cannot be kept as it was set."""

    exit_code = 7


class PriceUnknown(BudgetError):
    """Money is limited, but the model has no price and was not declared free."""


class AccessError(LeadlineError):
    """The caller may not do this."""

    exit_code = 11


class Unauthenticated(AccessError):
    """There is no credential, or it is not accepted; which of its faults it was is not told."""


class NotPermitted(AccessError):
    """The credential is good, but its role or scopes do not permit the action."""


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


class ReplayError(LeadlineError):
    """The record does not lead where it led."""

    exit_code = 9


class Diverged(ReplayError):
    """A request differs from the recorded one; the message names the first that does."""


class RecordIncomplete(ReplayError):
    """The record ends before the run does."""
