from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import load_tenants

A, B = "a" * 64, "b" * 64


def test_tenants_have_keys_and_numbers(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(f'[one]\nkeys = ["{A}"]\nrequests = 6\n[two]\nkeys = ["{B}"]\ntokens = 9\n', encoding="utf-8")
    found = load_tenants(file)
    assert [(name, t.keys, t.requests, t.tokens) for name, t in found.items()] == [
        ("one", (A,), 6, None),
        ("two", (B,), None, 9),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no key"),
        ("[one]\nkeys = []", "has no key"),
        ("one = 1", "a table for each tenant: one"),
        ('[one]\nkeys = ["secret"]', "must be SHA-256"),
        (f'[one]\nkeys = "{A}"', "must be SHA-256"),
        (f'[one]\nkeys = ["{A}"]\n[two]\nkeys = ["{A}"]', "a key twice"),
        (f'[one]\nkeys = ["{A}"]\nrequest = 1', "unknown key: request"),
        (f'[one]\nkeys = ["{A}"]\nrequests = 0', "at least 1"),
        (f'[one]\nkeys = ["{A}"]\ntokens = true', "at least 1"),
        ("[one", "not valid TOML"),
    ],
)
def test_what_would_let_in_the_wrong_one_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        load_tenants(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the file of tenants"):
        load_tenants(tmp_path / "none.toml")
