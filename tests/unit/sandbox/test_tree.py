"""The interpreter that a sandbox sees."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.sandbox import tree


def test_in_place_is_the_real_interpreter() -> None:
    found = tree.in_place()
    ran = subprocess.run(
        [found.python, "-I", "-S", "-c", "import sys, json; print(sys.prefix == sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
        env={"LD_LIBRARY_PATH": str(found.libraries or "")},
    )
    assert ran.stdout == "True\n"
    assert found.preload == ()
    assert all(path.is_absolute() and path.exists() for path in found.read)


def test_nothing_is_found_where_nothing_was_installed(tmp_path: Path) -> None:
    assert tree.find(tmp_path) is None


def test_a_damaged_tree_is_told(tmp_path: Path) -> None:
    home = tmp_path / f"python-{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"
    home.mkdir()
    with pytest.raises(SettingsError, match="sandbox install"):
        tree.find(tmp_path)
    (home / "manifest.json").write_text('{"packages": 3}', encoding="ascii")
    with pytest.raises(SettingsError, match="sandbox install"):
        tree.find(tmp_path)
