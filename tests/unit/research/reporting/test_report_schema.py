"""The published schema is what reports are: validated on real ones, compared with the dataclasses."""

from __future__ import annotations

import json
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from tests.support.reports import Made, chinese, compared, english, simple

from leadline import domain
from leadline.errors import CheckFailed
from leadline.research.reporting.foreign import read_report
from leadline.research.reporting.report import from_json, to_json

PATH = Path(__file__).resolve().parents[4] / "docs" / "reference" / "report.schema.json"
SCHEMA: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
REPORTS = [english(), chinese(), simple("Some text.", "Some text."), compared()]
LEFT_OUT = {"marks"}  # of a source: each citation carries its own place
RECORDS = {
    "artefact": domain.Artefact,
    "changed": domain.Changed,
    "changes": domain.Changes,
    "cited": domain.Cited,
    "stated": domain.Stated,
    "section": domain.Section,
    "sentence": domain.Sentence,
    "claim": domain.Claim,
    "checks": domain.Checks,
    "citation": domain.Citation,
    "source": domain.Source,
    "contradiction": domain.Contradiction,
    "usage": domain.Usage,
    "part": domain.Part,
    "structured": domain.Structured,
    "value": domain.Value,
}


def tree(made: Made) -> dict[str, Any]:
    """Return a report as JSON has it."""
    value: dict[str, Any] = orjson.loads(to_json(made.report))
    return value


def errors(value: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("made", REPORTS, ids=["en", "zh", "simple", "compared"])
def test_reports_fit_it(made: Made) -> None:
    assert errors(tree(made)) == []


@pytest.mark.parametrize("name", [None, *RECORDS])
def test_its_properties_are_the_fields(name: str | None) -> None:
    cls: Any = domain.Report if name is None else RECORDS[name]
    part = SCHEMA if name is None else SCHEMA["$defs"][name]
    names = {item.name for item in fields(cls)} - (LEFT_OUT if cls is domain.Source else set())
    assert set(part["properties"]) == names
    assert set(part["required"]) == names
    assert part["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("properties", "strategy"), domain.StrategyName),
        (("properties", "stop_reason"), domain.StopReason),
        (("$defs", "claim", "properties", "verdict"), domain.Verdict),
        (("$defs", "value", "properties", "verdict"), domain.Verdict),
        (("$defs", "stated", "properties", "verdict"), domain.Verdict),
        (("$defs", "changed", "properties", "differs", "items"), domain.Difference),
    ],
)
def test_its_choices_are_the_enumerations(path: tuple[str, ...], kind: type[StrEnum]) -> None:
    part: Any = SCHEMA
    for key in path:
        part = part[key]
    assert part["enum"] == list(kind)
    assert SCHEMA["properties"]["schema"]["const"] == domain.REPORT_SCHEMA


def broken() -> list[tuple[str, Any]]:
    """Return ways to break a report: a path into it, and what is put there (`...` takes it away)."""
    return [
        ("run_id", 7),
        ("question", ...),
        ("schema", "leadline.report/2"),
        ("claims.0.verdict", "true"),
        ("claims.0.checks", None),
        ("claims.0.checks.score", "high"),
        ("claims.0.checks.reasons", "few"),
        ("claims.0.citations.0.start", -1.5),
        ("claims.0.citations.0.start", "0"),
        ("claims.0.citations.0.end", True),
        ("claims.0.citations.0.quote", ...),
        ("claims.0.citations", {"0": 1}),
        ("sections.0.sentences", 1),
        ("sections.0.sentences.0.claim_id", 5),
        ("contradictions.0.sides", []),
        ("sources.0.sha256", None),
        ("sources.0.authors", [1]),
        ("usage.tool_calls", {"search": "3"}),
        ("usage.seconds", None),
        ("models", "a-model"),
    ]


@pytest.mark.parametrize(("path", "value"), broken())
def test_what_does_not_fit_is_refused(path: str, value: object) -> None:
    """By the schema, and by the reader of foreign reports."""
    whole = tree(english())
    place: Any = whole
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in way:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    assert errors(whole)
    with pytest.raises(CheckFailed):
        read_report(orjson.dumps(whole))


@pytest.mark.parametrize("made", REPORTS, ids=["en", "zh", "simple", "compared"])
def test_a_foreign_report_reads_as_its_own(made: Made) -> None:
    written = to_json(made.report)
    assert read_report(written) == from_json(written)
    assert to_json(read_report(written)) == written
    newer = {**orjson.loads(written), "a_field_of_later": 1}
    assert read_report(orjson.dumps(newer)) == from_json(written)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{", b'{"schema":"leadline.report/1"}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(CheckFailed):
        read_report(data)


def test_no_report_carries_its_sources_places() -> None:
    """A document may have thousands of headings; a citation's own place stands in its locator."""
    made = english()
    assert [source.marks for source in made.report.sources if source.marks] == []
    assert [source for source in tree(made)["sources"] if "marks" in source] == []
    assert made.report.claims[0].citations[0].locator.startswith("page 1")
