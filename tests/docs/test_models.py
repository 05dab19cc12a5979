"""What docs/models.md says of the pool is what the pool does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from leadline.model.pool.types import PoolPolicy

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_of_the_policy_is_the_policy() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert table == {field.name: str(field.default) for field in fields(PoolPolicy)}
