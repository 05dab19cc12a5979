"""Damaged JSON, read for what it is meant to be."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.repair import MAX_DEPTH, NotJson, parse_json, parse_values


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'depth': 12, 'unit': 'fathoms'}", {"depth": 12, "unit": "fathoms"}),
        ('{"depth": 12, "unit": "fathoms",}', {"depth": 12, "unit": "fathoms"}),
        ("{depth: 12, unit: fathoms}", {"depth": 12, "unit": "fathoms"}),
        (
            '{"ok": True, "none": None, "nan": NaN, "inf": -Infinity}',
            {"ok": True, "none": None, "nan": None, "inf": None},
        ),
        ('{"rope": ["white", "red"', {"rope": ["white", "red"]}),
        ('{"rope": "white leath', {"rope": "white leath"}),
        ('{"note": "white, red, and bl', {"note": "white, red, and bl"}),
        ('{"q": "the "hand lead" line", "n": 2}', {"q": 'the "hand lead" line', "n": 2}),
        ('{"q": "a lead, line, "n": 2}', {"q": "a lead, line", "n": 2}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1 // first\n, /* second */ "b": 2}', {"a": 1, "b": 2}),
        ('{"path": "C:\\Users\\x", "re": "\\d+"}', {"path": "C:\\Users\\x", "re": "\\d+"}),
        ("{“a”: “b”}", {"a": "b"}),
        ('{"a": "one " + "two"}', {"a": "one two"}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("Here you are:\n```\n[1, 2]\n```\nDone.", [1, 2]),
        ('The call is {"a": 1} as asked.', {"a": 1}),
        ('{"a": (1, 2), "b": (3)}', {"a": [1, 2], "b": 3}),
        ('{"a": 1}, "b": 2}', {"a": 1, "b": 2}),
        ('{"list": [{"a": 1}\n{"a": 2}]}', {"list": [{"a": 1}, {"a": 2}]}),
        ('{"url": http://example.org/a?b=c, "n": 1}', {"url": "http://example.org/a?b=c", "n": 1}),
        ('{"quote": "\\ud83d\\ude00 \\ud800"}', {"quote": "😀 \ufffd"}),
        ('{"水深": "十二寻", \'单位\': "寻"}', {"水深": "十二寻", "单位": "寻"}),
        ("true", True),
        ("12", 12),
        ('"text"', "text"),
        ('{"n": 123456789012345678901234567890}', {"n": 1.2345678901234568e29}),
    ],
)
def test_repairs(raw: str, value: Any) -> None:
    assert parse_json(raw) == value


@pytest.mark.parametrize("raw", ["", "   ", "no JSON here", "]", "}{"[:1]])
def test_what_is_no_json(raw: str) -> None:
    with pytest.raises(NotJson):
        parse_json(raw)


def test_several_values_in_a_row() -> None:
    assert parse_values('{"a": 1}\n{"a": 2,}') == [{"a": 1}, {"a": 2}]
    assert len(parse_values("{x:1}" * 100, limit=5)) == 5


def test_nesting_beyond_reason_is_refused_strict_or_not() -> None:
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    for raw in (deep, deep[:-1], "{a:" * 500, "(" * 5000):
        with pytest.raises(NotJson):
            parse_json(raw)
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), _JSON, max_size=4))
def test_sound_json_is_read_as_it_is(value: dict[str, Any]) -> None:
    assert parse_json(orjson.dumps(value).decode()) == value


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        st.integers(0, 999)
        | st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(
            lambda w: w not in {"null", "none", "true", "false", "nan", "undefined", "infinity"}
        ),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_json_without_its_tail_keeps_its_head(value: dict[str, Any], data: st.DataObject) -> None:
    raw = orjson.dumps(value).decode()
    cut = data.draw(st.integers(1, len(raw)))
    found = parse_json(raw[:cut])
    for key, item in list(found.items())[:-1]:
        assert value[key] == item


@given(st.text(alphabet="{}[]()\"'`:,\\/*#+-.0123456789eEtrufalsn \n“”", max_size=60))
def test_any_result_is_json(raw: str) -> None:
    try:
        value = parse_json(raw)
    except NotJson:
        return
    orjson.dumps(value)
