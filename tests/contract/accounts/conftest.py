"""Databases of accounts for the contract suites: a file, and a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from tests.support.accounts import Turned, opened
from tests.support.postgres import Postgres

from leadline.accounts.schema import METADATA
from leadline.wiring.accounts import Accounts

POSTGRES = pytest.param("postgres", marks=[pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")])


# Triggers and foreign keys rest meanwhile, which only a superuser may order: the log is emptied too.
EMPTIED = "; ".join(
    (
        "SET session_replication_role = replica",
        "ALTER TABLE account_audit ENABLE TRIGGER USER",
        *(str(delete(table)) for table in METADATA.tables.values()),
    )
)


class Databases:
    """One database, migrated once; each test gets it empty, which takes less than a copy of its own."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._name = server.database()
        program = "import sys; from leadline.accounts import migrations; migrations.up(sys.argv[1])"
        subprocess.run([sys.executable, "-c", program, server.url(self._name)], check=True)

    def empty(self) -> str:
        self._server.sql(EMPTIED, self._name)
        return self._server.url(self._name)


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    return Databases(postgres)


@pytest.fixture(params=["sqlite", POSTGRES])
def accounts_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'accounts.db'}"
    url: str = request.getfixturevalue("databases").empty()
    return url


@pytest.fixture
def turned() -> Turned:
    return Turned()


@pytest.fixture
async def accounts(accounts_url: str, turned: Turned) -> AsyncIterator[Accounts]:
    async with opened(accounts_url, turned) as made:
        yield made
