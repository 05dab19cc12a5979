"""What is written as YAML is read as what it was."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Json
from leadline.ops.yaml import yaml_text

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=3))
def test_any_value_comes_back(value: dict[str, Json]) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "one\nand two"}, "a: |-\n  one\n  and two\n"),
        ({"a": 'up{job="x"} == 0'}, "a: 'up{job=\"x\"} == 0'\n"),
        ({"a": "no"}, 'a: "no"\n'),
        ({"a": [{"b": 1, "c": []}]}, "a:\n  - b: 1\n    c: []\n"),
    ],
    ids=["lines", "quotes", "a word of YAML", "nested"],
)
def test_it_is_written_for_people(value: dict[str, Json], text: str) -> None:
    assert yaml_text(value) == text
    assert yaml.safe_load(text) == value


def test_a_head_is_a_comment() -> None:
    assert yaml_text({"a": 1}, head="one\ntwo") == "# one\n# two\na: 1\n"
