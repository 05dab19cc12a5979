"""The pages about tenants and limits say what the code does."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from leadline.limits.inbound import RUN_RETRY, STATUSES
from leadline.ports.access import PERMITS, Action, Role
from leadline.ports.admission import InboundLimit
from leadline.settings import items

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def code(cell: str) -> str:
    return cell.strip("`")


def test_every_inbound_limit_has_its_row_and_its_status() -> None:
    rows = {code(row[0]): row for row in table("limits.md", "What is let in")}
    assert list(rows) == [str(limit) for limit in InboundLimit]
    assert {name: int(row[4]) for name, row in rows.items()} == {str(k): v for k, v in STATUSES.items()}
    waits = {name for name, row in rows.items() if row[5] == f"{RUN_RETRY:g} s"}
    assert waits == {"key_runs", "key_waiting", "runs", "waiting"}


@pytest.mark.parametrize("heading", ["What is let in", "What goes out", "What a run may use"])
def test_owners_and_settings_exist(heading: str) -> None:
    for row in table("limits.md", heading):
        assert find_spec(code(row[1])) is not None, row
        (setting,) = re.findall(r"^`([a-z_.]+)`", row[2])
        assert setting in items(), row


def test_every_setting_of_admission_is_explained() -> None:
    page = (DOCS / "limits.md").read_text(encoding="utf-8")
    assert [name for name in items() if name.startswith("admission.") and f"`{name}`" not in page] == []


def test_one_limit_has_one_owner() -> None:
    rows = [
        row
        for heading in ("What is let in", "What goes out", "What a run may use")
        for row in table("limits.md", heading)
    ]
    settings = [code(row[2]).partition("`")[0] for row in rows]
    assert len(settings) == len(set(settings))


def test_the_table_of_roles_is_the_codes() -> None:
    rows = {code(row[0]): [cell == "yes" for cell in row[1:]] for row in table("tenancy.md", "Roles")}
    assert rows == {str(action): [action in PERMITS[role] for role in Role] for action in Action}


def test_each_role_may_do_what_the_one_before_it_may() -> None:
    reader, researcher, admin = (PERMITS[role] for role in Role)
    assert reader < researcher < admin == frozenset(Action)
