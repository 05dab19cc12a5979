"""Alembic's entry: it works on the connection that `leadline.accounts.migrations` hands over."""

from __future__ import annotations

from alembic import context

from leadline.accounts.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # both databases undo a migration that failed half-way
)
# The caller's transaction is the migration's.
context.run_migrations()
