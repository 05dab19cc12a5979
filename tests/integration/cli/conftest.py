"""The program in a process of its own, over a data folder and documents of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("leadline")
Result = subprocess.CompletedProcess[str]
Program = Callable[..., Result]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "orlova.txt").write_text(
        "The cruise ship Orlova sank in 2013 off the coast of Ireland.\nIt had been built in 1976 in Yugoslavia.\n",
        encoding="utf-8",
    )
    (folder / "桥.txt").write_text("赵州桥建于隋代，由李春设计。\n", encoding="utf-8")
    return folder


@pytest.fixture
def leadline(warm: Path, tmp_path: Path) -> Program:
    """Return a caller of the program, warm; `stdin` is its input, `env` goes beside the test's own."""
    return _caller(warm, tmp_path)


@pytest.fixture
def installed(tmp_path: Path) -> Program:
    """Return a caller of the program as it is installed, which imports what it needs at each call."""
    return _caller(PROGRAM, tmp_path)


def _caller(program: Path, folder: Path) -> Program:
    def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=50,
            cwd=folder,
            env={**os.environ, "LEADLINE_DATA_DIR": str(folder / "data"), **(env or {})},
            check=False,
        )

    return run
