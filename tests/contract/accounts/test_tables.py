"""PostgreSQL's tables come and go by migrations, and are what the code says that they are."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.pool import NullPool
from tests.support.postgres import Postgres

from leadline.accounts import migrations
from leadline.accounts.database import Database
from leadline.accounts.schema import METADATA
from leadline.errors import SettingsError

pytestmark = [pytest.mark.server("postgres"), pytest.mark.xdist_group("postgres")]


def differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
    return list(compare_metadata(context, METADATA))


async def compared(url: str) -> list[object]:
    engine = migrations.async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(differences)
    finally:
        await engine.dispose()


async def opened(url: str) -> None:
    async with Database.open(url):
        pass


def test_up_is_complete_and_down_leaves_nothing(postgres: Postgres) -> None:
    name = postgres.database()
    url = postgres.url(name)
    with pytest.raises(SettingsError, match="leadline migrate up"):
        asyncio.run(opened(url))
    assert migrations.up(url) == (None, migrations.HEAD)
    assert asyncio.run(compared(url)) == []
    postgres.sql("INSERT INTO account_tenant (id, name, created_at) VALUES ('acme', 'Acme', 0)", name)
    assert migrations.up(url) == (migrations.HEAD, migrations.HEAD)
    assert postgres.sql("SELECT id FROM account_tenant", name).strip() == "acme"
    asyncio.run(opened(url))
    migrations.down(url)
    left = "SELECT relname FROM pg_class WHERE relname LIKE 'account%' UNION SELECT proname FROM pg_proc WHERE proname LIKE 'account%'"
    assert set(postgres.sql(left, name).split()) == {migrations.VERSION_TABLE, f"{migrations.VERSION_TABLE}_pkc"}
    assert migrations.status(url).found is None
