"""How long `leadline --help` and `import leadline` take, as whole processes, against a bare interpreter.

python benchmarks/startup.py [--runs 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path


def median_ms(command: list[str], runs: int) -> float:
    """Return the median wall time of a command in milliseconds, after one run that is not counted."""
    times = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[1:])


def measure(runs: int) -> dict[str, float]:
    """Return the figures by name."""
    script = str(Path(sys.executable).parent / "leadline")
    found = {
        "bare_python_ms": median_ms([sys.executable, "-c", "pass"], runs),
        "import_ms": median_ms([sys.executable, "-c", "import leadline"], runs),
        "help_ms": median_ms([script, "--help"], runs),
    }
    found["help_over_bare"] = found["help_ms"] / found["bare_python_ms"]
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.runs)
    if options.json:
        json.dump(found, sys.stdout)
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")


if __name__ == "__main__":
    main()
