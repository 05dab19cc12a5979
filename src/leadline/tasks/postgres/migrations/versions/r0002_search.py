"""The questions in folded case, for searching in listings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leadline.events import RunStarted
from leadline.tasks.packing import Packer, folded

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE = 500


def upgrade() -> None:
    """Add the column and fill it from what was asked."""
    op.add_column("asked", sa.Column("folded", sa.Text, nullable=False, server_default=""))
    connection, packer, last = op.get_bind(), Packer(), -1
    select = sa.text("SELECT run, compressed, body FROM asked WHERE run > :last ORDER BY run LIMIT :page")
    update = sa.text("UPDATE asked SET folded = :folded WHERE run = :run")
    while rows := connection.execute(select, {"last": last, "page": PAGE}).all():
        last = rows[-1].run
        connection.execute(update, [{"run": r.run, "folded": _question(packer, r)} for r in rows])
    op.alter_column("asked", "folded", server_default=None)


def downgrade() -> None:
    """Drop the column; the questions stand in what was asked."""
    op.drop_column("asked", "folded")


def _question(packer: Packer, row: sa.Row[tuple[int, bool, bytes]]) -> str:
    event = packer.unpack(RunStarted.type, row.body, compressed=row.compressed)
    return folded(event.question.text) if isinstance(event, RunStarted) else ""
