"""How long `leadline --help` and `import leadline` take, as whole processes, against a bare interpreter.

python benchmarks/startup.py [--runs 15] [--json]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from _figures import run


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


if __name__ == "__main__":
    run(__doc__, measure, runs=15)
