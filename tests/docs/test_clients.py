"""What docs/client.md, docs/openai.md and docs/mcp.md say is what the code has, and the example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from leadline.cli.main import SECTIONS
from leadline.client import Ask, AsyncClient, Client
from leadline.service import chat
from leadline.service.mcp.tools import LONGEST_WAIT, OFFERS
from leadline.settings.mcp import _FIELDS
from leadline.tools.mcp.session import MOST_CHARS

ROOT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_method_of_the_client_is_in_its_guide_and_both_have_it() -> None:
    told = text("client.md")
    methods = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert methods - {name for name in methods if f"`{name}(" in told} == set()
    assert methods - set(vars(Client)) == {"tool"}


def test_options_that_the_guide_names_are_fields_of_ask() -> None:
    paragraph = text("client.md").partition("`options` are fields of `Ask`:")[2].partition("and others")[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) <= {one.name for one in fields(Ask)}


def test_models_of_the_guide_are_those_of_the_api() -> None:
    row = next(line for line in text("openai.md").splitlines() if line.startswith("| `model`"))
    named = [
        f"leadline{name}" if name.startswith("-") else name
        for name in re.findall(r"`(leadline|-\w+|leadline-\w+)`", row)
    ]
    assert tuple(named) == chat.names()


def test_tools_of_the_guide_are_those_of_the_server() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .*? \| `([\w:]+)` \|$", text("mcp.md"), re.MULTILINE)
    assert [name for name, _, _ in rows] == list(OFFERS)
    for name, takes, action in rows:
        assert action == OFFERS[name].action.value
        properties = OFFERS[name].spec.parameters["properties"]
        assert isinstance(properties, dict)
        listed = set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", takes)))
        assert listed == set(properties)
    assert f"at most {LONGEST_WAIT:.0f}" in text("mcp.md")


def test_what_the_guide_sets_for_a_server_can_be_set() -> None:
    table = text("mcp.md").partition("```toml")[2].partition("```")[0]
    assert set(re.findall(r"^(\w+) =", table, re.MULTILINE)) == _FIELDS
    assert f"{MOST_CHARS:,} characters" in text("mcp.md").replace("\n", " ")


def test_commands_of_the_guide_take_a_server() -> None:
    told = text("client.md").partition("ask a service and")[2].partition("The key")[0]
    named = set(re.findall(r"`([a-z]+)`", told))
    taking = set()
    for section in SECTIONS.values():
        for name, entry in section.items():
            source = (ROOT / "src" / "leadline" / "cli" / f"{entry.module}.py").read_text(encoding="utf-8")
            if "@elsewhere" in source:
                taking.add(name)
    assert named == taking - {"replay"}


def test_the_example_asks_a_service() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "ask_a_service.py")],
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "first lit" in done.stdout
    assert "the same in one call: " in done.stdout
