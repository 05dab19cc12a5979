"""The page of probes says what the suite runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_its_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("sandbox_probes", ROOT / "scripts" / "sandbox_probes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "reference" / "sandbox-probes.md").read_text(encoding="utf-8")
    assert written == module.page(), "run scripts/sandbox_probes.py"
