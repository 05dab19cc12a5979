"""Settings of what stands before every outgoing call: the cache, the limits, courtesy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leadline.settings.kinds import Number, OrNone, Size, Whole, setting
from leadline.settings.masking import masked
from leadline.settings.redis import IN_WORDS, REDIS, is_secure, options_of

OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Store:
    """An address whose scheme chooses an adapter; it never prints a user or password."""

    url: str

    @property
    def scheme(self) -> str:
        """The scheme, `off` where there is nothing."""
        return self.url.partition("://")[0]

    @property
    def path(self) -> Path | None:
        """The path of a `sqlite://` address that has one."""
        path = urlsplit(self.url).path
        return Path(path) if path else None

    def __str__(self) -> str:
        return masked(self.url)

    def __repr__(self) -> str:
        return f"Store({str(self)!r})"


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """An embedded adapter, a Redis, and perhaps `off`."""

    embedded: str
    may_be_off: bool = False
    secret: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        own = f"`{self.embedded}://`" + (" or `sqlite:///` and a path" if self.embedded == "sqlite" else "")
        schemes = ", ".join(f"`{scheme}://`" for scheme in REDIS)
        return f"{own}, an address of Redis ({schemes}; {IN_WORDS})" + (", or `off`" if self.may_be_off else "")

    def parse(self, raw: object, base: Path) -> Store:
        """Return the address."""
        if not isinstance(raw, str):
            raise TypeError
        text = raw.strip()
        scheme, found, rest = text.partition("://")
        if text == OFF and self.may_be_off:
            return Store(OFF)
        if not found or not text.isprintable() or " " in text:
            raise ValueError
        if scheme == self.embedded and (not rest or (scheme == "sqlite" and rest.startswith("/"))):
            return Store(text)
        if scheme not in REDIS or not urlsplit(text).hostname:
            raise ValueError
        _ = urlsplit(text).port  # raises ValueError for what is no port
        _ = options_of(urlsplit(text).query, secure=is_secure(scheme))  # as above
        return Store(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class CachingSettings:
    """How long answers of the web are kept, and in how much room."""

    memory: int = setting(64 << 20, Size(1 << 16), "Bytes of answers that a process keeps in memory.")
    disk: int = setting(1 << 30, Size(1 << 20), "Bytes of answers in the cache's file; a Redis has its own limit.")
    search_seconds: float = setting(900.0, Number(0, above=True), "Seconds for which what a search found is fresh.")
    page_seconds: float = setting(3_600.0, Number(0, above=True), "Seconds for which a page that was read is fresh.")
    scholar_seconds: float = setting(
        86_400.0, Number(0, above=True), "Seconds for which what a scholarly service answered is fresh."
    )
    other_seconds: float = setting(
        3_600.0, Number(0, above=True), "Seconds for which anything else is fresh: robots.txt files."
    )
    nothing_seconds: float = setting(
        45.0, Number(0, above=True), "Seconds for which it is believed that there is nothing: no hits, no such page."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingSettings:
    """Limits of what is asked of others, beside the rate of each service (`qps`)."""

    tenant_qps: float | None = setting(
        None,
        OrNone(Number(0, above=True)),
        "Requests a second that one tenant may make to one service. `none`: as many as the service allows.",
    )
    host_seconds: float = setting(
        0.5, Number(0), "Seconds between two pages of one host; its robots.txt may ask for more."
    )
    host_connections: int = setting(2, Whole(1, 64), "Requests that are under way at one host at a time.")
    alone: float = setting(
        0.125,
        Number(0, 1, above=True),
        "While the Redis of `limits` is away: the share of each limit that a process allows itself, "
        "one over the number of processes.",
    )
