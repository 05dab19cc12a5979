"""Addresses as browsers read them (WHATWG URL), and refused where readers could differ.

What one parser takes for the host another may not: so whatever is ambiguous is refused rather
than repaired, and what is accepted is written anew in its one canonical form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from unicodedata import normalize
from urllib.parse import quote, unquote_to_bytes, urljoin

import idna

from leadline.errors import Forbidden
from leadline.fetch.networks import Address, address_of

MOST_CHARS: Final = 8_192
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?", re.IGNORECASE
)
_PORT: Final = re.compile(r"[0-9]{1,5}")
_FORBIDDEN_IN_HOST: Final = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IPV6: Final = re.compile(r"[0-9a-f:.]+", re.IGNORECASE)
_MOST_HOST: Final = 253
# Everything that need not be encoded; `%` stays, so that what is encoded is not encoded twice.
_PATH_SAFE: Final = "/%!$&'()*+,;=:@-._~|[]"
_QUERY_SAFE: Final = _PATH_SAFE + "?\\^`{}"
_UNRESERVED_DOT: Final = re.compile("%2e", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """An address that is well formed: `url` is canonical, without fragment, and ASCII.

    `host` is a lower-case ASCII name, or a canonical IP literal (then `literal` holds it).
    """

    url: str
    scheme: str
    host: str
    port: int
    literal: Address | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port: `https://example.org` where the port is the scheme's own."""
        return self.url[: self.url.index("/", len(self.scheme) + 3)]


def parse(url: str) -> Target:
    """Return what `url` means. Raises `Forbidden` for anything but a plain http(s) address.

    Refused: other schemes, a user part, control characters, backslashes before the query, spaces
    in the host, wrong ports, hosts that are neither a name nor an address, zone ids. Numeric hosts
    are read as the C library does: decimal, octal, hexadecimal, short.
    """
    if len(url) > MOST_CHARS:
        raise Forbidden(f"the address is longer than {MOST_CHARS} characters")
    if _CONTROLS.search(url):
        raise Forbidden("the address holds control characters")
    match = _URL.match(url.strip(" "))
    if match is None:
        raise Forbidden(f"not an http or https address: {shortened(url)}")
    scheme = match["scheme"].lower()
    if "@" in match["authority"]:
        raise Forbidden(f"an address may not hold a user name or password: {shortened(url)}")
    if "\\" in match["authority"] or "\\" in match["path"]:
        raise Forbidden(f"an address may not hold backslashes: {shortened(url)}")
    host, literal, port = _host_and_port(match["authority"], url)
    effective = DEFAULT_PORTS[scheme] if port is None else port
    shown = f"[{host}]" if isinstance(literal, IPv6Address) else host
    suffix = "" if effective == DEFAULT_PORTS[scheme] else f":{effective}"
    rest = _path(match["path"]) + _encode(match["query"] or "", _QUERY_SAFE)
    return Target(url=f"{scheme}://{shown}{suffix}{rest}", scheme=scheme, host=host, port=effective, literal=literal)


def join(base: Target, location: str) -> Target:
    """Return where a redirect from `base` leads. Raises `Forbidden` as `parse` does."""
    stripped = location.strip(" \t")
    if "\\" in stripped.partition("?")[0] or _CONTROLS.search(stripped):
        raise Forbidden(f"a redirect to a malformed address: {shortened(stripped)}")
    try:
        return parse(urljoin(base.url, stripped))
    except ValueError as error:
        raise Forbidden(f"a redirect to a malformed address: {shortened(stripped)}") from error


def shortened(url: str, most: int = 200) -> str:
    """Return `url` fit for a message: printable and not long."""
    safe = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in url[: most + 1])
    return safe if len(safe) <= most else safe[: most - 1] + "…"


def _host_and_port(authority: str, url: str) -> tuple[str, Address | None, int | None]:
    if authority.startswith("["):
        inner, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _no_host(url)
        six = _ipv6(inner, url)
        return str(six), six, _port(rest, url)
    name, colon, port = authority.partition(":")
    host = _name(name, url)
    four = _ipv4(host, url)
    return (host if four is None else str(four)), four, _port(colon + port, url)


def _port(text: str, url: str) -> int | None:
    """Return the port that follows a host: `None` for none, be it with or without its colon."""
    if text in {"", ":"}:
        return None
    if not _PORT.fullmatch(text[1:]) or not 0 < int(text[1:]) <= 0xFFFF:
        raise Forbidden(f"not a port: {shortened(text[1:])} in {shortened(url)}")
    return int(text[1:])


def _ipv6(text: str, url: str) -> IPv6Address:
    if not _IPV6.fullmatch(text):
        raise _no_host(url)
    try:
        address = address_of(text)
    except ValueError as error:
        raise _no_host(url) from error
    if not isinstance(address, IPv6Address):
        raise _no_host(url)
    return address


def _ipv4(host: str, url: str) -> IPv4Address | None:
    """Return the address that a host ending in a number means, `None` for a name."""
    parts = host.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    numbers = [_number(part) for part in parts]
    *high, low = numbers
    if len(numbers) > 4 or any(n is None or n > 0xFF for n in high) or low is None or low >= 256 ** (5 - len(numbers)):
        raise _no_host(url)
    value = low
    for position, number in enumerate(high):
        value += (number or 0) << 8 * (3 - position)
    return IPv4Address(value)


def _number(text: str) -> int | None:
    """Return a part of a numeric host as the C library reads it, `None` for no number."""
    if not _NUMBER.fullmatch(text) or len(text) > 64:
        return None
    try:
        if text.startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8) if text.startswith("0") else int(text)
    except ValueError:
        return None


def _name(raw: str, url: str) -> str:
    """Return a host name in ASCII (UTS 46, non-transitional), without a final dot."""
    try:
        text = unquote_to_bytes(raw).decode()
        mapped = text.lower() if text.isascii() else normalize("NFC", idna.uts46_remap(text, std3_rules=False))
        if _FORBIDDEN_IN_HOST.search(mapped):
            raise _no_host(url)
        labels = [_label(label) for label in mapped.removesuffix(".").split(".")]
    except UnicodeError as error:  # `idna.IDNAError` is one
        raise _no_host(url) from error
    host = ".".join(labels)
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > _MOST_HOST:
        raise _no_host(url)
    return host


def _label(label: str) -> str:
    """Return one label in ASCII; one that is encoded already must decode to what encodes to it."""
    if not label.startswith("xn--"):
        return label if label.isascii() else _encoded(label)
    decoded = label[4:].encode().decode("punycode")
    if decoded.isascii() or _encoded(decoded) != label:
        raise UnicodeError(f"not a valid encoded label: {label}")
    return label


def _encoded(label: str) -> str:
    if normalize("NFC", idna.uts46_remap(label, std3_rules=False)) != label or not idna.check_bidi(label):
        raise UnicodeError(f"not a valid label: {label}")
    return "xn--" + label.encode("punycode").decode()


def _path(raw: str) -> str:
    """Return the path with its dot segments resolved (RFC 3986 section 5.2.4) and encoded."""
    kept: list[str] = []
    segments = raw.split("/")[1:]
    for index, segment in enumerate(segments):
        plain = _UNRESERVED_DOT.sub(".", segment)
        if plain == "..":
            kept = kept[:-1]
        elif plain != ".":
            kept.append(segment)
        if plain in {".", ".."} and index == len(segments) - 1:
            kept.append("")
    return "/" + _encode("/".join(kept), _PATH_SAFE)


def _encode(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="replace")


def _no_host(url: str) -> Forbidden:
    return Forbidden(f"the address names no valid host: {shortened(url)}")
