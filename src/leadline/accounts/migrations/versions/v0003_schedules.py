"""Why a schedule rests that nobody paused."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Schedules that are there already go on."""
    op.add_column("account_schedule", sa.Column("reason", sa.Text))


def downgrade() -> None:
    """What rests goes on resting; why is not known any more."""
    op.drop_column("account_schedule", "reason")
