from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest
from tests.support.reports import a_report, a_source, chinese, english
from tests.unit.render import samples

from leadline.domain import Report
from leadline.render.bibliography import references, to_bibtex, to_csl, to_ris
from leadline.render.people import Person, person

# The part of the published schema csl-data.json that these items can touch.
NAME = {
    "type": "object",
    "properties": {k: {"type": "string"} for k in ("family", "given", "literal")},
    "additionalProperties": False,
}
PARTS = {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1, "maxItems": 3}
DATE = {
    "type": "object",
    "properties": {"date-parts": {"type": "array", "items": PARTS, "minItems": 1, "maxItems": 2}},
    "additionalProperties": False,
}
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"enum": ["article", "webpage", "document"]},
            "id": {"type": "string"},
            **{name: {"type": "string"} for name in ("title", "DOI", "URL", "language", "note")},
            "author": {"type": "array", "items": NAME},
            "issued": DATE,
            "accessed": DATE,
        },
        "required": ["type", "id"],
        "additionalProperties": False,
    },
}
TEXT = "Some text."


def of(uri: str = "https://example.org/a", **fields: object) -> Report:
    return a_report([], [a_source(TEXT, uri, **fields)])


def entries(bibtex: str) -> list[dict[str, str]]:
    """Read BibTeX as its own scanner does: a value ends where its braces close."""
    found, at = [], 0
    while match := re.compile(r"@(\w+)\{([^,\s]+),").search(bibtex, at):
        end = _closing(bibtex, match.start() + len(match[1]) + 1)
        body, fields, place = bibtex[match.end() : end], {"type": match[1], "key": match[2]}, 0
        while field := re.compile(r"\s*(\w+) = (?=\{)").match(body, place):
            place = _closing(body, field.end()) + 2
            fields[field[1]] = body[field.end() + 1 : place - 2]
        assert not body[place:].strip()
        found.append(fields)
        at = end
    return found


def _closing(text: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise AssertionError(f"no closing brace: {text[opening:]!r}")


@pytest.mark.parametrize(
    "report", [english().report, chinese().report, samples.hostile(), samples.empty(), samples.many()]
)
def test_each_form_holds_every_source_once(report: Report) -> None:
    count = len(report.sources)
    items = json.loads(to_csl(report))
    jsonschema.validate(items, SCHEMA)
    keys = [entry["key"] for entry in entries(to_bibtex(report))]
    records = to_ris(report).split("ER  - \r\n")
    assert [item["id"] for item in items] == keys
    assert len(set(keys)) == len(keys) == count
    assert (len(records), records[-1]) == (count + 1, "")
    assert all(re.fullmatch(r"(?:[A-Z][A-Z0-9]  - [^\r\n]*\r\n)+", record) for record in records[:-1])
    assert all(re.fullmatch(r"[a-z0-9-]+", key) for key in keys)


@pytest.mark.parametrize(
    ("uri", "genre", "bibtex", "ris"),
    [
        ("https://example.org/a", "webpage", "misc", "ELEC"),
        ("https://doi.org/10.1000/xyz.1", "article", "article", "JOUR"),
        ("doi:10.1000/xyz.1", "article", "article", "JOUR"),
        ("file:///srv/a%20b.pdf", "document", "misc", "GEN"),
        ("document:handbook/a.pdf", "document", "misc", "GEN"),
    ],
)
def test_a_source_has_the_type_that_it_is(uri: str, genre: str, bibtex: str, ris: str) -> None:
    report = of(uri)
    (item,) = json.loads(to_csl(report))
    assert item["type"] == genre
    assert entries(to_bibtex(report))[0]["type"] == bibtex
    assert to_ris(report).startswith(f"TY  - {ris}\r\n")
    assert item.get("DOI") == ("10.1000/xyz.1" if genre == "article" else None)


@pytest.mark.parametrize(
    ("published", "parts", "slashed"),
    [
        ("2024-03-05", [2024, 3, 5], "2024/03/05/"),
        ("2024-03", [2024, 3], "2024/03//"),
        ("2024", [2024], "2024///"),
        ("2024-13-40", [2024], "2024///"),
        ("last spring", None, None),
    ],
)
def test_dates_say_what_is_known(published: str, parts: list[int] | None, slashed: str | None) -> None:
    report = of(published=published)
    (item,) = json.loads(to_csl(report))
    assert item.get("issued") == (None if parts is None else {"date-parts": [parts]})
    assert re.findall(r"DA  - (\S*)", to_ris(report)) == ([] if slashed is None else [slashed])
    assert item["accessed"] == {"date-parts": [[2026, 1, 1]]}


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("Raphaël Hertzog", "Hertzog", "Raphaël"),
        ("Hertzog, Raphaël", "Hertzog", "Raphaël"),
        ("Ludwig van Beethoven", "van Beethoven", "Ludwig"),
        ("Donald E. Knuth", "Knuth", "Donald E."),
        ("Jean-Luc O’Neill", "O’Neill", "Jean-Luc"),
        ("王小明", "王小明", ""),
        ("国家统计局", "国家统计局", ""),
        ("欧阳 修", "欧阳 修", ""),
        ("Debian Project", "Debian Project", ""),
        ("World Health Organization", "World Health Organization", ""),
        ("admin", "admin", ""),
        ("webmaster at example", "webmaster at example", ""),
        ("Team 42 Rocks", "Team 42 Rocks", ""),
    ],
)
def test_names_come_apart_only_where_that_is_sure(name: str, family: str, given: str) -> None:
    assert person(name) == Person(family, given)


def test_names_that_stay_whole_are_whole_in_each_form() -> None:
    report = of(authors=("王小明", "Ann and Bob Smith", "Donald Knuth"))
    assert entries(to_bibtex(report))[0]["author"] == "{王小明} and {Ann and Bob Smith} and Knuth, Donald"
    (item,) = json.loads(to_csl(report))
    assert item["author"] == [
        {"literal": "王小明"},
        {"literal": "Ann and Bob Smith"},
        {"family": "Knuth", "given": "Donald"},
    ]
    assert re.findall(r"AU  - ([^\r]*)", to_ris(report)) == ["王小明", "Ann and Bob Smith", "Knuth, Donald"]


def test_tex_characters_are_inert() -> None:
    (entry,) = entries(to_bibtex(of(title=r"50% of {A_B} \input{x} & $y$ #1 ~ ^")))
    assert entry["title"] == (
        r"{50\% of \textbraceleft{}A\_B\textbraceright{} \textbackslash{}input\textbraceleft{}x\textbraceright{}"
        r" \& \$y\$ \#1 \textasciitilde{} \textasciicircum{}}"
    )


def test_keys_stay_when_other_sources_come_and_go() -> None:
    many = samples.many(20)
    fewer = replace(many, sources=many.sources[10:])
    assert {r.id for r in references(fewer)} < {r.id for r in references(many)}


def test_two_sources_with_one_key_are_both_kept() -> None:
    one = a_source("a", title="A")
    other = replace(a_source("b", title="B"), id=one.id[:9] + "00000000")
    ids = [made.id for made in references(a_report([], [one, other]))]
    assert ids[1] == f"{ids[0]}-2"
