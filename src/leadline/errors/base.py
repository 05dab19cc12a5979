"""What all failures share."""

from __future__ import annotations

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
