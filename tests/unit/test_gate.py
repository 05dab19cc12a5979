"""The gate of benchmarks: what it reads of them, and when a ratio has become worse."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gate", BENCHMARKS / "gate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_have_names_in_every_form_that_benchmarks_print(gate: ModuleType) -> None:
    assert dict(gate.figures({"a": 1, "b c": {"d": 2.5}, "e": None, "f": "text"})) == {"a": 1.0, "b c/d": 2.5}
    rows = [{"design": "bwrap", "start": "warm", "ms": 3}, {"design": "none", "start": "cold", "ms": 9}]
    assert dict(gate.figures(rows)) == {"bwrap warm/ms": 3.0, "none cold/ms": 9.0}


def test_a_ratio_is_a_figure_or_two_of_them_and_missing_is_told(gate: ModuleType) -> None:
    found = {"ours": 6.0, "bare": 2.0, "share": 0.9}
    assert gate.ratio_of(found, "share", {}) == 0.9
    assert gate.ratio_of(found, "over", {"of": ["ours", "bare"]}) == 3.0
    assert gate.ratio_of(found, "over", {"of": ["ours", "gone"]}) is None


@pytest.mark.parametrize(
    ("now", "better", "failed"), [(1.4, "lower", 0), (1.6, "lower", 1), (0.7, "higher", 0), (0.6, "higher", 1)]
)
def test_a_ratio_that_is_worse_by_half_fails(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, *, now: float, better: str, failed: int
) -> None:
    monkeypatch.setattr(gate, "measured", lambda name, arguments: {"r": now})
    known = {"recorded": 1.0, "better": better}
    assert gate.checked("x", {"arguments": [], "ratios": {"r": known}}, times=3, record=False) == failed
    assert gate.checked("x", {"arguments": [], "ratios": {"gone": known}}, times=1, record=False) == 1


def test_what_is_recorded_is_measured_and_has_a_better_side() -> None:
    table = json.loads((BENCHMARKS / "recorded.json").read_text("utf-8"))
    assert {"engine", "pool", "cache", "limits", "extraction", "corpus", "sandbox", "prefix"} <= table.keys()
    for name, entry in table.items():
        assert (BENCHMARKS / f"{name}.py").exists()
        assert entry["ratios"]
        for known in entry["ratios"].values():
            assert known["recorded"] > 0
            assert known["better"] in {"lower", "higher"}
