"""Settings of logs, metrics and traces; and every secret in force, for whoever must hide them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import load, secrets_of


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("stderr", "stderr"),
        ("file:///var/log/a.log", "file:///var/log/a.log"),
        ("jsonl:///var/log/a.log", "file:///var/log/a.log"),
        ("kafka://broker:9092/lines", "kafka://broker:9092/lines"),
        ("kafkas://u:p@b1:9092,b2:9092/lines?ca=/a.pem", "kafkas://u:p@b1:9092,b2:9092/lines?ca=/a.pem"),
    ],
)
def test_lines_go_where_the_setting_says(given: str, taken: str) -> None:
    assert load(flags={"log.sink": given}, environ={}).log.sink.url == taken


@pytest.mark.parametrize(
    "given",
    [
        "stdout",
        "file://",
        "file://host/a",
        "kafka://broker",
        "kafka://broker/a/b",
        "kafka://b/t?odd=1",
        "redis://b/0",
        "http://a/b",
    ],
)
def test_another_place_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match=r"log\.sink"):
        load(flags={"log.sink": given}, environ={})


def test_every_secret_is_known_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[fetch.headers."a.test"]\nAuthorization = "header-secret"\n', encoding="utf-8")
    environment = {
        "LEADLINE_MODEL__API_KEY": "model-secret",
        "LEADLINE_SEARCH__SERPER__API_KEYS": "first-secret,second-secret",
        "LEADLINE_STORE": "postgresql://user:p%40ss-word@db/leadline",
        "LEADLINE_CACHE": "redis://:redis-word@cache/0",
        "LEADLINE_TRACES__KEY": "trace-secret",
    }
    found = secrets_of(load(config=file, environ=environment))
    assert {"header-secret", "model-secret", "first-secret", "second-secret", "trace-secret", "redis-word"} <= found
    assert {"p%40ss-word", "p@ss-word"} <= found
    assert secrets_of(load(flags={}, environ={})) == frozenset()
