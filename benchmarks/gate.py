"""Fail where a ratio is 1.5 times worse than the recorded one.

    python benchmarks/gate.py [--record]

Only ratios are held against each other: both sides are measured in one run, so a slow machine
slows both. `recorded.json` names, for each benchmark, its arguments and the ratios with their
better side; `--record` writes what is measured now.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.json"
WORSE = 1.5


def measured(name: str, arguments: list[str]) -> dict[str, Any]:
    """Return what a benchmark prints as JSON."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    start = min(i for i in (done.stdout.find("{"), done.stdout.find("[")) if i >= 0)
    found = json.loads(done.stdout[start:])
    return found if isinstance(found, dict) else found[0]


def worse(now: float, then: float, better: str) -> float:
    """Return how many times worse `now` is than `then`; below 1 it is better."""
    return now / then if better == "lower" else then / now


def main() -> int:
    """Measure every recorded ratio, print it, and return 1 where one fell short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write what is measured now")
    record = parser.parse_args().record
    table: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    failed = 0
    for name, entry in table.items():
        found = measured(name, entry["arguments"])
        for ratio, known in entry["ratios"].items():
            now = float(found[ratio])
            factor = worse(now, known["recorded"], known["better"]) if known["recorded"] else 1.0
            bad = factor > WORSE
            failed += bad and not record
            print(f"{name:10} {ratio:24} {now:8.3f}  recorded {known['recorded']:8.3f}  {'WORSE' if bad else 'ok'}")
            if record:
                known["recorded"] = round(now, 3)
    if record:
        RECORDED.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
