"""The command line of benchmarks whose result is a table of figures by name."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping


def run(about: str | None, measure: Callable[..., Mapping[str, float]], **counts: int) -> None:
    """Call `measure` with the numbers of the command line, `counts` unless given, and print what it found."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true")
    options = vars(parser.parse_args())
    as_json = options.pop("json")
    show(measure(**options), as_json=as_json)


def show(found: Mapping[str, float], *, as_json: bool) -> None:
    """Print figures for a person, or as JSON for `gate.py`."""
    if as_json:
        json.dump(found, sys.stdout)
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")
