"""What lies under deploy/ is what the code makes, and hangs together."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {
    "correlation-id",
    "key-auth",
    "prometheus",
    "rate-limiting",
    "request-termination",
    "request-transformer",
}


@pytest.fixture(scope="module")
def deploy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_script", ROOT / "scripts" / "deploy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_fresh(deploy: ModuleType) -> None:
    for name, text in deploy.files().items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name}: run scripts/deploy.py"


@pytest.fixture(scope="module")
def kong() -> Any:
    return yaml.safe_load((ROOT / "deploy" / "kong" / "kong.yml").read_text("utf-8"))


def test_kong_routes_lie_before_known_upstreams_and_hide_what_is_internal(kong: Any) -> None:
    assert kong["_format_version"] == "3.0"
    upstreams = {upstream["name"] for upstream in kong["upstreams"]}
    [service] = kong["services"]
    assert service["host"] in upstreams
    routes = {route["name"]: route for route in service["routes"]}
    assert all(route["strip_path"] is False and route["protocols"] == ["https"] for route in routes.values())
    hidden = routes["leadline-internal"]
    assert set(hidden["paths"]) == {"/internal/", "/metrics"}
    assert hidden["plugins"][0]["config"]["status_code"] == 404
    api = {plugin["name"] for plugin in routes["leadline-api"]["plugins"]}
    assert api == {"key-auth", "rate-limiting"}
    assert routes["leadline-api"]["response_buffering"] is False


def test_kong_knows_every_plugin_that_is_named(kong: Any) -> None:
    """No Kong is there to ask: names and shapes are held here, what the plugins do is not shown."""
    named = list(kong["plugins"])
    for service in kong["services"]:
        named += [plugin for route in service["routes"] for plugin in route.get("plugins", [])]
    named += [plugin for consumer in kong["consumers"] for plugin in consumer.get("plugins", [])]
    assert {plugin["name"] for plugin in named} == PLUGINS
    assert all(isinstance(plugin["config"], dict) for plugin in named)
