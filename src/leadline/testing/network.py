"""One switch that makes every outgoing call fail unless it was allowed.

    with no_network():                  # loopback stays open
    with no_network(allow=()):          # nothing at all

It guards Python's own sockets, which asyncio and aiohttp use. uvloop and compiled clients connect
beneath them: run such tests in a network namespace instead.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class NetworkForbidden(AssertionError):
    """A test reached for the network; the message names the address."""


@contextmanager
def no_network(allow: Sequence[str] = LOOPBACK) -> Iterator[None]:
    """Refuse connections and name look-ups for other than the networks in `allow` (CIDR).

    Unix sockets stay open. Raises `NetworkForbidden` in whoever connects.
    """
    guard = _Guard(allow)
    originals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    resolve = socket.getaddrinfo

    def guarded(name: str) -> Callable[..., Any]:
        original = originals[name]

        def call(self: socket.socket, *arguments: Any) -> Any:  # noqa: ANN401 a socket's own signature
            if self.family != socket.AF_UNIX:
                guard.check(arguments[-1])
            return original(self, *arguments)

        return call

    def resolved(host: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 as above
        guard.check_host(host)
        return resolve(host, *arguments, **keywords)

    with (
        patch.object(socket.socket, "connect", guarded("connect")),
        patch.object(socket.socket, "connect_ex", guarded("connect_ex")),
        patch.object(socket.socket, "sendto", guarded("sendto")),
        patch.object(socket, "getaddrinfo", resolved),
    ):
        yield


class _Guard:
    """Knows which addresses are allowed."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in allow]

    def check(self, address: object) -> None:
        host = address[0] if isinstance(address, tuple) and address else address
        self.check_host(host)

    def check_host(self, host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "127.0.0.1")
        if name == "localhost":
            name = "127.0.0.1"
        try:
            ip = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            raise NetworkForbidden(f"a name was looked up: {name}") from None
        if not any(ip in network for network in self._networks):
            raise NetworkForbidden(f"a connection was made: {name}")
