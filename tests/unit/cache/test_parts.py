from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cache.envelope import MOST_BYTES, Unpacker, pack
from leadline.cache.keys import id_of, key, namespace
from leadline.cache.level1 import Level1
from leadline.cache.patterns import fits
from leadline.cache.types import POLICIES, Cached, Category, Entry, Origin


@given(
    st.builds(
        Entry,
        st.binary(max_size=3_000) | st.text(min_size=1_000).map(str.encode),
        st.floats(0, 4e9),
        st.floats(0, 4e9),
        st.floats(0, 4e9),
        st.floats(0, 4e9),
        st.booleans(),
        st.text(st.characters(codec="utf-8"), max_size=80),
    )
)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert Unpacker()(pack(entry)) == entry


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: pack(Entry(b"", 0, 0, 0, 0))[:4] + tail))
def test_no_bytes_raise(data: bytes) -> None:
    Unpacker()(data)


def test_large_bodies_are_compressed_and_a_bomb_is_refused() -> None:
    assert len(pack(Entry(b"a" * 100_000, 0, 0, 0, 0))) < 1_000
    assert Unpacker()(pack(Entry(b"a" * (MOST_BYTES + 1), 0, 0, 0, 0))) is None


def test_every_field_and_tenant_is_in_the_key() -> None:
    request = {"q": "depth", "count": 10, "language": "en", "year": None, "provider": "serper"}
    base = key(Category.SEARCH, request, tenant=None)
    others = [key(Category.SEARCH, {**request, name: "x"}, tenant=None) for name in request]
    others += [key(Category.SEARCH, request, tenant="public"), key(Category.PAGE, request, tenant=None)]
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1
    assert key(Category.SEARCH, dict(reversed(request.items())), tenant=None) == base


def test_keys_hold_no_text_of_a_user_and_are_bounded() -> None:
    long = key(Category.SEARCH, {"q": "secret " * 10_000}, tenant="a tenant: with * signs" * 50)
    assert "secret" not in long.id
    assert "*" not in long.id
    assert len(long.text(10**13)) < 140
    assert long.text(7).count(":") == 5
    assert id_of(long.text(7)) == long.id


def test_tenants_that_look_alike_are_apart() -> None:
    names = ["a", "a:search", "t-a", "public", "h-a", "", "a b"]
    assert len({namespace(Category.SEARCH, tenant=name) for name in [*names, None]}) == len(names) + 1


def test_every_category_has_its_times() -> None:
    assert set(POLICIES) == set(Category)
    assert (POLICIES[Category.SEARCH].soft, POLICIES[Category.PAGE].soft) == (900, 3_600)
    assert (POLICIES[Category.SCHOLAR].soft, POLICIES[Category.OTHER].soft) == (86_400, 3_600)
    for policy in POLICIES.values():
        assert policy.soft <= policy.revalidate <= policy.hard
        assert 30 <= policy.negative <= 60


def test_every_category_is_used_by_some_part() -> None:
    """A category that no part keeps anything in is a time in the settings that does nothing."""
    source = Path(key.__code__.co_filename).parents[1]
    calls = (
        node
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "key" and node.args
    )
    kinds = (call.args[0] for call in calls)
    assert {kind.attr.lower() for kind in kinds if isinstance(kind, ast.Attribute)} == set(Category)


def answer(size: int) -> Cached:
    return Cached(b"x" * size, Origin.LOAD, 0.0, negative=False, etag="", stale=False)


def test_memory_is_bounded_by_bytes_and_the_longest_unused_goes() -> None:
    level = Level1(most_bytes=100_000)
    for number in range(20):
        level.put(str(number), answer(10_000), version=1, soft=0, until=0)
        level.get("0")
    usage = level.usage()
    assert usage.bytes <= 100_000
    assert level.get("0") is not None
    assert level.get("1") is None
    assert usage.entries == 9
    for number in range(20):
        level.drop(str(number))
    assert level.usage().bytes == 0


def test_what_would_push_out_all_else_is_not_held() -> None:
    level = Level1(most_bytes=100_000)
    level.put("small", answer(10), version=1, soft=0, until=0)
    level.put("huge", answer(90_000), version=1, soft=0, until=0)
    assert level.get("huge") is None
    assert level.get("small") is not None


@pytest.mark.parametrize(
    ("pattern", "label", "verdict"),
    [("a*", "abc", True), ("a?", "ab", False), ("[a]", "a", False), ("*", "", True), ("", "", True), ("", "a", False)],
)
def test_only_the_star_is_special(pattern: str, label: str, verdict: bool) -> None:
    assert fits(pattern)(label) is verdict
