"""A hostile web and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.certificates import Certificates

from leadline.fetch.guard import Guard
from leadline.testing import HostileWeb


@pytest.fixture
async def web() -> AsyncIterator[HostileWeb]:
    async with HostileWeb() as server:
        yield server


@pytest.fixture
def guard(web: HostileWeb) -> Guard:
    return Guard(allow_private=web.networks, resolve=web.resolve)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.create(tmp_path)
