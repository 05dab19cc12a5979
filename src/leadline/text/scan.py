"""Looking for a pattern by the characters that it can begin with.

`re` skips to a first character only where a pattern opens with a plain one; a pattern that opens
with a choice or a repetition is tried at every place of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator


def matches(
    pattern: re.Pattern[str], text: str, *, opening: re.Pattern[str], start: int = 0, end: int | None = None
) -> Iterator[re.Match[str]]:
    """Yield what `pattern.finditer(text, start, end)` does, for a pattern that never matches nothing.

    `opening` is one character class: every match of `pattern` begins with such a character.
    """
    border = len(text) if end is None else end
    place = opening.search(text, start, border)
    while place is not None:
        found = pattern.match(text, place.start(), border)
        if found is not None:
            yield found
        place = opening.search(text, place.end() if found is None else found.end(), border)
