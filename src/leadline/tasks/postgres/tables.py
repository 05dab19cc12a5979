"""What is fixed about the tables, without the library that makes them: their states and the migrations there are."""

from __future__ import annotations

from typing import Final

from leadline.errors import SettingsError
from leadline.tasks.postgres.connection import Connection

LIVE: Final = "state IN ('queued', 'running', 'waiting')"
ENDED: Final = "state IN ('done', 'failed', 'cancelled')"
FREE: Final = "state = 'queued' AND NOT local"

VERSIONS: Final = "leadline_version"
"""The table that tells which migration the database is at."""

NUMBERS: Final = ("0001", "0002", "0003")
"""The migrations, the newest last; a test compares them with `migrations/versions`."""


async def check(connection: Connection, *, name: str) -> None:
    """Raise `SettingsError` where the tables are not those of this version."""
    if await connection.fetchval("SELECT to_regclass($1)", VERSIONS) is None:
        raise SettingsError(f"{name} has no tables of Leadline; make them with: leadline migrate up")
    found = await connection.fetchval(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 a constant
    if found == NUMBERS[-1]:
        return
    if found is None or found in NUMBERS:
        at = f"at migration {found}" if found else "without tables"
        raise SettingsError(f"{name} is {at}, {NUMBERS[-1]} is needed; run: leadline migrate up")
    raise SettingsError(
        f"{name} was changed by a newer Leadline (migration {found}, this one knows {NUMBERS[-1]}); update Leadline"
    )
