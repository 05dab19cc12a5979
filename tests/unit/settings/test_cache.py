from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import describe, load
from leadline.settings.cache import Store


def test_without_settings_everything_is_embedded() -> None:
    settings = load(environ={})
    assert (str(settings.cache), str(settings.limits)) == ("sqlite://", "memory://")
    assert settings.cache.path is None
    assert (settings.caching.search_seconds, settings.caching.page_seconds) == (900, 3_600)
    assert settings.caching.scholar_seconds == 86_400


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "rediss+cluster"])
def test_a_redis_may_hold_both_and_its_password_is_never_shown(scheme: str) -> None:
    url = f"{scheme}://user:p4ss@cache.example:6380/2"
    settings = load(environ={"LEADLINE_CACHE": url, "LEADLINE_LIMITS": url})
    assert (settings.cache.url, settings.cache.scheme) == (url, scheme)
    shown = {row.name: row.value for row in describe(settings)}
    assert shown["cache"] == shown["limits"] == f"{scheme}://********@cache.example:6380/2"
    assert "p4ss" not in repr(settings)


def test_a_file_of_ones_own_and_off() -> None:
    assert load(environ={"LEADLINE_CACHE": "sqlite:///srv/cache.db"}).cache.path == Path("/srv/cache.db")
    assert load(environ={"LEADLINE_CACHE": "off"}).cache.scheme == "off"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE", "memory://"),
        ("CACHE", "redis://"),
        ("CACHE", "redis://:hidden@"),
        ("CACHE", "redis://host:99999"),
        ("CACHE", "sqlite://relative"),
        ("CACHE", "file:///x"),
        ("LIMITS", "off"),
        ("LIMITS", "sqlite://"),
        ("LIMITS", "memory://x"),
        ("CACHING__PAGE_SECONDS", "0"),
        ("OUTGOING__ALONE", "1.5"),
        ("OUTGOING__HOST_CONNECTIONS", "0"),
    ],
)
def test_what_can_be_no_store_is_refused_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"LEADLINE_{name}") as refused:
        load(environ={f"LEADLINE_{name}": value})
    assert "hidden" not in str(refused.value)


def test_a_store_compares_by_its_address() -> None:
    assert Store("redis://a") == Store("redis://a") != Store("redis://b")
