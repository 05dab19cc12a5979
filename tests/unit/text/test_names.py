from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.names import NameKind, find_names, name_key, whole


def names(text: str) -> list[str]:
    return [name.text for name in find_names(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was John Smith.", ["John Smith"]),
        ("We met Ludwig van Beethoven there.", ["Ludwig van Beethoven"]),
        ("She studied at the University of California.", ["University of California"]),
        ("He joined King's College in Paris.", ["King's College", "Paris"]),
        ("the author J. R. R. Tolkien wrote", ["J. R. R. Tolkien"]),
        ("we saw Jean-Paul Sartre and Saint-Étienne", ["Jean-Paul Sartre", "Saint-Étienne"]),
        ("at NASA and the F.I.R. office", ["NASA", "F.I.R."]),
        ("The song “Hey Jude” was sung.", ["Hey Jude"]),
        ('The novel "Kind of Blue" sold.', ["Kind of Blue"]),
        ('He said "no, never." Then left.', []),
        ("The Beatles played.", ["Beatles"]),
        ("However Smith left on Monday in May.", ["Smith"]),
        ("Bridges are big. Walls are high.", []),
        ("London is big, and I like London.", ["London", "London"]),
        ("他在London工作", ["London"]),
        ("鲁迅写了《狂人日记》。", ["狂人日记"]),
        ("他毕业于北京大学。", ["北京大学"]),
        ("约翰·史密斯设计了莱恩大桥。", ["约翰·史密斯", "莱恩大桥"]),
        ("位于上海市的中国石油天然气集团公司", ["上海市", "中国石油天然气集团公司"]),
        ("总统林肯说，李明教授表示", ["林肯", "李明"]),
        ("泰坦尼克号是一座城市", ["泰坦尼克号"]),
        ("“人工智能”很好", ["人工智能"]),
        ("", []),
    ],
)
def test_names(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_kinds() -> None:
    found = find_names("In Rome, NASA showed “Star Men”.")
    assert [(name.text, name.kind) for name in found] == [
        ("Rome", NameKind.NAME),
        ("NASA", NameKind.ACRONYM),
        ("Star Men", NameKind.TITLE),
    ]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The Beatles", "beatles"),
        ("J. R. R. Tolkien", "J.R.R. Tolkien"),
        ("Dr. Müller's", "Muller"),
        ("《狂人日記》", "狂人日记"),
        ("約翰·史密斯", "约翰・史密斯"),
        ("Jean-Paul Sartre", "Jean Paul Sartre"),
        ("U.S.", "US"),
    ],
)
def test_one_key_for_the_forms_of_a_name(a: str, b: str) -> None:
    assert name_key(a) == name_key(b)


def test_other_names_have_other_keys() -> None:
    assert len({name_key(name) for name in ("Ann Lee", "Ann Leo", "Anne Lee", "Lee")}) == 4


@given(st.one_of(st.text(), st.text(alphabet="ABab .'-\"“”《》·王教授大学桥的\n1&", max_size=80)))
def test_names_are_in_order_and_read_as_they_stand(text: str) -> None:
    found = find_names(text)
    for name in found:
        assert 0 <= name.start < name.end <= len(text)
        assert " ".join(name.text.split()) == " ".join(text[name.start : name.end].split())
        name_key(name.text)
    assert all(left.end <= right.start for left, right in pairwise(found))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("测量北极星离海平面的高度。", []),
        ("展开一幅长卷海图。", []),
        ("王景弘率领回国。", []),
        ("在马里亚纳海沟下潜。", []),
        ("大报恩寺的修建", ["大报恩寺"]),
        ("南京牛首山南麓", ["南京牛首山"]),
        ("《郑和航海图》中", ["郑和航海图"]),
        ("由北京大学编写", ["北京大学"]),
        ("In Bergen, Greta Holm left.", ["Bergen", "Greta Holm"]),
    ],
)
def test_a_name_that_was_cut_out_of_a_clause_is_told(text: str, kept: list[str]) -> None:
    assert [name.text for name in find_names(text) if whole(text, name)] == kept
