"""The tables as the newest migration leaves them; a test compares both."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from leadline.tasks.postgres.tables import ENDED, FREE, LIVE

C: Final = "C"
"""Names and ids are compared by their bytes."""


def metadata() -> sa.MetaData:
    """Return the tables."""
    tables = sa.MetaData()
    _run(tables)
    _asked(tables)
    _step(tables)
    return tables


def _run(tables: sa.MetaData) -> None:
    _ = sa.Table(
        "run",
        tables,
        sa.Column("key", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("id", sa.Text(collation=C), nullable=False, unique=True),
        sa.Column("tenant", sa.Text(collation=C), nullable=False),
        sa.Column("state", sa.Text(collation=C), nullable=False),
        sa.Column("engine", sa.Text(collation=C), nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("local", sa.Boolean, nullable=False),
        sa.Column("owner", sa.Text(collation=C)),
        sa.Column("claim", sa.Text(collation=C)),
        sa.Column("lease_until", sa.Double),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("flag", sa.Text(collation=C)),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("stop_reason", sa.Text(collation=C)),
        sa.Column("report", sa.Text(collation=C)),
        sa.Column("failure", sa.Text),
        sa.Column("usage", sa.Text),
        sa.Column("waits_for", sa.Text),
        sa.Column("reply", sa.Text),
        sa.Index(
            "run_queued",
            "urgency",
            "engine",
            "tenant",
            "created_at",
            "key",
            postgresql_where=sa.text(FREE),
        ),
        sa.Index(
            "run_live",
            "state",
            "tenant",
            "updated_at",
            postgresql_where=sa.text(LIVE),
            postgresql_include=["local"],
        ),
        sa.Index("run_held", "owner", postgresql_where=sa.text("state = 'running'")),
        sa.Index("run_listed", "tenant", "created_at", "id"),
        sa.Index("run_states", "tenant", "state", "created_at", "id"),
        sa.Index("run_ended", "updated_at", postgresql_where=sa.text(ENDED)),
    )


def _asked(tables: sa.MetaData) -> None:
    _ = sa.Table(
        "asked",
        tables,
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("compressed", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
    )


def _step(tables: sa.MetaData) -> None:
    _ = sa.Table(
        "step",
        tables,
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("branch", sa.Text(collation=C), nullable=False),
        sa.Column("type", sa.Text(collation=C), nullable=False),
        sa.Column("compressed", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("tx", sa.BigInteger, nullable=False, server_default=sa.text("(pg_current_xact_id()::text::bigint)")),
        sa.Index("step_tx", "tx"),
    )
    _ = sa.Table(
        "shipping",
        tables,
        sa.Column("log", sa.Text(collation=C), primary_key=True),
        sa.Column("owner", sa.Text(collation=C)),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text(collation=C), nullable=False),
    )
