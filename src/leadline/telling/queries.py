"""What is searched for, as a person reads it while a run lasts."""

from __future__ import annotations

import re
from typing import Final

from leadline.domain import Json

_LOOKED_UP: Final = re.compile(r'(?P<quoted>"(?P<name>[^"]+)")(?: .*)?', re.DOTALL)
"""A query for a name as it stands, or for what is said of it."""


def queries_told(value: Json) -> list[str]:
    """Return a search's queries, each once; where a name is looked up, it alone stands for all that is asked of it."""
    items = [str(item) for item in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(_told(item, items) for item in items))


def _told(item: str, items: list[str]) -> str:
    found = _LOOKED_UP.fullmatch(item)
    return found["name"] if found and found["quoted"] in items else item
