"""What stands in a line for a text that people, pages or models wrote: the text itself only on wish."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from typing import Any, Final

from leadline.errors import LeadlineError
from leadline.telemetry.tracebacks import traced

MOST_CHARS: Final = 2_000
"""Of what a failure says."""

_TRACEBACK: Final = "exception"  # the name that structlog's renderers know


def content_of(name: str, text: str, *, most: int, content: bool) -> dict[str, Any]:
    """Return the fields of a text: its first `most` characters with `content`, else a hash that tells equal ones."""
    if content:
        return {name: text[:most], f"{name}_length": len(text)}
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return {f"{name}_length": len(text), f"{name}_hash": digest}


def error_of(code: str, text: str, *, content: bool) -> dict[str, Any]:
    """Return the fields of a failure: its code, and what it says as `content_of` has it."""
    return {"code": code, "error": code, **content_of("error", text, most=MOST_CHARS, content=content)}


class Failures:
    """Shapes what a line holds of an exception: the one it was logged with, and a field `error` that is one.

    An exception may quote a question, a page or an address, whoever raised it: without `content` its
    text is neither in its field nor in the traceback.
    """

    def __init__(self, *, content: bool) -> None:
        self._content = content

    def __call__(self, logger: Any, name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 structlog's own signature
        """Take a line's fields, as a processor of structlog does."""
        logged = fields.pop("exc_info", None)
        raised = logged[1] if isinstance(logged, tuple) else None
        if isinstance(raised, BaseException):
            fields[_TRACEBACK] = traced(raised, content=self._content)
        error = fields.get("error", raised)
        if isinstance(error, BaseException):
            fields.update(error_of(_code(error), str(error), content=self._content))
        return fields


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, LeadlineError) else type(error).__qualname__
