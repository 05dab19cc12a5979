from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.han import SIMPLIFIED, TRADITIONAL
from leadline.text.tokens import (
    MAX_QUERY_TERMS,
    content_terms,
    fold_han,
    fts_query,
    fts_tokens,
    is_stop,
    query_terms,
    stem,
    terms,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Bridges of São Paulo", ["the", "bridg", "of", "sao", "paulo"]),
        ("companies' studies, running", ["company", "study", "run"]),
        ("北京大学", ["北京", "京大", "大学"]),
        ("臺灣大學", ["台湾", "湾大", "大学"]),
        ("一座 桥 x", ["一座", "桥", "x"]),
        ("用Python写", ["用", "python", "写"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("snake_case", ["snak", "cas"]),
        ("", []),
        ("—…!?", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    "forms",
    [
        ["bridge", "bridges"],
        ["build", "built", "building", "builds"],
        ["found", "founded", "founding"],
        ["study", "studies", "studied", "studying"],
        ["plan", "planned", "planning", "plans"],
        ["make", "made", "making", "makes"],
        ["name", "named", "naming", "names"],
        ["write", "wrote", "written", "writing"],
        ["church", "churches"],
        ["glass", "glasses"],
        ["die", "died", "dies", "dying"],
    ],
)
def test_forms_of_one_word_share_a_stem(forms: list[str]) -> None:
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["string", "king", "red", "bus", "gas", "this", "was", "1990s", "école"])
def test_stem_leaves_alone(word: str) -> None:
    assert stem(word) in {word, "ga"}


def test_very_long_words_are_cut_and_not_cached_whole() -> None:
    assert max(map(len, terms("a" * 10_000))) <= 64
    assert stem("b" * 10_000) == "b" * 10_000


def test_stop_words_stay_stop_words_after_stemming() -> None:
    for word in ("the", "was", "does", "what", "having", "themselves", "的", "什么", "是的"):
        assert is_stop(word)
        assert is_stop(stem(word))
    for term in ("bridg", "us", "大桥", "may-day"):
        assert not is_stop(term)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When was the bridge over the Lyne built, and by whom?", ["bridg", "lyn", "build"]),
        ("Please tell me who founded Acme", ["found", "acm"]),
        ("莱恩大学是什么时候成立的？", ["莱恩", "恩大", "大学", "成立"]),
        ("金门大桥由谁设计", ["金门", "门大", "大桥", "设计"]),
        ("Who is it?", ["who", "is", "it"]),
        ("", []),
    ],
)
def test_query_terms(question: str, expected: list[str]) -> None:
    assert query_terms(question) == expected


def test_content_terms_keep_repetitions() -> None:
    assert content_terms("the bridge and the bridges") == ["bridg", "bridg"]


def test_fold_han_keeps_offsets_and_its_table_is_sound() -> None:
    assert fold_han("臺灣的學術") == "台湾的学术"
    assert len(TRADITIONAL) == len(SIMPLIFIED) == len(set(TRADITIONAL))
    assert not set(TRADITIONAL) & set(SIMPLIFIED)
    assert fold_han(TRADITIONAL) == SIMPLIFIED


@given(st.text())
def test_fold_han_never_changes_the_length(text: str) -> None:
    folded = fold_han(text)
    assert len(folded) == len(text)
    assert fold_han(folded) == folded


@given(st.text())
def test_words_are_never_empty_and_fold_once(text: str) -> None:
    for word in words(text):
        assert word.strip() == word != ""


@pytest.fixture(scope="module")
def index() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(body, tokenize='porter unicode61')")
    texts = (
        "The bridges of New York were built in 1883.",
        "北京大学成立于1898年，是一所大学。",
        "臺北的橋很長。",
        "York is a new city in the north.",
    )
    database.executemany("INSERT INTO t VALUES (?)", [(fts_tokens(text),) for text in texts])
    return database


def found(index: sqlite3.Connection, query: str) -> set[int]:
    return {row[0] for row in index.execute("SELECT rowid FROM t WHERE t MATCH ?", (query,))}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (fts_query("Who built the bridge?"), {1}),
        (fts_query("大学"), {2}),
        (fts_query("北京大学什么时候成立"), {2}),
        (fts_query("台北"), {3}),
        (fts_query("桥"), {3}),
        (fts_query("new york"), {1, 4}),
        (fts_query("new york", mode="and"), {1, 4}),
        (fts_query("", phrases=["New York"]), {1}),
        (fts_query("bridge 大学", phrases=["New York"]), {1}),
        (fts_query("大学 bridge", mode="and"), set()),
        (fts_query(""), set()),
        (fts_query("?!", phrases=["", "…"]), set()),
    ],
)
def test_queries_find_what_was_indexed(index: sqlite3.Connection, query: str, expected: set[int]) -> None:
    assert found(index, query) == expected


@given(st.text(), st.lists(st.text(), max_size=3), st.sampled_from(["or", "and"]))
def test_no_text_breaks_the_query_language(text: str, phrases: list[str], mode: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(body)")
    query = fts_query(text, mode="and" if mode == "and" else "or", phrases=phrases)
    database.execute("SELECT rowid FROM t WHERE t MATCH ?", (query,)).fetchall()
    database.close()


@pytest.mark.parametrize(
    "hostile", ['" OR body:* NEAR(a b)', "a AND NOT b", "x^2 -y {z} *", "col:secret", "'; DROP TABLE t;--"]
)
def test_operators_arrive_as_words(hostile: str) -> None:
    query = fts_query(hostile)
    outside = query.split('"')[::2]
    assert set("".join(outside).replace("OR", "").replace("*", "").split()) == set()


def test_a_huge_question_gives_a_bounded_query(index: sqlite3.Connection) -> None:
    query = fts_query(" ".join(f"w{number}" for number in range(100_000)))
    assert query.count('"') == 2 * MAX_QUERY_TERMS
    assert found(index, query) == set()
