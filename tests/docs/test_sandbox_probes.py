"""The page of probes says what the suite runs."""

from __future__ import annotations

import importlib.util
import re
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


def test_the_guide_counts_what_the_page_lists() -> None:
    page = (ROOT / "docs" / "reference" / "sandbox-probes.md").read_text(encoding="utf-8")
    kinds = page.partition("## The probes")[2].split("\n### ")[1:]
    listed = {kind.split("\n", 1)[0].lower(): kind.count("\n| ") - 1 for kind in kinds}
    guide = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", guide.partition("### What the sandbox is tried with")[2], re.MULTILINE)
    assert {name: int(count) for name, count in rows} == listed
    assert f"{sum(listed.values())} attempts" in guide
