"""The tables come and go by migrations, and are what the code says that they are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from leadline.accounts import migrations
from leadline.accounts.database import Database
from leadline.accounts.schema import METADATA
from leadline.errors import InputError, SettingsError, StoreError, StoreUnavailable


def test_up_and_down_again(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'accounts.db'}"
    assert migrations.status(url).found is None
    assert migrations.up(url) == (None, migrations.HEAD)
    assert migrations.up(url) == (migrations.HEAD, migrations.HEAD)
    with sqlite3.connect(tmp_path / "accounts.db") as connection:
        connection.execute("INSERT INTO account_tenant (id, name, created_at) VALUES ('acme', 'Acme', 0)")
    connection.close()
    migrations.down(url)
    with sqlite3.connect(tmp_path / "accounts.db") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert names == {migrations.VERSION_TABLE}
    migrations.up(url)
    assert migrations.status(url).found == migrations.HEAD


def test_a_version_that_is_none_is_refused(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'accounts.db'}"
    migrations.up(url)
    with pytest.raises(InputError, match="0815"):
        migrations.down(url, "0815")
    assert migrations.status(url).found == migrations.HEAD


def test_a_database_that_is_away_is_told() -> None:
    with pytest.raises(StoreUnavailable, match=r"postgresql://127.0.0.1:1/x") as caught:
        migrations.up("postgresql://user:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)


def test_the_newest_migration_is_the_head() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == migrations.HEAD


def test_migrations_make_what_the_code_says(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'accounts.db'}"
    migrations.up(url)
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'accounts.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


async def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'accounts.db'}"
    async with Database.open(url) as database:
        await database.write(
            lambda tx: tx.connection.execute(sa.text("UPDATE account_version SET version_num = '9999'"))
        )
    with pytest.raises(SettingsError, match="9999"):
        async with Database.open(url):
            pass


@pytest.mark.blocking("the test itself writes a file")
async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "accounts.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        async with Database.open(f"sqlite://{tmp_path / 'accounts.db'}"):
            pass


@pytest.mark.blocking("the test itself looks at the file")
async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    async with Database.open(f"sqlite://{tmp_path / 'new' / 'accounts.db'}"):
        assert (tmp_path / "new" / "accounts.db").stat().st_mode & 0o077 == 0
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0
