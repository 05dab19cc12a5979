from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from leadline.domain import Json
from leadline.text.schema import faults, refuse_unknown
from leadline.tools.search import SearchTool

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "minLength": 2, "maxLength": 3},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "number", "minimum": -1.5},
    {"type": ["integer", "null"], "enum": [1, None, True]},
    {"type": "array", "items": {"type": ["string", "boolean"]}, "minItems": 1, "maxItems": 2},
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "object", "required": ["c"]}},
        "required": ["a"],
        "additionalProperties": False,
    },
    {"type": "object", "properties": {"a": {"type": "string"}}},
    dict(SearchTool(()).spec.parameters),
    {},
]
KEYS = st.sampled_from(["a", "b", "c", "query", "num_results", "filter_year"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 25)
    | st.sampled_from([1.0, 1.5, -2.0])
    | st.text(alphabet="ab线", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@given(value=VALUES)
def test_it_says_what_the_standard_says(schema: Mapping[str, Any], value: Json) -> None:
    refuse_unknown(schema)
    fits = Draft202012Validator(schema).is_valid(value)
    assert (not list(faults(value, schema))) == fits


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"oneOf": []},
        {"properties": {"a": {"pattern": "x"}}},
        {"items": {"$ref": "#"}},
        {"additionalProperties": {"type": "string"}},
    ],
)
def test_what_would_go_unchecked_is_refused(schema: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be checked"):
        refuse_unknown(schema)


def test_a_fault_names_its_place() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}}}}}
    (fault,) = faults({"a": [{"b": 1}, {"b": "x"}]}, schema)
    assert fault == '`a[1].b` must be an integer, not "x"'
