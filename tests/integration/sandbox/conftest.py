"""The world outside the sandbox, one for all tests of this folder, and gone when others run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.sandbox.probes.probe import World
from tests.integration.sandbox.probes.world import open_world

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker: they look for processes and folders that others would leave meanwhile."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("sandbox"))


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened
