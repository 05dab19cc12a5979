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
    │   ├── BlobMissing             a stored body is gone or damaged
    │   └── BackupUnusable          a backup is unfinished or damaged, or the passphrase is wrong
    ├── BudgetError                 a budget cannot be kept (exit 7)
    │   └── PriceUnknown            money is limited but the model has no price
    ├── AccessError                 the caller may not do this (exit 11)
    │   ├── Unauthenticated         no credential, or none that is accepted
    │   └── NotPermitted            the credential's role or scopes do not permit it
    ├── ServiceError                a service of Leadline gave no usable answer (exit 12)
    │   └── ServiceUnavailable      * down, unreachable, or about to leave
    │       └── ServiceLimited      * a limit leaves no room; carries `retry_after`
    ├── WorkDied                    a process for CPU work died on the same work twice
    ├── RunFailed                   a run ended without a report (exit of what failed in it)
    ├── RunWaits                    a run waits for a person, so there is no report yet (exit 10)
    ├── RunCancelled                a run was cancelled, so there is no report (exit 130)
    ├── CheckFailed                 `verify`: a quote does not stand (exit 8)
    ├── Unhealthy                   `doctor`, `preflight`: what is set does not work, or a must is missing (exit 13)
    ├── NotStarted                  `up`: a part could not start (exit 14)
    └── ReplayError                 the record does not lead where it led (exit 9)
        ├── Diverged                a request differs from the recorded one
        └── RecordIncomplete        the record ends before the run does

`*`: the same call may succeed later; `retryable` is true.

The class alone says what to do: nothing outside an adapter decides by reading a message.
"""

from leadline.errors.asked import (
    AccessError,
    AlreadyThere,
    BudgetError,
    IdempotencyConflict,
    InputError,
    MissingExtra,
    MissingPath,
    NotPermitted,
    PriceUnknown,
    SettingsError,
    Unauthenticated,
    UnknownObject,
    UnknownRun,
    WrongState,
)
from leadline.errors.base import (
    LeadlineError,
    family_of,
)
from leadline.errors.kept import (
    BackupUnusable,
    BlobMissing,
    LeaseLost,
    SecretUnreadable,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from leadline.errors.models import (
    ContextOverflow,
    ModelBroken,
    ModelDenied,
    ModelError,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)
from leadline.errors.remote import (
    ServiceError,
    ServiceLimited,
    ServiceUnavailable,
)
from leadline.errors.runs import (
    CheckFailed,
    Diverged,
    NotStarted,
    RecordIncomplete,
    ReplayError,
    RunCancelled,
    RunFailed,
    RunWaits,
    Unhealthy,
    WorkDied,
)
from leadline.errors.tools import (
    BrokenDocument,
    EncryptedDocument,
    ExtractError,
    ExtractTimeout,
    FetchFailed,
    FetchRateLimited,
    FetchRefused,
    FetchTimeout,
    FetchTooLarge,
    FetchUnavailable,
    FetchUnreadable,
    Forbidden,
    InvalidArguments,
    LimitReached,
    NotFound,
    ProviderBroken,
    ProviderDenied,
    ProviderFailed,
    ProviderLimited,
    ProviderUnavailable,
    TooLarge,
    ToolError,
    ToolFailed,
    ToolMissing,
    ToolStop,
    UnknownFormat,
)

__all__ = [
    "AccessError",
    "AlreadyThere",
    "BackupUnusable",
    "BlobMissing",
    "BrokenDocument",
    "BudgetError",
    "CheckFailed",
    "ContextOverflow",
    "Diverged",
    "EncryptedDocument",
    "ExtractError",
    "ExtractTimeout",
    "FetchFailed",
    "FetchRateLimited",
    "FetchRefused",
    "FetchTimeout",
    "FetchTooLarge",
    "FetchUnavailable",
    "FetchUnreadable",
    "Forbidden",
    "IdempotencyConflict",
    "InputError",
    "InvalidArguments",
    "LeadlineError",
    "LeaseLost",
    "LimitReached",
    "MissingExtra",
    "MissingPath",
    "ModelBroken",
    "ModelDenied",
    "ModelError",
    "ModelRateLimited",
    "ModelTimeout",
    "ModelUnavailable",
    "NotFound",
    "NotPermitted",
    "NotStarted",
    "PriceUnknown",
    "ProviderBroken",
    "ProviderDenied",
    "ProviderFailed",
    "ProviderLimited",
    "ProviderUnavailable",
    "RecordIncomplete",
    "ReplayError",
    "RunCancelled",
    "RunFailed",
    "RunWaits",
    "SecretUnreadable",
    "ServiceError",
    "ServiceLimited",
    "ServiceUnavailable",
    "SettingsError",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "TooLarge",
    "ToolError",
    "ToolFailed",
    "ToolMissing",
    "ToolStop",
    "Unauthenticated",
    "Unhealthy",
    "UnknownFormat",
    "UnknownObject",
    "UnknownRun",
    "WorkDied",
    "WrongState",
    "family_of",
]
