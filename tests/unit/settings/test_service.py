"""Who runs the service."""

from __future__ import annotations

import pytest

from leadline.errors import SettingsError
from leadline.settings import load
from leadline.settings.environment import holds_secret


@pytest.mark.parametrize(
    ("text", "found"), [("ops, acme,ops", ("ops", "acme")), ('["ops"]', ("ops",)), ("[]", ()), (" ", ("local",))]
)
def test_operators_are_tenants(text: str, found: tuple[str, ...]) -> None:
    assert load(environ={"LEADLINE_SERVICE__OPERATORS": text}).service.operators == found


@pytest.mark.parametrize("text", ["Ops", "ops acme", "*", "a" * 64, "{}"])
def test_what_is_no_tenant_runs_nothing(text: str) -> None:
    with pytest.raises(SettingsError, match=r"ids of tenants"):
        load(environ={"LEADLINE_SERVICE__OPERATORS": text})


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("OPENAI_API_KEY", "x", True),
        ("PGPASSWORD", "x", True),
        ("HTTPS_PROXY", "http://me:word@proxy:3128", True),
        ("HTTPS_PROXY", "http://proxy:3128", False),
        ("PATH", "/usr/bin", False),
        ("LANG", "C.UTF-8", False),
    ],
)
def test_what_looks_like_a_secret(name: str, text: str, held: bool) -> None:
    assert holds_secret(name, text) is held
