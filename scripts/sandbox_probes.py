#!/usr/bin/env python3
"""Writes docs/reference/sandbox-probes.md from the escape and abuse suite itself.

A test compares the page with what this gives, so they cannot drift.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.integration.sandbox.probes import PROBES  # noqa: E402 as above
from tests.integration.sandbox.probes.probe import Probe  # noqa: E402 as above

from leadline.sandbox import bwrap, landlock, seccomp  # noqa: E402 after the path

PAGE = ROOT / "docs" / "reference" / "sandbox-probes.md"

HEAD = """\
# What the sandbox is tried with

Written by `scripts/sandbox_probes.py` from the suite that `tests/integration/sandbox` runs: {count}
attempts to get out of the sandbox or to harm the machine, each a program of its own, against both
designs, as root and as a plain user. Each must fail; {controls} of them are also run without a
sandbox, where they succeed, so that a probe that could not fail would be seen.
"""

DESIGNS = """\
## The designs

Both refuse {x86} system calls by number on x86_64 and {aarch} on aarch64, whatever their arguments,
and others by their arguments. Each starts only after its self-test has held in the same process.
"""


def page() -> str:
    """Return the whole page."""
    controls = sum(probe.control for probe in PROBES)
    numbers = {"x86": len(seccomp.denied("x86_64")), "aarch": len(seccomp.denied("aarch64"))}
    parts = [
        HEAD.format(count=len(PROBES), controls=controls),
        DESIGNS.format(**numbers),
        design("Bubblewrap", bwrap),
        design("Landlock", landlock),
        "## The probes\n",
        *areas(),
    ]
    return "\n".join(parts)


def design(name: str, module: ModuleType) -> str:
    """Return what a design's own module says that it stops and does not."""
    text = module.__doc__ or ""
    return f"### {name}\n\n{text.strip()}\n"


def areas() -> Iterator[str]:
    """Yield a table an area."""
    for area, probes in groupby(PROBES, key=lambda probe: probe.area):
        yield f"### {area.capitalize()}\n"
        yield "| probe | a program ... | designs | tried without |"
        yield "|---|---|---|---|"
        yield from (row(probe) for probe in probes)
        yield ""


def row(probe: Probe) -> str:
    """Return one line of a table."""
    return f"| {probe.name} | {probe.claim} | {', '.join(probe.designs)} | {'yes' if probe.control else ''} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
