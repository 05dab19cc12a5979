"""What docs/models.md says of the pool is what the pool does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from leadline.model.pool_types import PoolPolicy

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_of_the_policy_is_the_policy() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert table == {field.name: str(field.default) for field in fields(PoolPolicy)}


@pytest.mark.parametrize("code", re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", PAGE, re.MULTILINE))
def test_the_examples_are_programs(code: str) -> None:
    lines = [line[4:] for line in code.splitlines()]
    program = "\n".join(line for line in lines if not line.startswith("uvicorn.run"))
    exec(compile(program, "docs/models.md", "exec"), {})  # noqa: S102 the page's own examples
