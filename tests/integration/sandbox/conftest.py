"""The world outside the sandbox, one for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.sandbox.probes.probe import World
from tests.integration.sandbox.probes.world import open_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened
