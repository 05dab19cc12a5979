"""Settings of how runs are kept, held and carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from leadline.errors import SettingsError
from leadline.settings.kinds import Number, OrNone, Whole, setting
from leadline.settings.redis import IN_WORDS, options_of

POSTGRES: Final = ("postgresql", "postgres")
ENGINES: Final = ("embedded", "postgres")
BROKERS: Final = ("celery+redis", "celery+rediss", "celery+sentinel")
"""Schemes of engines over Celery: a Redis, plain or over TLS, or one that sentinels know."""

_OF_SENTINELS: Final = frozenset({"db", "tls", "sentinel_user", "sentinel_password"})


@dataclass(frozen=True, slots=True)
class RunStoreUrl:
    """A SQLite file, or a database of PostgreSQL."""

    secret: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return (
            "`sqlite://` for the data folder, `sqlite:///` and a path, or "
            "`postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`"
        )

    def parse(self, raw: object, base: Path) -> str:
        """Return the address."""
        if not isinstance(raw, str):
            raise TypeError
        text = raw.strip()
        scheme, found, rest = text.partition("://")
        if not found or not text.isprintable() or " " in text:
            raise ValueError
        if scheme == "sqlite" and (not rest or rest.startswith("/")):
            return text
        parts = urlsplit(text)
        if scheme not in POSTGRES or not parts.path.strip("/"):
            raise ValueError
        return parts._replace(scheme=POSTGRES[0]).geturl()


@dataclass(frozen=True, slots=True)
class EngineKind:
    """Who carries the runs that wait in the queue; a broker's address may hold a password."""

    secret: bool = field(default=True, init=False)

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        words = ", ".join(f"`{word}`" for word in ENGINES)
        return (
            f"{words}, or a broker: `celery+redis://`, `celery+rediss://` or `celery+sentinel://` and its address "
            f"(one database, sentinels and a master's name; {IN_WORDS})"
        )

    def parse(self, raw: object, base: Path) -> str:
        """Return the engine."""
        text = raw.strip() if isinstance(raw, str) else ""
        scheme, found, rest = text.partition("://")
        if text in ENGINES:
            return text
        if not found or scheme not in BROKERS or not text.isprintable() or " " in text:
            raise ValueError
        hosts = rest.partition("/")[0].rpartition("@")[2].split(",")
        if not all(urlsplit(f"x://{host}").hostname for host in hosts):
            raise ValueError
        _ = [urlsplit(f"x://{host}").port for host in hosts]  # raises ValueError for what is no port
        _check_tail(scheme, rest.partition("/")[2], hosts=len(hosts))
        return text


def _check_tail(scheme: str, tail: str, *, hosts: int) -> None:
    """Refuse what does not belong behind a broker's hosts. Raises `ValueError`."""
    parts = urlsplit(f"x://y/{tail}")
    name = parts.path.strip("/")
    sentinel = scheme == BROKERS[-1]
    # What is said of TLS needs TLS, which sentinels are asked for by an option.
    over_tls = parse_qs(parts.query).get("tls") in (["1"], ["true"]) if sentinel else scheme == BROKERS[1]
    given = options_of(parts.query, secure=over_tls, beside=_OF_SENTINELS if sentinel else frozenset())
    number = given.get("db", "0") if sentinel else name or "0"
    wrong = (not name) if sentinel else hosts != 1
    if wrong or parts.fragment or not number.isdecimal() or given.get("tls", "1") not in {"0", "1", "true", "false"}:
        raise ValueError


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """Runs side by side."""

    concurrency: int = setting(4, Whole(1, 10_000), "Runs that one process works on at a time.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSettings:
    """How runs are held."""

    lease_seconds: float = setting(
        30.0,
        Number(1, 3600),
        "Seconds after which another worker may take over a run whose worker is silent.",
    )
    attempts: int = setting(
        5, Whole(1, 100), "Workers that may die over a run before it is ended as failed instead of tried again."
    )
    tenant_runs: int | None = setting(
        None,
        OrNone(Whole(1)),
        "Runs of the queue that all workers together carry of one tenant at a time; the rest waits. `none`: as many "
        "as there are slots, shared out fairly.",
    )
    connections: int = setting(8, Whole(2, 200), "Connections of one process to PostgreSQL, one more listens.")


def check_engine(*, engine: str, store: str) -> None:
    """Refuse an engine that the store cannot serve."""
    if engine == "postgres" and not store.startswith(POSTGRES[0]):
        raise SettingsError(
            "`engine` is `postgres`, but `store` is SQLite, which one machine alone may use: "
            "set LEADLINE_STORE=postgresql://..."
        )


def shared_broker(*, engine: str, others: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each of the `others` (setting: address) that is the engine's own Redis, database and all."""
    if not engine.startswith("celery+redis"):
        return ()
    mine = _redis_of(engine.removeprefix("celery+"))
    return tuple(
        f"`{name}` is the Redis of `engine`: what fills or wipes the one harms the other; give each its own"
        for name, url in others.items()
        if url.startswith("redis") and _redis_of(url) == mine
    )


def _redis_of(url: str) -> tuple[str | None, int, str]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or 6379, parts.path.strip("/") or "0"
