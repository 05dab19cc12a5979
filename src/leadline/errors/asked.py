"""What was asked for, or set, cannot be, or may not."""

from __future__ import annotations

from leadline.errors.base import LeadlineError


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
