"""The options of a Redis's address, the same in every setting that takes one."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

REDIS: Final = ("redis", "rediss", "redis+cluster", "rediss+cluster")
"""Schemes of a Redis: one server or a cluster, each plain or over TLS."""

TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
"""Files in PEM, for TLS alone: the authority that signs the server; our certificate and its key."""

IN_WORDS: Final = "over TLS `?ssl_ca_certs=FILE` names the authority"


def options_of(query: str, *, secure: bool, beside: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the options of an address, of TLS and those `beside`. Raises `ValueError` for what is none.

    A driver would take many more, of which some switch the check of certificates off.
    """
    given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    options = dict(given)
    allowed = (TLS_OPTIONS if secure else frozenset()) | beside
    if len(options) != len(given) or options.keys() - allowed or not all(options.values()):
        raise ValueError
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise ValueError
    return options


def is_secure(scheme: str) -> bool:
    """Tell whether a scheme of `REDIS` is over TLS."""
    return scheme.partition("+")[0] == "rediss"
