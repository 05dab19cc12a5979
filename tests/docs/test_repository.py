"""The papers of the repository: links lead somewhere, commands exist, locks fit any index."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from leadline.version import __version__

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:", "#")


def papers() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md")])


@pytest.mark.parametrize("path", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(path.read_text(encoding="utf-8"))]
    inside = [target.partition("#")[0] for target in targets if not target.startswith(OUTSIDE)]
    assert [target for target in inside if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_named_make_targets_exist(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4}|^)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= known


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert phony - {"servers"} <= set(re.findall(r"^ {2}make (\S+)", shown, re.MULTILINE))


@pytest.mark.parametrize("name", ["base", "build", "dev"])
def test_locks_name_no_index(name: str) -> None:
    """They hold exact versions, some for earlier Pythons alone, and nothing else, so that any configured index will do."""
    lines = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert pins
    exact = r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+(?: ; python_full_version < \"[0-9.]+\")?"
    assert [pin for pin in pins if not re.fullmatch(exact, pin)] == []


def test_lock_holds_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "requirements" / "base.lock").read_text(encoding="utf-8")
    locked = {re.sub(r"[._]", "-", name.lower()) for name in re.findall(r"^(\S+)==", text, re.MULTILINE)}
    named = {re.split(r"[<>=!\[ ]", need)[0] for need in project["dependencies"]}
    assert {re.sub(r"[._]", "-", name.lower()) for name in named} <= locked


def test_changelog_names_the_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
