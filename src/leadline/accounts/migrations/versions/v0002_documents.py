"""How far each document of a corpus is read, and who has deleted something."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

_ADDED: Final = ("state", "text", "characters", "code", "reason", "attempts", "owner", "lease_until", "fence")


def upgrade() -> None:
    """Documents that are there already wait to be read."""
    columns = (
        sa.Column("state", sa.Text, nullable=False, server_default="queued"),
        sa.Column("text", sa.Text),
        sa.Column("characters", sa.BigInteger),
        sa.Column("code", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    )
    for column in columns:
        op.add_column("account_document", column)
    op.create_index("account_document_state", "account_document", ["state", "added_at"])
    op.create_table(
        "account_leftover",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Documents stay; what was read of them is not known any more."""
    op.drop_table("account_leftover")
    op.drop_index("account_document_state", "account_document")
    for name in _ADDED:
        op.drop_column("account_document", name)
