"""What of the environment looks like a secret, whoever it is for: what must stand in nothing that is handed on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

_LEAST: Final = 6
_NAMES: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|DSN", re.IGNORECASE)
_SIGNED: Final = re.compile(r"://[^/\s:@]*:([^/\s@]+)@|[?&]\w*password=([^&\s]+)", re.IGNORECASE)


def environment_secrets(environ: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return the values of variables whose names are those of secrets, and passwords in all others."""
    given = os.environ if environ is None else environ
    found = {text for name, text in given.items() if _NAMES.search(name)}
    found |= {word for text in given.values() for words in _SIGNED.findall(text) for word in words if word}
    return frozenset(text for text in found if len(text) >= _LEAST and not text.startswith("/"))


def holds_secret(name: str, text: str) -> bool:
    """Return whether a variable looks like one that holds a secret: by its name, or by a password in an address."""
    return _NAMES.search(name) is not None or _SIGNED.search(text) is not None
