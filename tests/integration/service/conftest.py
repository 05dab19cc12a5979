"""The service over each store: files, and a real PostgreSQL with one database for all tests, a tenant each."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.postgres import Postgres
from tests.support.service import Running, small_service

POSTGRES = pytest.param("postgres", marks=[pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")])
_NUMBERS = itertools.count(1)


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has."""
    return f"tenant-{next(_NUMBERS)}"


@pytest.fixture
def other() -> str:
    """Another one."""
    return f"tenant-{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def shared_database(postgres: Postgres) -> str:
    """A database with the tables of runs and accounts."""
    url = postgres.store()
    program = "import sys; from leadline.accounts import migrations; migrations.up(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, url], check=True)
    return url


@pytest.fixture(params=["sqlite", POSTGRES])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a store."""
    return {} if request.param == "sqlite" else {"store": request.getfixturevalue("shared_database")}


@pytest.fixture
async def service(store: dict[str, str], tmp_path: Path) -> AsyncIterator[Running]:
    """A service over each store."""
    async with small_service(tmp_path, store) as running:
        yield running
