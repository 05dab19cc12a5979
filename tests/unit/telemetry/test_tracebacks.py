"""Where an error came from, as text of a line."""

from __future__ import annotations

import pytest

from leadline.telemetry.tracebacks import MOST_CHARS, traced


def _deep(left: int) -> None:
    if left:
        _deep(left - 1)
    raise ValueError("what a page says")


def _asked(left: int) -> None:
    try:
        _deep(left)
    except ValueError as error:
        raise RuntimeError("what a person asked") from error


def _caught(left: int) -> RuntimeError:
    with pytest.raises(RuntimeError) as caught:
        _asked(left)
    return caught.value


def test_causes_come_first_and_texts_only_on_wish() -> None:
    bare = traced(_caught(1), content=False)
    assert bare.index("\nValueError") < bare.index("RuntimeError")
    assert bare.endswith("\nRuntimeError")
    assert "what a page says" not in bare.replace('raise ValueError("what a page says")', "")
    assert traced(_caught(1), content=True).endswith("\nRuntimeError: what a person asked")


def test_it_is_bounded_and_keeps_its_end() -> None:
    many = traced(_caught(300), content=False)
    assert many.count("in _deep") <= 20
    long = traced(ValueError("x" * 50_000), content=True)
    assert len(long) == MOST_CHARS


def test_of_a_group_the_first_error_is_told_and_loops_end() -> None:
    group = ExceptionGroup("both", [_caught(0), KeyError("k")])
    assert "RuntimeError" in traced(group, content=False)
    one, other = ValueError("a"), TypeError("b")
    one.__cause__, other.__cause__ = other, one
    assert traced(one, content=False).count("Traceback") == 8
