"""Runbooks as the service serves them: fresh, whole, without markup of their own, and each alert's link leads there."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.support.service import small_service

from leadline.errors import SettingsError
from leadline.ops.monitoring import Named, Pods, Targets, prometheus_files

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "src" / "leadline" / "ui" / "runbooks"
PLACE = ("h:1",)
TARGETS = Targets(service=PLACE, worker=PLACE, tools=PLACE, vllm=PLACE, gpu=PLACE, alertmanager=PLACE[0])


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("runbooks_script", ROOT / "scripts" / "runbooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def links(targets: Targets) -> dict[str, str]:
    """Return the links of all alerts as Prometheus has them."""
    found: dict[str, str] = {}
    for name, text in prometheus_files(targets).items():
        document: Any = yaml.safe_load(text)
        rules = [rule for group in document.get("groups", []) for rule in group["rules"]] if "rules/" in name else []
        found |= {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    return found


def test_what_is_served_is_what_is_written(script: ModuleType) -> None:
    made = script.files()
    assert {path.name for path in MADE.iterdir()} == set(made)
    for name, text in made.items():
        assert (MADE / name).read_text("utf-8") == text, f"{name}: run scripts/runbooks.py"


def test_a_page_holds_no_markup_of_the_text_and_no_link_that_leads_nowhere(script: ModuleType) -> None:
    made = script.page("# <b>A</b> & b\n\n<script>x</script> [B](b-c.md) [up](../upgrade.md#x) [y](javascript:x)\n")
    assert "<title>&lt;b&gt;A&lt;/b&gt; &amp; b</title>" in made
    assert "<script" not in made
    assert re.findall(r'<a href="([^"]+)"', made) == ["b-c"]
    assert "up (<code>docs/upgrade.md</code>)" in made
    names = {path.stem for path in MADE.iterdir()}
    for path in MADE.iterdir():
        linked = {target.partition("#")[0] for target in re.findall(r'<a href="([^"]+)"', path.read_text("utf-8"))}
        assert {target for target in linked if not target.startswith("https://")} <= names, path.name


@pytest.mark.parametrize(
    ("targets", "base"),
    [
        (TARGETS, "http://h:1/runbooks"),
        (replace(TARGETS, service=(Named(part="service", port=8000),)), "http://service:8000/runbooks"),
        (replace(TARGETS, service=(Pods(part="service", namespace="n"),)), "http://service.n.svc/runbooks"),
        (replace(TARGETS, runbooks="https://example.org/docs/"), "https://example.org/docs"),
    ],
)
def test_links_lead_to_the_service_or_where_one_says(targets: Targets, base: str) -> None:
    found = links(targets)
    assert len(found) > 30
    assert found["StoreDown"] == f"{base}/store-down"
    assert all(link.startswith(f"{base}/") for link in found.values())


@pytest.mark.parametrize("base", ["docs/runbooks", "javascript:x", 'https://h/"', "https://h/a b", "https://h/{{x}}"])
def test_what_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(SettingsError, match="not an address of runbooks"):
        replace(TARGETS, runbooks=base)


async def test_every_alerts_link_answers_whoever_asks(tmp_path: Path) -> None:
    async with small_service(tmp_path, {}) as running:
        await running.key("acme")
        client = running.client()
        for name, link in links(replace(TARGETS, runbooks=f"{running.url}/runbooks")).items():
            found = await client.get(link.removeprefix(running.url))
            assert (found.status, f"<h1>{name}</h1>".encode() in found.raw) == (200, True), link
        answer = await client.get("/runbooks/watchdog")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        again = await client.get("/runbooks/store-down", If_None_Match=answer.headers["ETag"])
        assert again.status == 200  # the validator is another page's
        same = await client.get("/runbooks/watchdog", If_None_Match=answer.headers["ETag"])
        assert (same.status, same.raw) == (304, b"")
        style = await client.get("/ui/files/runbook.css")
        assert style.status == 200
        for wrong in ("nothing", "..%2Fstatic%2Findex.html", "store-down.html"):
            assert (await client.get(f"/runbooks/{wrong}")).status == 404
