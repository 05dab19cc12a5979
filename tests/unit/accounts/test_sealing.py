"""Secrets open with their keys, in their place, unchanged; and with nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.accounts import KEY, OLD_KEY

from leadline.accounts.sealing import Sealed, Sealer
from leadline.errors import SecretUnreadable, SettingsError


@given(value=st.text(), bound=st.lists(st.text(), max_size=3))
def test_a_secret_comes_back(value: str, bound: list[str]) -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(
        value.encode("utf-8", "replace").decode(), *(word.encode("utf-8", "replace").decode() for word in bound)
    )
    assert (
        sealer.open(sealed, *(word.encode("utf-8", "replace").decode() for word in bound))
        == value.encode("utf-8", "replace").decode()
    )


@pytest.mark.parametrize(
    ("one", "other"), [(("a", "b"), ("ab",)), (("a", "b"), ("b", "a")), (("a", ""), ("a",)), (("ab", "c"), ("a", "bc"))]
)
def test_a_secret_opens_in_its_place_only(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    sealer = Sealer(KEY)
    with pytest.raises(SecretUnreadable):
        sealer.open(sealer.seal("value", *one), *other)


@given(place=st.integers(min_value=0, max_value=32), bit=st.integers(min_value=0, max_value=7))
def test_a_changed_secret_does_not_open(place: int, bit: int) -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal("value", "acme")
    body = bytearray(sealed.body)
    body[place] ^= 1 << bit
    with pytest.raises(SecretUnreadable):
        sealer.open(Sealed(sealed.key_id, bytes(body)), "acme")


def test_the_same_secret_never_looks_the_same() -> None:
    sealer = Sealer(KEY)
    assert sealer.seal("value", "acme").body != sealer.seal("value", "acme").body


def test_an_older_key_opens_and_does_not_seal() -> None:
    sealed = Sealer(OLD_KEY).seal("value", "acme")
    both = Sealer(KEY, old=[OLD_KEY])
    assert both.open(sealed, "acme") == "value"
    assert both.seal("value", "acme").key_id == Sealer(KEY).key_id != sealed.key_id
    with pytest.raises(SecretUnreadable, match=sealed.key_id):
        Sealer(KEY).open(sealed, "acme")


def test_both_alphabets_are_the_same_key() -> None:
    raw = bytes(range(223, 255))
    plain, safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert plain != safe
    assert Sealer(plain).key_id == Sealer(safe).key_id


@pytest.mark.parametrize("key", ["", "short", "A" * 42, "A" * 44, "!" * 43, KEY + "AAAA"])
def test_a_key_is_32_bytes(key: str) -> None:
    with pytest.raises(SettingsError, match="32 bytes") as caught:
        Sealer(key)
    assert not key or key not in str(caught.value)
