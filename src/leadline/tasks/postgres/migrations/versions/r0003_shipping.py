"""Who ships the journals to which event log, and how far; the order in which they are shipped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

C = "C"


def upgrade() -> None:
    """Make the table, and an index that gives rows in order: after an outage a log is far behind."""
    op.create_table(
        "shipping",
        sa.Column("log", sa.Text(collation=C), primary_key=True),
        sa.Column("owner", sa.Text(collation=C)),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text(collation=C), nullable=False),
    )
    op.drop_index("step_tx", "step")
    op.create_index("step_tx", "step", ["tx"])


def downgrade() -> None:
    """Drop the table: where shipping begins again, it begins at the first event."""
    op.drop_index("step_tx", "step")
    op.create_index("step_tx", "step", ["tx"], postgresql_using="brin")
    op.drop_table("shipping")
