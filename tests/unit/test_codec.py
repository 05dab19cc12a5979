from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline import codec


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    name: str
    number: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner
    colour: Colour = Colour.RED
    pair: tuple[int, str] = (1, "a")
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()
    table: Mapping[str, Inner] = field(default_factory=dict)
    maybe: Inner | None = None
    tree: object = None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INNER = st.builds(Inner, name=TEXT, number=st.floats(allow_nan=False, allow_infinity=False))


@given(
    st.builds(
        Outer,
        inner=INNER,
        colour=st.sampled_from(Colour),
        pair=st.tuples(st.integers(-(2**53), 2**53), TEXT),
        many=st.lists(INNER, max_size=3).map(tuple),
        words=st.lists(TEXT, max_size=3).map(tuple),
        table=st.dictionaries(TEXT, INNER, max_size=3),
        maybe=st.none() | INNER,
        tree=st.recursive(st.none() | st.booleans() | TEXT, lambda t: st.lists(t, max_size=2)),
    )
)
def test_values_come_back_as_they_went(value: Outer) -> None:
    assert codec.decode(Outer, codec.encode(value)) == value


def test_an_older_reader_understands_a_newer_writer() -> None:
    assert codec.decode(Inner, b'{"name": "x", "later": 1}') == Inner(name="x")


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"null",
        b'{"inner": []}',
        b'{"inner": {"name": "x"}, "colour": "green"}',
        b'{"inner": {"name": "x"}, "many": {}}',
        b'{"inner": {"name": "x"}, "pair": [1]}',
        b'{"inner": {"name": "x"}, "table": []}',
        b'{"inner": {"name": "x"}, "maybe": "x"}',
        b"{",
    ],
)
def test_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode(Outer, data)


def test_lone_surrogates_are_replaced_not_fatal() -> None:
    assert codec.encode(Inner(name="a\ud800b")) == b'{"name":"a?b","number":0.0}'
    assert codec.encode({"\udfff": ["\ud800"]}) == b'{"?":["?"]}'
    assert codec.canonical({"b": "\ud800", "a": 1}) == b'{"a":1,"b":"?"}'


def test_equal_values_have_equal_canonical_bytes() -> None:
    assert codec.canonical({"b": 1, "a": {"d": 2, "c": 3}}) == codec.canonical({"a": {"c": 3, "d": 2}, "b": 1})
    assert codec.canonical(Inner(name="x")) == codec.canonical({"number": 0.0, "name": "x"})


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        codec.encode(object())
