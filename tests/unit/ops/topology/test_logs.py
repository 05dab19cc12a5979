"""Logs: bounded, their last lines, and what comes after."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from leadline.ops.topology.logs import Followed, last_lines, opened, turn_over


def test_a_log_that_has_grown_is_turned_over_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    descriptor = opened(log)
    for number in range(1, 5):
        os.write(descriptor, f"{number} {'x' * 20}\n".encode())
        assert turn_over(log, largest=10, kept=2)
    os.write(descriptor, b"now\n")
    os.close(descriptor)
    assert not turn_over(log, largest=10, kept=2)
    assert log.read_text() == "now\n"
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["part.log", "part.log.1", "part.log.2"]
    assert (tmp_path / "part.log.1").read_text().startswith("4 ")
    assert (tmp_path / "part.log.2").read_text().startswith("3 ")


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 3) == []
    assert not turn_over(tmp_path / "none.log")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)), st.integers(0, 9))
def test_the_last_lines_are_the_last_ones(lines: list[str], count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "part.log"
        log.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        assert last_lines(log, count) == (lines[-count:] if count else [])


def test_following_gives_whole_lines_and_notices_an_emptied_log(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("old\n")
    followed = Followed(log)
    assert list(followed.new_lines()) == []
    with log.open("a") as file:
        file.write("one\ntw")
    assert list(followed.new_lines()) == ["one"]
    with log.open("a") as file:
        file.write("o\n")
    assert list(followed.new_lines()) == ["two"]
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write("new\n")
    assert list(followed.new_lines()) == ["new"]
