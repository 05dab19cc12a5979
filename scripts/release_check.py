#!/usr/bin/env python3
"""Builds the wheel, and refuses one that should not be released.

    scripts/release_check.py                 what must always hold
    scripts/release_check.py --tag v1.2.3    and what must hold for a release: tag, version and date agree

The wheel is built twice and must come out the same, byte for byte. It must hold every file of the
package and nothing else, the marker of a typed package, licence and notice.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(?:a|b|rc)\d+)?")
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<when>.+))?$", re.MULTILINE)
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
LICENCES = ("LICENSE", "NOTICE")


def version() -> str:
    """Return the version that the package names."""
    text = (ROOT / "src" / "leadline" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found[1] if found else ""


def changelog_faults(text: str, *, current: str, released: bool) -> Iterator[str]:
    """Yield what is wrong with a changelog in the form of Keep a Changelog."""
    headings = [(match["version"], match["when"] or "") for match in HEADING.finditer(text)]
    versions = [found for found, _ in headings if found != "Unreleased"]
    if not versions or versions[0] != current:
        yield f"CHANGELOG.md begins with {versions[0] if versions else 'nothing'}, the version is {current}"
        return
    yield from (f"CHANGELOG.md: no version: {found}" for found in versions if not VERSION.fullmatch(found))
    numbers = [tuple(map(int, match.groups())) for match in map(VERSION.fullmatch, versions) if match]
    yield from (f"CHANGELOG.md: {a} stands above {b}" for a, b in pairwise(numbers) if a < b)
    for found, when in headings:
        if found != "Unreleased" and not (_is_date(when) or (when == "unreleased" and found == current)):
            yield f"CHANGELOG.md: {found} has no date: {when!r}"
    if released and not _is_date(dict(headings)[current]):
        yield f"CHANGELOG.md: {current} is to be released and has no date"
    titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
    yield from (f"CHANGELOG.md: no such kind of change: {title}" for title in titles if title not in SECTIONS)
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        if "\n- " not in section:
            yield f"CHANGELOG.md: nothing is told of [{section[1:].partition(']')[0]}]"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text) is not None
    except ValueError:
        return False


def build(folder: Path) -> Path:
    """Build the wheel into a folder; return it."""
    words = ["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, *words, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def wheel_faults(wheel: Path) -> Iterator[str]:
    """Yield what a wheel lacks, and what it has and should not."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "leadline").rglob("*")
        if path.is_file()
        and not any(part[0] == "." or part == "__pycache__" for part in path.relative_to(source).parts)
    }
    yield from (f"the wheel lacks {name}" for name in sorted(wanted - inside))
    yield from (f"the wheel has {name}, which is no part of the package" for name in sorted(inside - wanted))
    if "leadline/py.typed" not in inside:
        yield "the wheel lacks the marker of a typed package"
    for name in LICENCES:
        if not any(found.endswith(f".dist-info/licenses/{name}") for found in names):
            yield f"the wheel lacks {name}"


def faults(*, out: Path, tag: str | None) -> Iterator[str]:
    """Build the wheel into `out`, and yield everything that stands in the way of a release."""
    current = version()
    if not VERSION.fullmatch(current):
        yield f"no version: {current}"
    if tag is not None and tag != f"v{current}":
        yield f"the tag is {tag}, the version is {current}"
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    yield from changelog_faults(text, current=current, released=tag is not None)
    with tempfile.TemporaryDirectory() as name:
        first, second = build(out), build(Path(name))
        if _hash(first) != _hash(second):
            yield "the wheel comes out different each time it is built"
    yield from wheel_faults(first)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Print what stands in the way, and fail where something does."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tag", help="the tag of the release, `v` and the version")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder that the wheel is built into")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for old in arguments.out.glob("leadline-*.whl"):
        old.unlink()
    found = list(faults(out=arguments.out, tag=arguments.tag))
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        sys.exit(1)
    (wheel,) = arguments.out.glob("leadline-*.whl")
    print(f"{wheel.name}  sha256:{_hash(wheel)}")


if __name__ == "__main__":
    main()
