"""All tables of accounts, as first released."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

_DROPPED: Final = (
    *("account_hold", "account_usage", "account_document", "account_corpus", "account_delivery", "account_webhook"),
    *("account_schedule", "account_share", "account_once", "account_secret", "account_audit", "account_key"),
    "account_tenant",
)


def upgrade() -> None:
    """Make everything."""
    _people()
    _audit()
    _secrets_and_links()
    _schedules()
    _webhooks()
    _corpora()
    _spending()


def downgrade() -> None:
    """Forget everything."""
    for table in _DROPPED:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION account_audit_refuse()")


def _people() -> None:
    op.create_table(
        "account_tenant",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled_at", sa.Double),
        sa.Column("tokens_per_day", sa.BigInteger),
        sa.Column("micros_per_day", sa.BigInteger),
    )
    op.create_table(
        "account_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("last_used_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
    )
    op.create_index("account_key_tenant", "account_key", ["tenant", "created_at"])


def _audit() -> None:
    op.create_table(
        "account_audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("tenant", "actor", "action", "kind", "object", "source", "outcome", "previous", "hash")
        ),
    )
    op.create_index("account_audit_tenant", "account_audit", ["tenant", "seq"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION account_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$"
        )
        op.execute(
            "CREATE TRIGGER account_audit_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON account_audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION account_audit_refuse()"
        )
        # Of use where the program's role does not own the table; an owner has the trigger before it.
        op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON account_audit FROM PUBLIC")
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER account_audit_no_{verb.lower()} BEFORE {verb} ON account_audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )


def _secrets_and_links() -> None:
    op.create_table(
        "account_secret",
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "account_once",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("body_hash", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("account_once_at", "account_once", ["at"])
    op.create_table(
        "account_share",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
    )
    op.create_index("account_share_tenant", "account_share", ["tenant", "created_at"])


def _schedules() -> None:
    op.create_table(
        "account_schedule",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("last_at", sa.Double),
        sa.Column("last_run", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
    op.create_index("account_schedule_tenant", "account_schedule", ["tenant", "name"])
    op.create_index("account_schedule_due", "account_schedule", ["next_at"])


def _webhooks() -> None:
    op.create_table(
        "account_webhook",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
    )
    op.create_index("account_webhook_tenant", "account_webhook", ["tenant", "created_at"])
    op.create_table(
        "account_delivery",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("webhook", sa.Text, sa.ForeignKey("account_webhook.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("status", sa.Integer),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
    op.create_index("account_delivery_once", "account_delivery", ["webhook", "run_id", "event"], unique=True)
    op.create_index("account_delivery_due", "account_delivery", ["next_at"])


def _corpora() -> None:
    op.create_table(
        "account_corpus",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("account_tenant.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_index("account_corpus_name", "account_corpus", ["tenant", "name"], unique=True)
    op.create_table(
        "account_document",
        sa.Column("corpus", sa.Text, sa.ForeignKey("account_corpus.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, primary_key=True),
        sa.Column("until", sa.BigInteger),
        sa.Column("blob", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
    )


def _spending() -> None:
    op.create_table(
        "account_usage",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("runs", "calls", "tokens", "micros", "held_tokens", "held_micros")
        ),
    )
    op.create_table(
        "account_hold",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("granted_tokens", sa.BigInteger),
        sa.Column("granted_micros", sa.BigInteger),
    )
    op.create_index("account_hold_open", "account_hold", ["open", "wanted", "key"])
