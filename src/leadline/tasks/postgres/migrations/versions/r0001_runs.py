"""Runs, what was asked, and their journals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

C = "C"
"""Names and ids are compared by their bytes."""

LIVE = "state IN ('queued', 'running', 'waiting')"
ENDED = "state IN ('done', 'failed', 'cancelled')"
FREE = "state = 'queued' AND NOT local"


def upgrade() -> None:
    """Make the tables."""
    _runs()
    _asked()
    _steps()


def downgrade() -> None:
    """Drop the tables, and all runs with them."""
    op.drop_table("step")
    op.drop_table("asked")
    op.drop_table("run")


def _runs() -> None:
    # `local` runs belong to the process that made them: only a claim by id takes them up. `claim` is
    # the token of the last claim, by which one whose answer was lost is found again. `urgency` is the
    # negative priority: all of a lane's index then runs one way, and holds all that is looked for.
    op.create_table(
        "run",
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
        # Heartbeats rewrite rows in place as long as their page has room and no index holds what they change.
        postgresql_with={"fillfactor": "70"},
    )
    lane = ["urgency", "engine", "tenant", "created_at", "key"]
    op.create_index("run_queued", "run", lane, postgresql_where=sa.text(FREE))
    op.create_index(
        "run_live",
        "run",
        ["state", "tenant", "updated_at"],
        postgresql_where=sa.text(LIVE),
        postgresql_include=["local"],
    )
    op.create_index("run_held", "run", ["owner"], postgresql_where=sa.text("state = 'running'"))
    op.create_index("run_listed", "run", ["tenant", "created_at", "id"])
    op.create_index("run_states", "run", ["tenant", "state", "created_at", "id"])
    op.create_index("run_ended", "run", ["updated_at"], postgresql_where=sa.text(ENDED))


def _asked() -> None:
    # What never changes of a run, as the packed `run_started`; apart from the row, which is rewritten often.
    op.create_table(
        "asked",
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("compressed", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.execute("ALTER TABLE asked ALTER COLUMN body SET STORAGE EXTERNAL")


def _steps() -> None:
    # `tx` tells a reader which rows can have no earlier one still to come: those below `pg_snapshot_xmin`.
    op.create_table(
        "step",
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("branch", sa.Text(collation=C), nullable=False),
        sa.Column("type", sa.Text(collation=C), nullable=False),
        sa.Column("compressed", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("tx", sa.BigInteger, nullable=False, server_default=sa.text("(pg_current_xact_id()::text::bigint)")),
    )
    op.create_index("step_tx", "step", ["tx"], postgresql_using="brin")
    op.execute("ALTER TABLE step ALTER COLUMN body SET STORAGE EXTERNAL")  # bodies come compressed
