"""One meaning of a pattern for every store."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

MOST_LABEL: Final = 200


def fits(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a label fits: `*` stands for any characters, all else for itself."""
    compiled = re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
    return lambda label: compiled.fullmatch(label) is not None


def short(label: str) -> str:
    """Return a label as it is kept, fit for UTF-8."""
    return label[:MOST_LABEL].encode("utf-8", "replace").decode()
