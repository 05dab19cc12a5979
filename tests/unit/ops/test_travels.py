"""What travels where: every address of the settings is looked at, and judged by whether anybody could read it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from leadline.errors import SettingsError
from leadline.ops.preflight.travels import is_here, is_trusted, travel, ways
from leadline.settings import items, load
from leadline.settings.kinds import Kind, is_secret

STORE = "postgresql://u:p@db.example/x"
AT = {"model.urls": {"model.name": "m"}, "judge.urls": {"judge.use": "own", "judge.name": "j"}}
AT |= {"summarizer.urls": {"summarizer.use": "own", "summarizer.name": "s"}, "embed.url": {"embed.name": "e"}}
AT |= {"rerank.url": {"rerank.name": "r"}}
AT |= {"tools.search": {"tools.key": "tools-key-0"}, "tools.visit": {"tools.key": "tools-key-0"}}
AT |= {"tools.scholar": {"tools.key": "tools-key-0"}, "tools.python": {"tools.key": "tools-key-0"}}
AT |= {"s3.endpoint": {"blobs": "s3://bucket"}, "server.url": {"server.key": "ll_server_key_0"}}
AT |= {"visit.reader_url": {"visit.reader_key": "reader-key-0"}, "sandbox": {"python.key": "python-key-0"}}
AT |= {"auth.jwks_url": {"auth.jwt_issuer": "https://issuer.example", "auth.jwt_audience": "leadline"}}
AT |= {"traces.url": {}}
HTTP = tuple(AT)
KEYED = ("search.serper", "search.searxng", "scholar.openalex")
PLAIN_AND_SECURE = {
    "store": (STORE, f"{STORE}?sslmode=verify-full"),
    "cache": ("redis://:p@cache.example/0", "rediss://:p@cache.example/0"),
    "limits": ("redis+cluster://:p@limits.example:7000/0", "rediss+cluster://:p@limits.example:7000/0"),
    "engine": ("celery+redis://:p@queue.example/0", "celery+rediss://:p@queue.example/0"),
    "event_log": ("kafka://127.0.0.1:9092,log.example:9092/events", "kafkas://u:p@log.example:9092/events"),
}
NOTHING_SECRET = {
    "proxy",  # what is secret passes it inside TLS
    *("preflight.url", "preflight.prometheus", "preflight.alertmanager", "preflight.grafana"),  # looked at by their own
    *(f"search.{name}.base_url" for name in ("wikipedia", "ddgs")),  # take no key
    *(f"scholar.{name}.base_url" for name in ("arxiv", "europepmc", "unpaywall")),  # as above
}


def told(**flags: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = travel(load(flags={name.replace("__", "."): value for name, value in flags.items()}, environ={}))
    return tuple(found.open), tuple(found.trusted)


def flags_of(setting: str, value: str) -> dict[str, str]:
    beside = dict(AT.get(setting, {}))
    if setting == "engine":
        beside["store"] = f"{STORE}?sslmode=verify-full"
    return {setting: value, **beside}


@pytest.mark.parametrize("setting", HTTP)
def test_each_address_of_http_counts_where_it_is_away_and_plain(setting: str) -> None:
    assert told(**flags_of(setting, "http://away.example:81/x")) == ((f"`{setting}` to away.example",), ())
    assert told(**flags_of(setting, "https://away.example/x")) == ((), ())
    assert told(**flags_of(setting, "http://127.0.0.1:81/x")) == ((), ())


@pytest.mark.parametrize("name", KEYED)
def test_a_provider_counts_where_it_is_sent_a_key(name: str) -> None:
    section, _, provider = name.partition(".")
    flags = {f"{section}.providers": provider, f"{name}.base_url": "http://away.example"}
    keyed = {**flags, f"{name}.api_keys": "provider-key-0"}
    assert told(**keyed) == ((f"`{name}.base_url` to away.example",), ())
    assert told(**{**keyed, f"{name}.base_url": "https://away.example"}) == ((), ())
    if name != "search.serper":
        assert told(**flags) == ((), ())


@pytest.mark.parametrize("setting", PLAIN_AND_SECURE)
def test_each_store_counts_where_it_is_away_and_plain(setting: str) -> None:
    plain, secure = PLAIN_AND_SECURE[setting]
    [one], vouched = told(**flags_of(setting, plain))
    assert one.startswith(f"`{setting}` to ")
    assert one.endswith(".example")
    assert vouched == ()
    assert told(**flags_of(setting, secure)) == ((), ())


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"store": "postgresql://u:p@127.0.0.1,db.example/x"}, "`store` to db.example"),
        ({"store": "postgresql:///x?host=db.example"}, "`store` to db.example"),
        ({"store": "postgresql:///x?host=/run/postgresql"}, None),
        ({"store": "postgresql://u:p@db.example/x?sslmode=require"}, "`store` to db.example"),
        ({"engine": "celery+sentinel://:p@one.example:26379,127.0.0.1:26379/m"}, "`engine` to one.example"),
        ({"engine": "celery+sentinel://:p@one.example:26379/m?tls=1"}, None),
        ({"event_log": "redis://log.example/0"}, "`event_log` to log.example"),
        ({"log.sink": "kafka://log.example:9092/lines"}, "`log.sink` to log.example"),
        ({"mcp.servers": '{"notes": {"url": "http://mcp.example/mcp"}}'}, "`mcp.servers.notes` to mcp.example"),
    ],
)
def test_what_else_names_a_machine(flags: dict[str, str], wanted: str | None) -> None:
    beside = {"store": f"{STORE}?sslmode=verify-full"} if "engine" in flags else {}
    assert told(**beside, **flags) == ((wanted,) if wanted else (), ())


def test_headers_of_a_plain_origin_count(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[fetch.headers."http://wiki.example"]\nX-Key = "word"\n[fetch.headers."safe.example"]\nX-Key = "w"\n'
    )
    path.chmod(0o600)
    assert travel(load(config=path, environ={})).open == ("`fetch.headers` to wiki.example",)


def test_who_vouches_for_a_place_is_believed_and_told_of() -> None:
    flags = {"tools.search": "http://tool-search:8001", "tools.key": "tools-key-0", "model.name": "m"}
    flags |= {"model.urls": "http://v.models.svc:8000/v1,http://10.1.2.3:8000/v1,http://9.9.9.9/v1"}
    trusted = {**flags, "preflight.trusted": "tool-search, .svc, 10.1.0.0/16"}
    opened, vouched = told(**trusted)
    assert opened == ("`model.urls` to 9.9.9.9",)
    assert vouched == ("`model.urls` to v.models.svc", "`model.urls` to 10.1.2.3", "`tools.search` to tool-search")


@pytest.mark.parametrize("place", ["http://x", "a b", "10.0.0.0/33", "10.0.0.1/8", "-x", ".", "x@y"])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match=r"preflight\.trusted"):
        load(flags={"preflight.trusted": place}, environ={})


def test_names_and_networks_are_not_stretched() -> None:
    assert not is_trusted("evil-svc", (".svc",))
    assert not is_trusted("svc", (".svc",))
    assert not is_trusted("db.internal.evil.example", ("db.internal",))
    assert not is_trusted("10.2.0.1", ("10.1.0.0/16",))
    assert is_trusted("fd00::1", ("fd00::/8",))
    assert is_here("127.9.9.9")
    assert is_here("::1")
    assert not is_here("127.0.0.1.example")


def takes_an_address(kind: Kind) -> bool:
    """Whether a setting takes an address of HTTP, and not any text at all."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        kind.parse("neither a name nor an address", Path())
        return False
    try:
        kind.parse("http://away.example", Path())
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def test_every_setting_that_takes_an_address_is_looked_at() -> None:
    """A new one is looked at, or said to carry nothing."""
    known = {name for name, item in items().items() if not is_secret(item.kind) and takes_an_address(item.kind)}
    assert {"model.urls", "s3.endpoint", "tools.search"} <= known
    providers = {name for name in known if name.endswith(".base_url")}
    for name in providers - NOTHING_SECRET:
        section, provider, _ = name.split(".")
        flags = {
            f"{section}.providers": provider,
            f"{section}.{provider}.api_keys": "provider-key-0",
            name: "http://a.example",
        }
        assert name in seen(flags), name
    assert known - providers - NOTHING_SECRET == set(HTTP)


def seen(flags: dict[str, Any]) -> set[str]:
    return {way.setting for way in ways(load(flags=flags, environ={}))}
