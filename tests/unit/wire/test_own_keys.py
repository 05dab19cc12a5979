"""Tenants' own keys on their way to a tool's service, and as people give them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import InputError, InvalidArguments, ProviderDenied
from leadline.wire.own_keys import MOST_CHARACTERS, OwnKeys, from_header, keys_in

REFUSED = "the header `Leadline-Own-Keys` does not hold keys by name"
KEYS = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40), min_size=1)


@given(st.dictionaries(st.text(max_size=20), KEYS.map(lambda keys: tuple(keys[:20])), max_size=5))
def test_a_header_gives_back_what_it_was_made_of(keys: dict[str, tuple[str, ...]]) -> None:
    made = OwnKeys(keys, frozenset({"visit.reader"} - set(keys)))
    assert from_header(made.header()) == made
    assert from_header(made.header()).header().isascii()


@given(st.text(max_size=200))
def test_a_strange_header_is_refused_without_repeating_it(value: str) -> None:
    for header in (value, base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()):
        found, why = OwnKeys(), REFUSED
        try:
            found = from_header(header)
        except InvalidArguments as error:
            why = str(error)
        assert why == REFUSED
        assert all(isinstance(key, str) for keys in found.keys.values() for key in keys)


@pytest.mark.parametrize(
    "told", ['{"a": "k"}', '{"a": [1]}', '{"a": ["x y"]}', '{"a": ["\\r\\nX: y"]}', "[]", '{"a": null}']
)
def test_what_is_no_key_is_refused(told: str) -> None:
    with pytest.raises(InvalidArguments):
        from_header(base64.b64encode(told.encode()).decode())


def test_a_header_of_any_length_is_not_read() -> None:
    with pytest.raises(InvalidArguments):
        from_header(base64.b64encode(b'{"a": ["' + b"k" * (32 << 10) + b'"]}').decode())


def test_keys_are_never_shown_by_accident() -> None:
    assert "sk-own" not in repr(OwnKeys({"search.serper": ("sk-own",)}))


def test_one_that_does_not_open_is_neither_none_nor_a_key() -> None:
    keys = OwnKeys({"search.serper": ("k",)}, frozenset({"search.brave", "visit.reader"}))
    assert keys.of("search.serper") == ("k",)
    assert keys.of("search.exa") is None
    with pytest.raises(ProviderDenied):
        keys.of("search.brave")
    assert keys.among(("search.brave",)) == OwnKeys({}, frozenset({"search.brave"}))
    assert not keys.among(("search.exa",))


def test_a_secret_holds_keys_on_lines_of_their_own() -> None:
    assert keys_in(" one\ntwo\none\n") == ("one", "two")
    for value in (
        "",
        "  \n",
        "schlüssel",
        "k" * (MOST_CHARACTERS + 1),
        "\n".join(f"k{n}" for n in range(21)),
        "a\x00b",
    ):
        with pytest.raises(InputError) as caught:
            keys_in(value)
        assert not value.strip() or value.strip() not in str(caught.value)
