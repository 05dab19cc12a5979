#!/usr/bin/env python3
"""Writes what the product is made of: dist/sbom.cdx.json (CycloneDX 1.6) and dist/licences.md.

The packages are those that `leadline` and all its extras ask for, and what these ask for in turn, at
the versions that the locks name; a package that is installed at another version, or not at all, is
refused. What is needed without any extra has the scope `required`, the rest `optional`. The same locks
always give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("base", "dev")
PROJECT = "leadline"
# What the metadata of packages call their licences, as SPDX writes them; only where they have no expression.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "BSD-3-Clause, Apache-2.0, dependency licenses": "BSD-3-Clause AND Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache-2.0 OR MIT": "Apache-2.0 OR MIT",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT": "MIT",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

PYTHON = {"python_full_version": f"{sys.version_info.major}.{sys.version_info.minor}.99"}
"""The bill is of a Python with all its patches: what only earlier ones need, as async-timeout, is no part of it."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of the product, its licence in SPDX's words, and the packages it asks for."""

    name: str
    version: str
    licence: str
    summary: str
    needs: tuple[str, ...] = field(default=())
    required: bool = True


def locked() -> dict[str, str]:
    """Return the versions of the locks by canonical name. Two locks never disagree: one constrains the other."""
    found: dict[str, str] = {}
    for name in LOCKS:
        text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        for package, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE):
            found[canonicalize_name(package)] = version
    return found


def packages() -> dict[str, Package]:
    """Return everything that is installed with the product, by canonical name.

    Raises `SystemExit` where the environment is not what the locks name.
    """
    versions = locked()
    base = set(_closure(()))
    every = _closure(_extras())
    found = {}
    for name, needs in sorted(every.items()):
        if name == PROJECT:
            continue
        installed = distribution(name)
        if versions.get(name) != installed.version:
            sys.exit(f"{name}: {installed.version} is installed, the locks name {versions.get(name, 'none')}")
        found[name] = Package(
            name=name,
            version=installed.version,
            licence=licence_of(installed),
            summary=_field(installed, "Summary"),
            needs=tuple(sorted(needs - {PROJECT})),
            required=name in base,
        )
    return found


def licence_of(installed: Distribution) -> str:
    """Return a package's licence as an SPDX expression. Raises `SystemExit` for one that says none we know."""
    known = installed.metadata
    if expression := _field(installed, "License-Expression"):
        return expression
    classifiers: list[str] = [
        c.rpartition(" :: ")[2] for c in known.get_all("Classifier") or () if c.startswith("License ::")
    ]
    stated = _field(installed, "License")
    for word in (stated, *classifiers):
        if word in SPDX:
            return SPDX[word]
        if word in SPDX.values():
            return word
    sys.exit(f"{known['Name']}: no licence that scripts/sbom.py knows: {stated[:80]!r} {classifiers}")


def _field(installed: Distribution, name: str) -> str:
    return str(installed.metadata[name]).strip() if name in installed.metadata else ""


def _extras() -> tuple[str, ...]:
    return tuple(sorted(distribution(PROJECT).metadata.get_all("Provides-Extra") or ()))


def _closure(extras: tuple[str, ...]) -> dict[str, set[str]]:
    """Return what the product with these extras needs, each with its own needs."""
    found: dict[str, set[str]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(PROJECT, extras)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        needs = found.setdefault(name, set())
        for need in _needs(name, wanted):
            other = canonicalize_name(need.name)
            needs.add(other)
            waiting.append((other, tuple(sorted(need.extras))))
    return found


def _needs(name: str, extras: tuple[str, ...]) -> list[Requirement]:
    try:
        stated = distribution(name).requires or []
    except PackageNotFoundError:
        sys.exit(f"{name} is not installed; set the environment up with: make test")
    asked = [Requirement(text) for text in stated]
    return [
        need
        for need in asked
        if need.marker is None or any(need.marker.evaluate({**PYTHON, "extra": extra}) for extra in ("", *extras))
    ]


def bill(found: dict[str, Package], *, version: str) -> dict[str, Any]:
    """Return the bill of materials. Its serial number derives from its content."""
    product = _ref(PROJECT, version)
    body: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": PROJECT,
                "version": version,
                "purl": product,
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": [_component(package) for package in found.values()],
        "dependencies": [
            {"ref": product, "dependsOn": [_ref_of(found[name]) for name in _direct(found)]},
            *(
                {"ref": _ref_of(package), "dependsOn": [_ref_of(found[name]) for name in package.needs]}
                for package in found.values()
            ),
        ],
    }
    content = json.dumps(body, sort_keys=True)
    return {**body, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"}


def _direct(found: dict[str, Package]) -> list[str]:
    return [name for name in sorted(_closure(_extras())[PROJECT]) if name in found]


def _component(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _ref_of(package),
        "name": package.name,
        "version": package.version,
        "description": package.summary,
        "scope": "required" if package.required else "optional",
        "licenses": [{"expression": package.licence}],
        "purl": _ref_of(package),
    }


def _ref_of(package: Package) -> str:
    return _ref(package.name, package.version)


def _ref(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def licences(found: dict[str, Package]) -> str:
    """Return the list for people."""
    lines = [
        "# Licences of what Leadline is installed with",
        "",
        "| package | version | licence | with |",
        "|---|---|---|---|",
        *(
            f"| {p.name} | {p.version} | {p.licence} | {'always' if p.required else 'an extra'} |"
            for p in found.values()
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files, and say where."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder to write into")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    found = packages()
    version = distribution(PROJECT).version
    (out / "sbom.cdx.json").write_text(json.dumps(bill(found, version=version), indent=2) + "\n", encoding="utf-8")
    (out / "licences.md").write_text(licences(found), encoding="utf-8")
    print(f"{len(found)} packages in {out / 'sbom.cdx.json'} and {out / 'licences.md'}")


if __name__ == "__main__":
    main()
