"""What a release is made of: the bill of materials against its schema, licences, changelog, wheel."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.schema._res import BOM_JSON_STRICT, JSF, SPDX_JSON
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from leadline.version import __version__

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import release_check  # noqa: E402 the folder of scripts is no package
import sbom  # noqa: E402 as above

# Weak copyleft, whose conditions a wheel that only names them as dependencies meets.
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0"),
    *("Unlicense", "Zlib", "MPL-2.0", "LGPL-3.0-only", "BSL-1.0"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, sbom.Package]:
    return sbom.packages()


def test_the_bill_is_as_its_schema_wants(found: dict[str, sbom.Package]) -> None:
    bill = sbom.bill(found, version=__version__)
    schema = json.loads(Path(BOM_JSON_STRICT[SchemaVersion.V1_6]).read_bytes())  # type: ignore[arg-type]  # versions before 1.2 have none
    parts = [
        (name, Resource.from_contents(json.loads(Path(file).read_bytes()), default_specification=DRAFT7))
        for name, file in (("spdx.schema.json", SPDX_JSON), ("jsf-0.82.schema.json", JSF))
    ]
    base = schema["$id"].rpartition("/")[0]
    registry = Registry().with_resources([(f"{base}/{name}", part) for name, part in parts])
    problems = [error.message for error in Draft7Validator(schema, registry=registry).iter_errors(bill)]
    assert problems == []
    refs = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {one["ref"] for one in bill["dependencies"]} == refs
    assert {to for one in bill["dependencies"] for to in one["dependsOn"]} <= refs


def test_the_bill_is_of_the_locks_and_always_the_same(found: dict[str, sbom.Package]) -> None:
    versions = sbom.locked()
    assert {name: versions[name] for name in found} == {name: package.version for name, package in found.items()}
    assert found["aiohttp"].required
    assert not found["fastapi"].required
    assert "yarl" in found["aiohttp"].needs
    assert sbom.bill(found, version=__version__) == sbom.bill(sbom.packages(), version=__version__)


def test_every_licence_is_one_that_we_may_ship_beside(found: dict[str, sbom.Package]) -> None:
    words = {
        package.name: set(package.licence.replace("(", " ").replace(")", " ").split()) - {"AND", "OR"}
        for package in found.values()
    }
    assert {name: said - ALLOWED for name, said in words.items() if said - ALLOWED} == {}
    assert all(name in sbom.licences(found) for name in found)


GOOD = """# Changelog

## [Unreleased]

### Fixed

- Something.

## [0.2.0] - 2026-02-01

### Added

- More.

## [0.1.0] - 2026-01-01

### Added

- All.
"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("## [0.2.0]", "## [0.3.0]"), "the version is 0.2.0"),
        (("2026-02-01", "soon"), "no date"),
        (("2026-02-01", "unreleased"), "is to be released and has no date"),
        (("## [0.1.0]", "## [0.4.0]"), "stands above"),
        (("## [0.1.0]", "## [one]"), "no version"),
        (("### Fixed", "### Repaired"), "no such kind"),
        (("- All.", ""), "nothing is told of [0.1.0]"),
    ],
)
def test_a_changelog_that_is_wrong_is_refused(change: tuple[str, str], told: str) -> None:
    assert list(release_check.changelog_faults(GOOD, current="0.2.0", released=True)) == []
    faults = list(release_check.changelog_faults(GOOD.replace(*change, 1), current="0.2.0", released=True))
    assert any(told in fault for fault in faults), faults


def test_the_changelog_is_one() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert list(release_check.changelog_faults(text, current=__version__, released=False)) == []


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    assert list(release_check.faults(out=tmp_path, tag=None)) == []
    assert any("the tag is v9.9.9" in fault for fault in release_check.faults(out=tmp_path / "again", tag="v9.9.9"))
