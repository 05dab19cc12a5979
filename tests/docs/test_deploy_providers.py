"""Keys of providers and models, in every way to deploy: they arrive where they are used, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from leadline.errors import SettingsError
from leadline.ops.manifests import Deployment, compose_files, kubernetes_files
from leadline.ops.manifests.kubernetes import secret_key
from leadline.ops.manifests.parts import SECRET_SETTINGS
from leadline.ops.manifests.providers import CHOICES, all_choices, choices_of, keys_of
from leadline.ops.preflight.travels import travel
from leadline.settings import Settings, items, load
from leadline.settings.kinds import is_secret

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose"
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
WORD = "a-key-of-"

KEYLESS = {f"SEARCH__{name}__API_KEYS" for name in ("WIKIPEDIA", "DDGS", "SEARXNG")}
KEYLESS |= {f"SCHOLAR__{name}__API_KEYS" for name in ("ARXIV", "EUROPEPMC", "UNPAYWALL")}
NOT_OF_CONTAINERS = {
    *("FETCH__HEADERS", "MCP__SERVERS"),  # in the settings file only
    *("PYTHON__KEY", "SERVER__KEY"),  # of an executor elsewhere, and of a client
    *("BACKUP__PASSPHRASE", "SECRETS__OLD_KEYS"),  # while an operator needs them
    "GATEWAY__ADMIN_KEY",  # of `leadline serve-models`, which these files do not start
}

SEARCHES = {"SEARCH__PROVIDERS": "serper,brave,wikipedia", "SCHOLAR__PROVIDERS": "openalex,serper"}
READS = {"VISIT__READER_URL": "https://r.jina.ai", "FETCH__CONTACT": "me@example.org"}
MODELS = {"MODEL__URLS": "http://m:8000/v1", "MODEL__NAME": "m"}
MODELS |= {"JUDGE__USE": "own", "JUDGE__URLS": "http://j:8000/v1", "JUDGE__NAME": "j"}
MODELS |= {"SUMMARIZER__USE": "own", "SUMMARIZER__URLS": "http://s:8000/v1", "SUMMARIZER__NAME": "s"}
MODELS |= {"EMBED__URL": "http://e:8000/v1", "EMBED__NAME": "e"}
MODELS |= {"RERANK__URL": "http://r:8000/v1", "RERANK__NAME": "r"}
PARTS = ("service", "worker", "tool-search", "tool-visit", "tool-scholar", "tool-python")


def secrets() -> set[str]:
    return {item.variable.removeprefix("LEADLINE_") for item in items().values() if is_secret(item.kind)}


def value_of(setting: str) -> str:
    """Return what an operator fills in for a secret, each another one."""
    fixed = {
        "STORE": "postgresql://u:p@db/leadline?sslmode=verify-full",
        "ENGINE": "celery+rediss://:p@queue:6379/0",
        "CACHE": "rediss://:p@cache:6379/0",
        "LIMITS": "rediss://limits:p@queue:6379/1",
        "SECRETS__KEY": "x" * 43 + "=",
        "EVENT_LOG": "kafka://events:9092/leadline",
        "LOG__SINK": "kafka://lines:9092/leadline",
    }
    return fixed.get(setting, WORD + setting.lower().replace("_", "-"))


def test_every_key_that_there_is_has_its_place() -> None:
    placed = {setting for name in CHOICES for setting in keys_of(name)}
    assert placed | set(SECRET_SETTINGS) | KEYLESS | NOT_OF_CONTAINERS == secrets()
    assert not placed & (set(SECRET_SETTINGS) | KEYLESS | NOT_OF_CONTAINERS)
    assert {f"LEADLINE_{setting}" for setting in all_choices()} <= {item.variable for item in items().values()}


def composed(env: Mapping[str, str], deployment: Deployment) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the environment of each container of ours, as compose makes it from `.env`."""

    def filled(found: re.Match[str]) -> str:
        return env.get(found[1]) or found[2] or ""

    services = yaml.safe_load(compose_files(deployment)["compose.yaml"])["services"]
    for name, one in services.items():
        if str(one["image"]).startswith("leadline"):
            yield name, {key: VARIABLE.sub(filled, str(value)) for key, value in one["environment"].items()}


def podded(deployment: Deployment) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the environment of each pod, from manifests and a secret with every key that they ask for."""
    objects = [
        one
        for name, text in kubernetes_files(deployment).items()
        if "/" not in name and name != "kustomization.yaml"
        for one in yaml.safe_load_all(text)
    ]
    [settings] = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    for one in objects:
        if one["kind"] in {"Deployment", "Job"}:
            [container] = one["spec"]["template"]["spec"]["containers"]
            given = {entry["name"]: read(entry) for entry in container["env"]}
            yield container["name"], {**settings, **given}


def read(entry: Mapping[str, Any]) -> str:
    setting = str(entry["name"]).removeprefix("LEADLINE_")
    if "value" in entry:
        assert setting not in secrets()
        return str(entry["value"])
    reference = entry["valueFrom"]["secretKeyRef"]
    assert (reference["name"], reference["key"]) == ("leadline", secret_key(setting))
    # Without the key of a provider a pod starts all the same.
    assert reference.get("optional", False) is (setting not in SECRET_SETTINGS or setting.startswith(("S3", "MODEL")))
    return value_of(setting)


def filled_in() -> dict[str, str]:
    """Return `.env` with every line of the example filled in."""
    names = [line.partition("=")[0] for line in (COMPOSE / "example.env").read_text("utf-8").splitlines() if line]
    chosen = SEARCHES | READS | MODELS
    known = {name: name.removeprefix("LEADLINE_") for name in names if not name.startswith("#")}
    return {name: chosen.get(bare, value_of(bare) if bare in secrets() else "") for name, bare in known.items()}


def ways() -> list[tuple[str, dict[str, dict[str, str]]]]:
    chosen = {name: value for name, value in (SEARCHES | READS | MODELS).items() if not name.startswith("MODEL__")}
    return [
        ("compose", dict(composed(filled_in(), Deployment()))),
        ("kubernetes", dict(podded(Deployment(choices=chosen)))),
    ]


@pytest.mark.parametrize(("way", "environments"), ways(), ids=lambda value: value if isinstance(value, str) else "")
def test_keys_arrive_at_the_part_that_sends_them_and_at_no_other(
    way: str, environments: dict[str, dict[str, str]]
) -> None:
    assert set(PARTS) <= set(environments), way
    for name, environment in environments.items():
        sent = {setting for setting in all_choices() if environment.get(f"LEADLINE_{setting}")}
        wanted = {setting for setting in choices_of(name) if setting in SEARCHES | READS | MODELS | keys_to(name)}
        assert sent == wanted, name
        for setting in secrets() & set(all_choices()) - set(keys_of(name)):
            assert value_of(setting) not in environment.values(), (name, setting)


def keys_to(name: str) -> dict[str, str]:
    return dict.fromkeys(keys_of(name), "")


@pytest.mark.parametrize(("way", "environments"), ways(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_part_starts_with_what_it_is_given(way: str, environments: dict[str, dict[str, str]]) -> None:
    loaded: dict[str, Settings] = {name: load(environ=one) for name, one in environments.items()}
    assert [key.reveal() for key in loaded["tool-search"].search.serper.api_keys] == [
        value_of("SEARCH__SERPER__API_KEYS")
    ]
    assert loaded["tool-search"].search.providers == ("serper", "brave", "wikipedia"), way
    assert loaded["tool-scholar"].scholar.providers == ("openalex", "serper")
    reader = loaded["tool-visit"].visit
    assert reader.reader_key is not None
    assert (reader.reader_url, reader.reader_key.reveal()) == ("https://r.jina.ai", value_of("VISIT__READER_KEY"))
    for name in ("service", "worker"):
        others = (loaded[name].judge, loaded[name].embed, loaded[name].summarizer, loaded[name].rerank)
        told = [one.api_key.reveal() for one in others if one.api_key is not None]
        assert told == [value_of(f"{role}__API_KEY") for role in ("JUDGE", "EMBED", "SUMMARIZER", "RERANK")]


def test_without_any_key_each_part_starts_as_well() -> None:
    needed = {
        name: value
        for name, value in filled_in().items()
        if name.removeprefix("LEADLINE_") not in {*all_choices(), *MODELS, "MODEL__API_KEY"}
    }
    for name, environment in composed(needed, Deployment()):
        assert load(environ=environment).search.providers == ("wikipedia",), name


def test_compose_vouches_for_its_own_containers_and_kubernetes_for_nothing() -> None:
    needed = {name: value for name, value in filled_in().items() if name.removeprefix("LEADLINE_") in SECRET_SETTINGS}
    found = travel(load(environ=dict(composed(needed, Deployment()))["operator"]))
    assert found.open == ()
    assert {told.partition("`")[2].partition("`")[0] for told in found.trusted} >= {"store", "engine", "tools.search"}
    named = travel(load(environ=dict(composed(filled_in(), Deployment()))["operator"]))
    assert "`model.urls` to m" in named.open, "a model server is no container of compose"
    pods = travel(load(environ=dict(podded(Deployment()))["service"]))
    assert "`tools.search` to tool-search" in pods.open
    assert not {"`store` to db", "`s3.endpoint` to s3.example.org"} & set(pods.open)


@pytest.mark.parametrize("choices", [{"SEARCH__SERPER__API_KEYS": "k"}, {"LENGTH": "short"}, {"SEARCH__NOBODY": "x"}])
def test_secrets_and_settings_of_nobody_are_no_choices(choices: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Deployment(choices=choices)


def test_the_guide_names_every_key_and_who_has_it() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    rows = {
        found[1]: set(re.findall(r"`([A-Z_0-9]+)`", found[2]))
        for found in re.finditer(r"^\| `([\w-]+)`[^|]*\| (.*?) \|$", guide, re.MULTILINE)
    }
    for name in CHOICES:
        if name in {"tool-search", "tool-visit", "tool-scholar", "service"}:
            assert rows[name] == {setting.removeprefix("LEADLINE_") for setting in keys_of(name)}, name
    for name in ("tool-search", "tool-visit", "tool-scholar"):
        assert f"/etc/leadline/{name}.env" in (ROOT / "deploy" / "systemd" / f"leadline-{name}.service").read_text()
