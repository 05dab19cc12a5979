from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.domain import Hit
from leadline.tools.same import host_of, page_key
from leadline.tools.search import fuse

SAME = [
    ("https://www.a.example/x/", "http://a.example/x?utm_source=y#part"),
    ("https://a.example/a/../b/./c", "https://A.EXAMPLE:443/b/c"),
    ("https://bücher.example/straße", "https://xn--bcher-kva.example/stra%C3%9Fe"),
    ("https://a.example/?b=2&a=1&gclid=7", "https://a.example?a=1&b=2"),
    ("https://doi.org/10.1000/ABC.1", "http://dx.doi.org/10.1000%2Fabc.1"),
    ("https://arxiv.org/abs/1706.03762v5", "https://arxiv.org/pdf/1706.03762.pdf"),
    ("https://arxiv.org/abs/1706.03762", "https://doi.org/10.48550/arXiv.1706.03762"),
    ("https://export.arxiv.org/abs/math/0601001", "https://www.arxiv.org/pdf/math/0601001v2"),
]
OTHER = [
    ("https://a.example/x", "https://b.example/x"),
    ("https://a.example/x?id=1", "https://a.example/x?id=2"),
    ("https://a.example/X", "https://a.example/x"),
    ("https://a.example:8080/", "https://a.example/"),
    ("file:///a", "file:///b"),
    ("https://arxiv.org/abs/1706.03762", "https://arxiv.org/abs/1706.03763"),
]


def hit(uri: str, rank: int = 1, provider: str = "p") -> Hit:
    return Hit(uri=uri, title=uri, snippet="", provider=provider, rank=rank)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_page_has_one_key(one: str, other: str) -> None:
    assert page_key(one) == page_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_pages_have_two(one: str, other: str) -> None:
    assert page_key(one) != page_key(other)


@given(st.text(max_size=80))
def test_any_text_has_a_key(text: str) -> None:
    for uri in (text, f"https://{text}", f"https://a.example/{text}"):
        assert isinstance(page_key(uri), str)
        assert isinstance(host_of(uri), str)


def test_a_work_found_twice_comes_first() -> None:
    fused = fuse(
        [
            [hit("https://a.example/1", 1), hit("https://arxiv.org/abs/1706.03762v1", 2)],
            [hit("https://b.example/2", 1), hit("https://doi.org/10.48550/arXiv.1706.03762", 2)],
        ]
    )
    assert fused[0].uri == "https://arxiv.org/abs/1706.03762v1"
    assert len(fused) == 3


def test_weights_decide_between_lists() -> None:
    lists = [[hit("https://a.example/1")], [hit("https://b.example/2")]]
    assert [at.uri for at in fuse(lists, weights=[1.0, 2.0])] == ["https://b.example/2", "https://a.example/1"]
    assert [at.uri for at in fuse(lists, weights=[2.0, 1.0])] == ["https://a.example/1", "https://b.example/2"]


def test_a_host_has_its_share_and_the_rest_comes_last() -> None:
    one_host = [hit(f"https://www.a.example/{n}", n) for n in range(1, 6)]
    fused = fuse([one_host, [hit("https://b.example/x", 9)]], weights=[1.0, 0.1], per_host=3)
    assert [at.uri.rpartition("/")[2] for at in fused] == ["1", "2", "3", "x", "4", "5"]
    assert [at.rank for at in fused] == [1, 2, 3, 4, 5, 6]


def test_documents_have_no_host() -> None:
    documents = [hit(f"file:///{n}", n) for n in range(1, 8)]
    assert [at.uri for at in fuse([documents], per_host=3)] == [at.uri for at in documents]
