"""The reference pages say what the commands and the settings say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from leadline.cli.main import SECTIONS
from leadline.settings import items

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli", "settings"])
def test_a_page_is_what_its_script_writes(writer: ModuleType, page: str) -> None:
    written = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    assert written == getattr(writer, f"{page}_page")(), "run scripts/reference.py"


def test_every_setting_and_command_has_its_place() -> None:
    settings = (PAGES / "settings.md").read_text(encoding="utf-8")
    assert [item.variable for item in items().values() if f"`{item.variable}`" not in settings] == []
    commands = (PAGES / "cli.md").read_text(encoding="utf-8")
    names = [name for section in SECTIONS.values() for name in section]
    assert [name for name in names if f"## leadline {name}\n" not in commands] == []
