"""Where secrets, journals, prompts and documents travel: every address of the settings, and which go unencrypted.

What never leaves this machine needs no TLS. Nor does what an operator vouches for by name
(`preflight.trusted`): a network of one's own that nobody else can listen in on, or that encrypts by itself.
Names are taken as they stand and are not looked up: where one leads may change, an operator's word does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from leadline.settings import Settings
from leadline.settings.eventlog import KAFKA
from leadline.settings.redis import REDIS, is_secure
from leadline.settings.s3 import S3
from leadline.settings.scholar import SERVICES
from leadline.settings.tools import LOCAL

_CHECKED: Final = frozenset({"verify-full", "verify-ca"})
_HERE: Final = frozenset({"localhost", ""})


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """What a setting sends somewhere. `secure`: it is encrypted, and who it goes to is proved."""

    setting: str
    hosts: Sequence[str]
    secure: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Travel:
    """The ways that leave this machine unencrypted: those that nobody vouched for, and the others."""

    open: Sequence[str]
    trusted: Sequence[str]


def travel(settings: Settings) -> Travel:
    """Return what is to be told of the ways that are not encrypted: the setting, and to where it leads."""
    vouched = settings.preflight.trusted
    opened: list[str] = []
    trusted: list[str] = []
    for way in ways(settings):
        away = [host for host in way.hosts if not is_here(host)]
        if way.secure or not away:
            continue
        unknown = [host for host in away if not is_trusted(host, vouched)]
        told = f"`{way.setting}` to {', '.join(unknown or away)}"
        (opened if unknown else trusted).append(told)
    return Travel(open=tuple(opened), trusted=tuple(trusted))


def ways(settings: Settings) -> Iterator[Way]:
    """Yield every way that the settings name, by the setting."""
    yield from _stores(settings)
    yield from _logs(settings)
    for setting, url in _addresses(settings):
        parts = urlsplit(url)
        yield Way(setting=setting, hosts=(parts.hostname or "",), secure=parts.scheme == "https")


def _stores(settings: Settings) -> Iterator[Way]:
    store = urlsplit(settings.store)
    if store.scheme == "postgresql":
        options = parse_qs(store.query)
        named = options.get("host") or [_plain_netloc(store.netloc)]
        secure = options.get("sslmode", [""])[-1] in _CHECKED
        yield Way(setting="store", hosts=_hosts(",".join(named)), secure=secure)
    for setting, url in (("cache", settings.cache.url), ("limits", settings.limits.url)):
        scheme = url.partition("://")[0]
        if scheme in REDIS:
            yield Way(setting=setting, hosts=_hosts(_plain_netloc(urlsplit(url).netloc)), secure=is_secure(scheme))
    yield from _broker(settings.engine)


def _broker(engine: str) -> Iterator[Way]:
    scheme, found, rest = engine.partition("://")
    if not found:
        return
    parts = urlsplit(f"x://{rest}")
    sentinels = scheme == "celery+sentinel"
    # Over sentinels TLS is asked for by an option, and holds for them and for the server that they name.
    secure = parse_qs(parts.query).get("tls") in (["1"], ["true"]) if sentinels else scheme == "celery+rediss"
    yield Way(setting="engine", hosts=_hosts(_plain_netloc(parts.netloc)), secure=secure)


def _logs(settings: Settings) -> Iterator[Way]:
    log = settings.event_log
    if log.scheme in KAFKA:
        yield Way(setting="event_log", hosts=_hosts(log.brokers), secure=log.scheme == KAFKA[1])
    elif log.scheme in REDIS:
        netloc = _plain_netloc(urlsplit(log.url).netloc)
        yield Way(setting="event_log", hosts=_hosts(netloc), secure=is_secure(log.scheme))
    sink = settings.log.sink
    if sink.scheme in KAFKA:
        yield Way(setting="log.sink", hosts=_hosts(sink.brokers), secure=sink.scheme == KAFKA[1])


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the addresses of HTTP to which something goes that is nobody else's."""
    for setting, urls in (
        ("model.urls", settings.model.urls),
        ("judge.urls", settings.judge.urls),
        ("summarizer.urls", settings.summarizer.urls),
    ):
        yield from ((setting, url) for url in urls)
    tools, reader = settings.tools, settings.visit
    places: tuple[tuple[str, str | None], ...] = (
        ("embed.url", settings.embed.url),
        ("rerank.url", settings.rerank.url),
        ("tools.search", tools.search if tools.search != LOCAL else None),
        ("tools.visit", tools.visit if tools.visit != LOCAL else None),
        ("tools.scholar", tools.scholar if tools.scholar != LOCAL else None),
        ("tools.python", tools.python if tools.python != LOCAL else None),
        ("sandbox", settings.sandbox if "://" in settings.sandbox else None),
        ("s3.endpoint", settings.s3.endpoint if settings.blobs.startswith(f"{S3}://") else None),
        ("traces.url", settings.traces.url),
        ("auth.jwks_url", settings.auth.jwks_url),
        ("server.url", settings.server.url if settings.server.key is not None else None),
        ("visit.reader_url", reader.reader_url if reader.reader_key is not None else None),
        *((f"mcp.servers.{server.name}", server.url) for server in settings.mcp.servers),
        *(("fetch.headers", one.host) for one in settings.fetch.headers if "://" in one.host),
    )
    yield from ((setting, url) for setting, url in places if url is not None)
    yield from _providers(settings)


def _providers(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the providers that are sent a key somewhere else than at their public address, which is of HTTPS."""
    search = ((f"search.{name}", settings.search.of(name)) for name in settings.search.providers)
    scholar = ((f"scholar.{name}", settings.scholar.of(name)) for name in SERVICES)
    for name, section in (*search, *scholar):
        if section.base_url is not None and section.api_keys:
            yield f"{name}.base_url", section.base_url


def _plain_netloc(netloc: str) -> str:
    return netloc.rpartition("@")[2]


def _hosts(places: str) -> tuple[str, ...]:
    """Return the hosts of `HOST:PORT,HOST:PORT`; a path, as of a socket, is this machine."""
    found = [unquote(place).strip() for place in places.split(",")]
    return tuple("" if place.startswith("/") else urlsplit(f"x://{place}").hostname or "" for place in found)


def is_here(host: str) -> bool:
    """Tell whether what goes to a host stays on this machine."""
    try:
        return host.lower() in _HERE or ip_address(host).is_loopback
    except ValueError:
        return False


def is_trusted(host: str, vouched: Sequence[str]) -> bool:
    """Tell whether a host is one that an operator vouches for: by its name, its domain, or its network."""
    return any(_covers(one, host.lower()) for one in vouched)


def _covers(one: str, host: str) -> bool:
    if one == host or (one.startswith(".") and host.endswith(one)):
        return True
    try:
        return ip_address(host) in ip_network(one)
    except ValueError:
        return False
