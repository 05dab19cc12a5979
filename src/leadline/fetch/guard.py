"""The guard against server-side request forgery: what may be connected to, decided at the connection.

Three looks at every connection, so that neither redirects, nor literals, nor names whose answers
change, nor a wrong resolver lead past it: the address as written (`urls.parse`), every address
that its name resolves to, and the peer of the socket. What was checked is what is connected to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from leadline.errors import FetchUnavailable, Forbidden, NotFound, SettingsError
from leadline.fetch import networks
from leadline.fetch.networks import Address
from leadline.fetch.urls import DEFAULT_PORTS, Target, parse, shortened

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""A host name to its addresses as text. Raises `OSError` where there is none."""

PORTS: Final = frozenset(DEFAULT_PORTS.values())
_LOOPBACK_NAMES: Final = ("127.0.0.1", "::1")
_UNKNOWN: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


async def system_resolve(host: str) -> Sequence[str]:
    """Ask the system's resolver, beside the event loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


class Guard:
    """Decides which addresses may be fetched.

    `allow_private` are the operator's CIDR networks: inside them every port is open, elsewhere
    80 and 443 are. Networks that hold cloud metadata stay closed. Raises `SettingsError` for what
    is no network.
    """

    def __init__(self, *, allow_private: Sequence[str] = (), resolve: Resolve = system_resolve) -> None:
        try:
            self._allowed = networks.parse_networks(allow_private)
        except ValueError as error:
            raise SettingsError(f"not a network in CIDR form: {error}; use for example 10.1.0.0/16") from error
        self._resolve = resolve

    def target(self, url: str) -> Target:
        """Return the well-formed address; a literal is decided, a name is not yet. Raises `Forbidden`."""
        target = parse(url)
        if target.literal is not None:
            self.check(target.literal, target.port)
        elif target.port not in PORTS and not self._allowed:
            raise _wrong_port(target.host, target.port)
        return target

    def check(self, address: Address, port: int) -> None:
        """Raise `Forbidden` where `address` and `port` may not be connected to."""
        reason = networks.refusal(address, allowed=self._allowed)
        if reason is not None:
            raise Forbidden(f"the address may not be fetched: {reason}")
        if port not in PORTS and not networks.is_allowed(address, self._allowed):
            raise _wrong_port(str(address), port)

    async def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """Return all addresses of a host, every one of them checked.

        One that is refused refuses the name. Raises `Forbidden`, `NotFound`, `FetchUnavailable`.
        """
        try:
            answers = await self._answers(host)
        except OSError as error:
            if getattr(error, "errno", None) in _UNKNOWN:
                raise NotFound(f"there is no host `{shortened(host)}`") from error
            raise FetchUnavailable(f"the name `{shortened(host)}` could not be resolved: {error}") from error
        return self._checked(host, port, answers)

    async def admit(self, url: str) -> Target:
        """Decide on `url` as a whole, its name resolved, for what is then fetched by someone else."""
        target = self.target(url)
        if target.literal is None:
            await self.addresses(target.host, target.port)
        return target

    def _checked(self, host: str, port: int, answers: Sequence[str]) -> tuple[Address, ...]:
        try:
            found = tuple(networks.address_of(answer) for answer in answers)
        except ValueError as error:
            raise Forbidden(f"`{shortened(host)}` resolves to no plain address: {error}") from error
        if not found:
            raise NotFound(f"there is no host `{shortened(host)}`")
        for address in found:
            self.check(address, port)
        return found

    async def _answers(self, host: str) -> Sequence[str]:
        literal = _literal(host)
        if literal is not None:
            return [str(literal)]
        return _LOOPBACK_NAMES if is_loopback_name(host) else await self._resolve(host)


def is_loopback_name(host: str) -> bool:
    """Return whether the name means this machine whatever a resolver says (RFC 6761)."""
    return host == "localhost" or host.endswith(".localhost")


class GuardedConnector(aiohttp.TCPConnector):
    """Connects only where its guard lets it, and to the very address that was checked.

    Names go through the guarded resolver. aiohttp asks no resolver about IP literals, so each
    socket is checked again when it is made, and its peer once it is connected.
    """

    def __init__(self, guard: Guard, *, limit: int, ssl: SSLContext | bool = True) -> None:
        self._guard = guard
        super().__init__(
            resolver=_GuardedResolver(guard),
            use_dns_cache=False,
            socket_factory=self._socket,
            limit=limit,
            keepalive_timeout=15.0,
            ssl=ssl,
        )

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 aiohttp's own signature
    ) -> Connection:
        """Return a connection whose peer was checked, new or used before."""
        connection = await super().connect(req, traces, timeout)
        try:
            check_peer(self._guard, connection.transport)
        except BaseException:
            connection.close()
            raise
        return connection

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        self._guard.check(networks.address_of(address[0]), address[1])
        return socket.socket(family=family, type=kind, proto=protocol)


def check_peer(guard: Guard, transport: asyncio.BaseTransport | None) -> None:
    """Raise `Forbidden` where the other end of a connection is none that the guard lets pass."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    if peer is None:
        raise FetchUnavailable("the connection was closed at once")
    guard.check(networks.address_of(peer[0]), peer[1])


class _GuardedResolver(AbstractResolver):
    """aiohttp's way to ask the guard for addresses."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held open."""


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _wrong_port(host: str, port: int) -> Forbidden:
    return Forbidden(f"only ports 80 and 443 may be fetched, not {port} at `{shortened(host)}`")
