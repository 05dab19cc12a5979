from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Json, ToolSpec
from leadline.errors import InvalidArguments
from leadline.tools.arguments import ArgumentReader
from leadline.tools.search import SearchTool

SPEC = ToolSpec(
    name="probe",
    description="",
    parameters={
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1},
            "many": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "year": {"type": ["integer", "null"]},
            "deep": {"type": "boolean"},
            "shape": {"type": "object"},
        },
        "required": ["text"],
        "additionalProperties": False,
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "many", "count", "year", "deep", "other"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"text": "a"}, {"text": "a"}),
        ('{"text": "a"}', {"text": "a"}),
        ({"text": ["a"]}, {"text": "a"}),
        ({"text": " a "}, {"text": "a"}),
        ({"text": "a", "many": "b"}, {"text": "a", "many": ["b"]}),
        ({"text": "a", "many": '["b", "c"]'}, {"text": "a", "many": ["b", "c"]}),
        ({"text": "a", "many": ["b", None, ""]}, {"text": "a", "many": ["b"]}),
        ({"text": "a", "count": "3"}, {"text": "a", "count": 3}),
        ({"text": "a", "count": 3.0}, {"text": "a", "count": 3}),
        ({"text": "a", "count": None}, {"text": "a"}),
        ({"text": "a", "year": "null"}, {"text": "a"}),
        ({"text": "a", "deep": "True"}, {"text": "a", "deep": True}),
        ({"text": "a", "shape": '{"b": 1}'}, {"text": "a", "shape": {"b": 1}}),
        ({"text": "a", "unknown": 1}, {"text": "a"}),
        ({"text": '["not", "a list"]'}, {"text": '["not", "a list"]'}),
    ],
)
def test_what_is_harmless_is_mended(given: Json, read: Json) -> None:
    assert ArgumentReader(SPEC).read(given) == read


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "`probe` needs `text`"),
        ({"txt": "a"}, "does not know `txt`"),
        ({"txt": "a"}, "`many` (optional)"),
        ({"text": ""}, "`text`"),
        ({"text": ["a", "b"]}, "`text`"),
        ({"text": "a", "count": 10}, "`count` must be at most 9, not 10"),
        ({"text": "a", "count": "three"}, "`count`"),
        ({"text": "a", "many": ["a", "b", "c", "d"]}, "`many`"),
        ({"text": "a", "deep": "perhaps"}, "`deep`"),
        ("{text", "no valid JSON"),
        ("[1]", "must be a JSON object"),
        (7, "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_what_is_not_is_refused_with_what_to_change(given: Json, told: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        ArgumentReader(SPEC).read(given)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_huge_value_is_not_repeated_to_the_model() -> None:
    with pytest.raises(InvalidArguments) as caught:
        ArgumentReader(SPEC).read({"text": "a", "count": "x" * 1_000_000, "y" * 1_000_000: 1})
    assert len(str(caught.value)) < 1_000


@given(JSON | st.text(max_size=50))
def test_whatever_comes_is_read_or_refused(arguments: Json) -> None:
    reader = ArgumentReader(SPEC)
    try:
        read = reader.read(arguments)
    except InvalidArguments:
        return
    assert reader.read(dict(read)) == read


@pytest.mark.parametrize("query", ["one", ["one", "two"], '["one", "two"]'])
def test_a_query_may_be_one_or_many(query: Json) -> None:
    read = ArgumentReader(SearchTool(()).spec).read({"query": query, "filter_year": None})
    assert read in ({"query": "one"}, {"query": ["one", "two"]})
