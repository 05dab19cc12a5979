from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import HostHeaders, Secret, Settings, describe, load

FILE = """
[fetch]
contact = "crawl@example.org"
allow_private = ["10.1.0.0/16", "fd00::/8"]
[fetch.headers."wiki.example"]
Authorization = "Bearer abc"
[search]
providers = ["serper", "wikipedia"]
[search.serper]
api_keys = ["k1", "k2"]
qps = 3
"""


def test_the_file_sets_what_reaches_the_web(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")
    path.chmod(0o600)
    settings = load(config=path, environ={})
    assert settings.fetch.allow_private == ("10.1.0.0/16", "fd00::/8")
    assert settings.fetch.headers == (
        HostHeaders(host="wiki.example", headers=(("Authorization", Secret("Bearer abc")),)),
    )
    assert settings.fetch.headers[0].plain() == {"Authorization": "Bearer abc"}
    assert settings.search.of("serper").qps == 3.0
    assert [key.reveal() for key in settings.search.serper.api_keys] == ["k1", "k2"]
    told = {row.name: row.value for row in describe(settings)}
    assert told["fetch.headers"] == "wiki.example: ********"
    assert told["search.serper.api_keys"] == "********,********"
    assert "abc" not in repr(settings)


def test_the_environment_sets_all_but_headers() -> None:
    settings = load(
        environ={
            "LEADLINE_FETCH__ALLOW_PRIVATE": "127.0.0.1/32, 10.0.0.0/8",
            "LEADLINE_PROXY": "http://127.0.0.1:3128",
            "LEADLINE_SEARCH__PROVIDERS": "serper",
            "LEADLINE_SEARCH__SERPER__API_KEYS": "k1,k2",
            "LEADLINE_VISIT__READER_URL": "https://r.example/",
            "LEADLINE_VISIT__READER_ORDER": "first",
        }
    )
    assert settings.fetch.allow_private == ("127.0.0.1/32", "10.0.0.0/8")
    assert len(settings.search.serper.api_keys) == 2
    assert (settings.visit.reader_url, settings.visit.reader_order) == ("https://r.example", "first")
    with pytest.raises(SettingsError, match=r"in the settings file") as refused:
        load(environ={"LEADLINE_FETCH__HEADERS": '{"a.example": {"X-Key": "geheim"}}'})
    assert "geheim" not in str(refused.value)


def test_a_service_without_a_key_may_be_named_for_tenants_that_bring_theirs() -> None:
    names = {"LEADLINE_SEARCH__PROVIDERS": "serper,wikipedia", "LEADLINE_SCHOLAR__PROVIDERS": "serper,arxiv"}
    bring = {"LEADLINE_SEARCH__OWN_KEYS": "true", "LEADLINE_SCHOLAR__OWN_KEYS": "true"}
    settings = load(environ=names | bring)
    assert [settings.search.needs_own(name) for name in settings.search.providers] == [True, False]
    assert [settings.scholar.needs_own(name) for name in settings.scholar.providers] == [True, False]
    for left_out in bring:
        section = left_out.removeprefix("LEADLINE_").partition("__")[0].lower()
        with pytest.raises(SettingsError, match=rf"`{section}\.own_keys` where tenants bring theirs"):
            load(environ=names | {name: value for name, value in bring.items() if name != left_out})


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LEADLINE_FETCH__ALLOW_PRIVATE", "10.1.2.3/8", "networks such as"),
        ("LEADLINE_FETCH__ROBOTS", "perhaps", "`obey` or `ignore`"),
        ("LEADLINE_SEARCH__PROVIDERS", "bing", "`wikipedia`"),
        ("LEADLINE_SEARCH__PROVIDERS", "serper", "search.serper.api_keys"),
        ("LEADLINE_SEARCH__PROVIDERS", "searxng", "search.searxng.base_url"),
        ("LEADLINE_SEARCH__SERPER__API_KEYS", "two words", "printable ASCII"),
        ("LEADLINE_SEARCH__FUSE", "0", "at least 1 and at most 9"),
        ("LEADLINE_SEARCH__FUSE", "2", "names 1: name more"),
        ("LEADLINE_SEARCH__WEIGHT", "0", "above 0"),
        ("LEADLINE_SEARCH__WIKIPEDIA__WEIGHT", "-1", "above 0"),
        ("LEADLINE_PROXY", "http://user:pass@proxy:1", "no user or password"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load(environ={variable: value})


def test_nothing_reaches_further_unasked() -> None:
    settings = Settings()
    assert (settings.proxy, settings.fetch.allow_private, settings.visit.reader_url) == (None, (), None)
    assert (settings.search.providers, settings.fetch.robots) == (("wikipedia",), "obey")


def test_one_service_answers_unless_more_are_asked_for() -> None:
    assert (Settings().search.fuse, Settings().search.weight, Settings().search.wikipedia.weight) == (1, 1.0, 1.0)
    environment = {
        "LEADLINE_SEARCH__PROVIDERS": "serper,wikipedia",
        "LEADLINE_SEARCH__SERPER__API_KEYS": "k1",
        "LEADLINE_SEARCH__FUSE": "2",
        "LEADLINE_SEARCH__SERPER__WEIGHT": "1.5",
        "LEADLINE_SEARCH__WEIGHT": "0.5",
    }
    section = load(environ=environment).search
    assert (section.fuse, section.serper.weight, section.wikipedia.weight, section.weight) == (2, 1.5, 1.0, 0.5)
