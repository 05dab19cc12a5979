"""Settings of programs and of scholarly works: what they take, and what is refused."""

from __future__ import annotations

import pytest

from leadline.errors import SettingsError
from leadline.settings import describe, load


@pytest.mark.parametrize("place", ["auto", "bwrap", "landlock", "off", "http://127.0.0.1:8080", "https://run.example"])
def test_a_sandbox_is_a_design_an_address_or_off(place: str) -> None:
    assert load(environ={"LEADLINE_SANDBOX": f" {place} "}).sandbox == place


@pytest.mark.parametrize("wrong", ["none", "docker", "ftp://a.example", "http://user:secret@a.example", "http://"])
def test_anything_else_is_refused_with_what_there_is(wrong: str) -> None:
    with pytest.raises(SettingsError, match="`auto`, `bwrap`, `landlock`, `off`, or an http") as refused:
        load(environ={"LEADLINE_SANDBOX": wrong})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECONDS", "0.5"), ("SECONDS", "111"), ("MEMORY", "1MiB"), ("PROCESSES", "0"), ("FILES", "-1"), ("WARM", "65")],
)
def test_limits_have_bounds(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"LEADLINE_PYTHON__{name}"):
        load(environ={f"LEADLINE_PYTHON__{name}": value})


def test_the_executors_key_is_never_printed() -> None:
    settings = load(environ={"LEADLINE_PYTHON__KEY": "sk-secret", "LEADLINE_SCHOLAR__OPENALEX__API_KEYS": "k1,k2"})
    assert settings.python.key is not None
    assert settings.python.key.reveal() == "sk-secret"
    printed = " ".join(str(row) for row in describe(settings))
    assert "sk-secret" not in printed
    assert "k1" not in printed.split("scholar.openalex.api_keys", 1)[1][:80]


def test_scholarly_services_are_asked_without_a_key_but_one() -> None:
    assert load(environ={}).scholar.providers == ("openalex", "crossref", "arxiv", "europepmc")
    with pytest.raises(SettingsError, match=r"scholar\.serper\.api_keys"):
        load(environ={"LEADLINE_SCHOLAR__PROVIDERS": "arxiv,serper"})
    given = load(
        environ={
            "LEADLINE_SCHOLAR__PROVIDERS": "arxiv,serper",
            "LEADLINE_SCHOLAR__SERPER__API_KEYS": "a,b",
            "LEADLINE_SCHOLAR__ARXIV__QPS": "0.2",
        }
    )
    assert [key.reveal() for key in given.scholar.of("serper").api_keys] == ["a", "b"]
    assert given.scholar.of("arxiv").qps == 0.2
    with pytest.raises(SettingsError, match="not allowed: sci-hub"):
        load(environ={"LEADLINE_SCHOLAR__PROVIDERS": "sci-hub"})
