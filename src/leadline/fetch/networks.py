"""Which IP addresses may be reached: tables of our own, because Python's differ between its versions.

After the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890 and its updates).
An IPv6 address that carries an IPv4 address is judged by that one as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_SPECIAL: Final = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "an address of this host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address behind a carrier's NAT"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a protocol's own address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/96", "an address of this host"),
        ("::ffff:0:0:0/96", "a translated IPv4 address"),
        ("64:ff9b:1::/48", "a local translation of an IPv4 address"),
        ("100::/63", "a discard-only address"),
        ("2001::/23", "a protocol's own address"),  # Teredo, ORCHID and others
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "an address for documentation"),
        ("5f00::/16", "a segment routing address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)

# Where clouds hand out credentials; no allow list opens them. Link-local networks serve little else.
_NEVER: Final = tuple(
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # AWS, Google, Azure, OpenStack and most others; ECS and EKS credentials
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's host agent, in a public network
        "192.0.0.192/32",  # Oracle, older
        "fd00:ec2::/32",  # AWS
        "fd20:ce::/32",  # Google
        "fd00:42::/32",  # Scaleway
        "fe80::/10",
    )
)

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TAIL_CARRIERS: Final = (_MAPPED, _NAT64, IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"))
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
_LOW: Final = 0xFFFF_FFFF


def parse_networks(networks: Sequence[str]) -> tuple[Network, ...]:
    """Return CIDR texts as networks. Raises `ValueError` for what is none, or has host bits set."""
    return tuple(ip_network(network.strip()) for network in networks)


def address_of(text: str) -> Address:
    """Return a resolver's answer as an address. Raises `ValueError`, also for one with a zone id."""
    if "%" in text:
        raise ValueError(f"an address with a zone id: {text}")
    return ip_address(text)


def refusal(address: Address, *, allowed: Sequence[Network] = ()) -> str | None:
    """Say why `address` may not be reached, `None` where it may.

    `allowed` opens networks; an IPv4 address inside an IPv6 one counts as itself there.
    """
    carried = tuple(embedded(address))
    for one in (address, *carried):
        if any(_inside(one, network) for network in _NEVER):
            return f"{address} is in a network that holds cloud metadata, which no setting opens"
    if is_allowed(address, allowed):
        return None
    for one in (address, *carried):
        for network, what in _SPECIAL:
            if _inside(one, network):
                return f"{address} is {what}" if one == address else f"{address} leads to {one}, {what}"
    return None


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Return whether the operator opened the network of `address`."""
    plain = _as_routed(address)
    return any(_inside(address, network) or _inside(plain, network) for network in allowed)


def embedded(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address carries, in whatever form a host may unpack.

    Mapped (RFC 4291), compatible, translated (RFC 2765), NAT64 (RFC 6052, also its local prefix),
    6to4 (RFC 3056), Teredo (RFC 4380: server, and client with its bits turned), ISATAP (RFC 5214).
    """
    if isinstance(address, IPv4Address):
        return
    value = int(address)
    if any(address in network for network in _TAIL_CARRIERS):
        yield IPv4Address(value & _LOW)
    if address in _LOCAL_NAT64:
        yield IPv4Address(value & _LOW)
        # RFC 6052 section 2.2, prefix of 48 bits: 16 bits before the zero octet `u`, 16 after it.
        yield IPv4Address((value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if value >> 32 & _LOW in _ISATAP:
        yield IPv4Address(value & _LOW)


def _as_routed(address: Address) -> Address:
    """Return the IPv4 address to which the system itself connects for `address`, else `address`."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & _LOW)
    return address


def _inside(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
