from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.text.language import detect, has_cjk, is_cjk


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("When was the bridge built?", "en"),
        ("什么是RAG", "zh"),
        ("GPT 和 LLM 的区别", "zh"),
        ("使用 FastAPI 和 SQLAlchemy 构建应用", "zh"),
        ("The word 茶 means tea", "en"),
        ("What does 北京大学 mean?", "en"),
        ("東京はどこですか", "en"),
        ("Где мост?", "en"),
        ("", "en"),
        ("1234", "en"),
        ("臺灣最高的山", "zh"),
    ],
)
def test_detect(text: str, language: str) -> None:
    assert detect(text) == language


def test_is_cjk() -> None:
    assert all(map(is_cjk, "中〇かカ한𠀀々"))
    assert not any(map(is_cjk, "aé1。， "))


@given(st.text())
def test_has_cjk_agrees_with_is_cjk(text: str) -> None:
    assert has_cjk(text) == any(map(is_cjk, text))
