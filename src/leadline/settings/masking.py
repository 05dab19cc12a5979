"""Addresses as they are shown: without user and password, wherever these stand."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

MASK: Final = "********"
_SIGNED: Final = re.compile(r"//[^/\s]*@")
_OPTION: Final = re.compile(r"([?&]\w*password=)[^&\s]+", re.IGNORECASE)


def masked(text: str) -> str:
    """Return text with what is secret in addresses hidden."""
    return _OPTION.sub(rf"\g<1>{MASK}", _SIGNED.sub(f"//{MASK}@", text))


def passwords(address: str) -> frozenset[str]:
    """Return the passwords of an address, as they stand in it and as they are meant."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return frozenset()
    found = {parts.password} if parts.password else set[str]()
    found |= {value for name, value in parse_qsl(parts.query) if name.lower().endswith("password")}
    return frozenset(found | {unquote(word) for word in found})
