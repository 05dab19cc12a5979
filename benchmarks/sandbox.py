"""Measure how long a sandboxed program takes from call to result, beside a plain subprocess.

    python benchmarks/sandbox.py [--folder FOLDER] [--runs 10] [--json]

For each design that this machine has: `print(1)`, `import numpy` and `import pandas` where they are
installed below `--folder` (see `leadline sandbox install`), cold and from the warm pool.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Final

from leadline.errors import SettingsError
from leadline.ports import Program
from leadline.sandbox import tree
from leadline.sandbox.choose import LOCAL, Options, open_sandbox
from leadline.sandbox.design import environment
from leadline.sandbox.supervisor import LocalSandbox
from leadline.sandbox.tree import Tree
from leadline.sandbox.types import Limits

PRINT: Final = "print(1)"
# A program that ends before the pool has refilled would measure a cold start.
REFILL_SECONDS: Final = 30.0


def programs(installed: Tree) -> Iterator[tuple[str, str]]:
    """Yield what is measured: name and program."""
    yield "print", PRINT
    for name in ("numpy", "pandas"):
        if name in installed.packages:
            yield f"import {name}", f"import {name}; print(1)"


def bare(installed: Tree, code: str, runs: int) -> list[float]:
    """Return the milliseconds of a plain subprocess: what any sandbox comes on top of."""
    start = "import sys; sys.path.append(sys.argv[1]); exec(sys.argv[2])"
    command: list[str | Path] = [installed.python, "-I", "-S", "-B", "-c", start, str(installed.site or ""), code]
    variables = environment(installed, home="/", temporary="/")
    times = []
    for _ in range(runs):
        begun = perf_counter()
        subprocess.run(command, env=variables, check=True, capture_output=True)
        times.append(1000 * (perf_counter() - begun))
    return times


async def once(sandbox: LocalSandbox, code: str) -> float:
    """Return the milliseconds of one program."""
    async with asyncio.timeout(REFILL_SECONDS):
        await sandbox.warmed()
    begun = perf_counter()
    ran = await sandbox.run(Program(code=code))
    took = 1000 * (perf_counter() - begun)
    if ran.stdout != "1\n":
        raise SystemExit(f"a program failed: {ran}")
    return took


async def sandboxed(options: Options, code: str, runs: int) -> list[float]:
    """Return the milliseconds of a program in a sandbox; the pool, if there is one, is full before each."""
    async with open_sandbox(options) as sandbox:
        assert isinstance(sandbox, LocalSandbox)  # noqa: S101 only local designs are measured
        return [await once(sandbox, code) for _ in range(runs)]


def measure(folder: Path, runs: int) -> list[dict[str, object]]:
    """Return one row a design, way and program."""
    installed = tree.find(folder) or tree.in_place()
    rows = []
    for label, code in programs(installed):
        rows.append(row("subprocess", "cold", (label, bare(installed, code, runs))))
        for design, warm in itertools.product(LOCAL, (0, 1)):
            options = Options(choice=design, folder=folder, limits=Limits(), warm=warm)
            with suppress(SettingsError):  # a design that this machine has not is left out
                times = asyncio.run(sandboxed(options, code, runs))
                rows.append(row(design, "warm" if warm else "cold", (label, times)))
    return rows


def row(design: str, way: str, measured: tuple[str, list[float]]) -> dict[str, object]:
    """Return a row: milliseconds, the least and the median."""
    label, times = measured
    return {
        "design": design,
        "start": way,
        "program": label,
        "min_ms": round(min(times), 1),
        "median_ms": round(statistics.median(times), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path("missing"), help="where `leadline sandbox install` put its tree"
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.folder, arguments.runs)
    if arguments.json:
        print(json.dumps(rows))
        return
    for found in rows:
        print("{design:12}{start:6}{program:16}{min_ms:>9} / {median_ms} ms".format(**found))


if __name__ == "__main__":
    main()
