"""Run by Alembic, in the transaction that `migrate` has opened."""

from __future__ import annotations

from alembic import context

from leadline.tasks.postgres.tables import VERSIONS

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSIONS, transaction_per_migration=False
)
context.run_migrations()
