"""Fail where a ratio is 1.5 times worse than the recorded one.

    python benchmarks/gate.py [--record] [--times 3] [NAME ...]

Only ratios are held against each other: both sides are measured in one run, so a slow machine
slows both. `recorded.json` names, for each benchmark, its arguments and the ratios with their
better side: figures of the benchmark that are ratios already, or `of` two of its figures. A
benchmark is measured `times` times, and the median counts; `--record` writes it. What a
benchmark does not tell of, because a server is not installed, counts as fallen short.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.json"
WORSE = 1.5


def measured(name: str, arguments: list[str]) -> dict[str, float]:
    """Return the figures that a benchmark prints as JSON, each by its name."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    start = min(i for i in (done.stdout.find("{"), done.stdout.find("[")) if i >= 0)
    return dict(figures(json.loads(done.stdout[start:])))


def figures(found: Any, named: str = "") -> Iterator[tuple[str, float]]:  # noqa: ANN401 what a benchmark prints
    """Yield every number, named by the keys that lead to it; a row of a list by its own texts."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from figures(value, f"{named}/{key}" if named else key)
    elif isinstance(found, list):
        for row in found:
            texts = " ".join(value for value in row.values() if isinstance(value, str))
            yield from figures({f"{texts}/{key}" if texts else key: value for key, value in row.items()}, named)
    elif isinstance(found, int | float):
        yield named, float(found)


def ratio_of(found: dict[str, float], name: str, known: dict[str, Any]) -> float | None:
    """Return a ratio, or none where the benchmark does not tell of it."""
    over = known.get("of", [name])
    if not all(one in found for one in over):
        return None
    return found[over[0]] if len(over) == 1 else found[over[0]] / found[over[1]]


def worse(now: float, then: float, better: str) -> float:
    """Return how many times worse `now` is than `then`; below 1 it is better."""
    return now / then if better == "lower" else then / now


def checked(name: str, entry: dict[str, Any], *, times: int, record: bool) -> int:
    """Measure a benchmark's ratios, print them, and return how many fell short."""
    runs = [measured(name, entry["arguments"]) for _ in range(times)]
    failed = 0
    for ratio, known in entry["ratios"].items():
        found = [value for run in runs if (value := ratio_of(run, ratio, known)) is not None]
        if not found:
            print(f"{name:10} {ratio:28} is not told of here")
            failed += 1
            continue
        now = statistics.median(found)
        factor = worse(now, known["recorded"], known["better"]) if known["recorded"] else 1.0
        bad = factor > WORSE and not record
        failed += bad
        print(f"{name:10} {ratio:28} {now:8.3f}  recorded {known['recorded']:8.3f}  {'WORSE' if bad else 'ok'}")
        if record:
            known["recorded"] = round(now, 3)
    return failed


def main() -> int:
    """Measure every recorded ratio, print it, and return 1 where one fell short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks, instead of all")
    parser.add_argument("--record", action="store_true", help="write what is measured now")
    parser.add_argument("--times", type=int, help="of whose figures the median counts")
    wish = parser.parse_args()
    table: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    failed = sum(
        checked(name, entry, times=wish.times or entry.get("times", 3), record=wish.record)
        for name, entry in table.items()
        if not wish.names or name in wish.names
    )
    if wish.record:
        RECORDED.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
