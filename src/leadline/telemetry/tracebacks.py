"""Where an error came from, as a log line's text: bounded, and without what errors say unless that is wished."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Final

MOST_CHARS: Final = 8_000
MOST_FRAMES: Final = 20
"""The innermost ones of each error in the chain."""

_MOST_ERRORS: Final = 8


def traced(error: BaseException, *, content: bool) -> str:
    """Return an error's chain, its causes first, as Python prints it; without `content` no error's own text.

    Of a text that is too long the end stays: it has the error itself.
    """
    text = "\n".join(reversed([_one(link, content=content) for link in _chain(error)]))
    return text[-MOST_CHARS:]


def _one(error: BaseException, *, content: bool) -> str:
    frames = "".join(traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES).format())
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return f"Traceback (most recent call last):\n{frames}{kind}" + (f": {error}" if content else "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on; of a group the first."""
    link: BaseException | None = error
    for _ in range(_MOST_ERRORS):
        if link is None:
            return
        yield link
        if isinstance(link, BaseExceptionGroup):
            link = link.exceptions[0]
        else:
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
