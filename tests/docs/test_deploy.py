"""What lies under deploy/ is what the code makes, and hangs together."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from leadline.service.app import create_app
from leadline.settings import Settings

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


def kong_routes(kong: Any) -> dict[str, Any]:
    [service] = kong["services"]
    return {route["name"]: route for route in service["routes"]}


def in_force(kong: Any, route: Any) -> dict[str, Any]:
    """Return the configurations of the plugins that a route's requests meet: its own go before its service's."""
    [service] = kong["services"]
    named = [*kong["plugins"], *service.get("plugins", []), *route.get("plugins", [])]
    return {plugin["name"]: plugin["config"] for plugin in named}


def test_kong_routes_lie_before_known_upstreams_and_hide_what_is_internal(kong: Any) -> None:
    assert kong["_format_version"] == "3.0"
    upstreams = {upstream["name"] for upstream in kong["upstreams"]}
    [service] = kong["services"]
    assert service["host"] in upstreams
    routes = kong_routes(kong)
    assert all(route["strip_path"] is False and route["protocols"] == ["https"] for route in routes.values())
    hidden = routes["leadline-internal"]
    assert set(hidden["paths"]) == {"/internal/", "/metrics"}
    assert in_force(kong, hidden)["request-termination"]["status_code"] == 404
    assert routes["leadline-api"]["response_buffering"] is False


def test_kong_limits_every_route_by_whom_it_knows(kong: Any) -> None:
    for name, route in kong_routes(kong).items():
        found = in_force(kong, route)
        assert found["rate-limiting"]["second"] > 0, name
        # Without a key there is no consumer: all of them would be counted as one.
        assert found["rate-limiting"]["limit_by"] == ("consumer" if "key-auth" in found else "ip"), name


def test_kong_asks_for_a_key_where_the_service_does(kong: Any) -> None:
    """Each path goes to the route with the longest beginning, as Kong chooses."""
    paths = create_app(Settings()).openapi()["paths"]
    beginnings = {path: route for route in kong_routes(kong).values() for path in route["paths"]}
    asked = {path: any("security" in one for one in operations.values()) for path, operations in paths.items()}
    asked["/mcp"] = True
    assert {path for path in asked if path.startswith("/v1/shared/")}
    for path, keyed in asked.items():
        route = beginnings[max((one for one in beginnings if path.startswith(one)), key=len)]
        assert ("key-auth" in in_force(kong, route)) is keyed, path


def test_kong_knows_every_plugin_that_is_named(kong: Any) -> None:
    """No Kong is there to ask: names and shapes are held here, what the plugins do is not shown."""
    named = list(kong["plugins"])
    for service in kong["services"]:
        named += service.get("plugins", [])
        named += [plugin for route in service["routes"] for plugin in route.get("plugins", [])]
    named += [plugin for consumer in kong["consumers"] for plugin in consumer.get("plugins", [])]
    assert {plugin["name"] for plugin in named} == PLUGINS
    assert all(isinstance(plugin["config"], dict) for plugin in named)
