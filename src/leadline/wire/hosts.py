"""Names of this very machine."""

from __future__ import annotations

import ipaddress


def is_own_host(host: str) -> bool:
    """Whether a `Host` names this machine by a name that nobody else can give to theirs."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name.lower())


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
