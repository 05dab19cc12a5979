"""The tables of accounts. Names begin with `account_`: they may share a database with the runs.

Times are Unix seconds, money is millionths of a US dollar, JSON is text.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA: Final = MetaData()

TENANT: Final = Table(
    "account_tenant",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
    Column("tokens_per_day", BigInteger),
    Column("micros_per_day", BigInteger),
)

KEY: Final = Table(
    "account_key",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("account_tenant.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("scopes", Text),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
    Index("account_key_tenant", "tenant", "created_at"),
)

AUDIT: Final = Table(
    "account_audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("account_audit_tenant", "tenant", "seq"),
)

SECRET: Final = Table(
    "account_secret",
    METADATA,
    Column("tenant", Text, ForeignKey("account_tenant.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", Double, nullable=False),
)

ONCE: Final = Table(
    "account_once",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index("account_once_at", "at"),
)

SHARE: Final = Table(
    "account_share",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("account_tenant.id"), nullable=False),
    Column("run_id", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Index("account_share_tenant", "tenant", "created_at"),
)

SCHEDULE: Final = Table(
    "account_schedule",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("account_tenant.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("next_at", Double),
    Column("last_at", Double),
    Column("last_run", Text),
    Column("owner", Text),
    Column("lease_until", Double),
    Column("fence", BigInteger, nullable=False),
    Column("reason", Text),
    Index("account_schedule_tenant", "tenant", "name"),
    Index("account_schedule_due", "next_at"),
)

WEBHOOK: Final = Table(
    "account_webhook",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("account_tenant.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Index("account_webhook_tenant", "tenant", "created_at"),
)

DELIVERY: Final = Table(
    "account_delivery",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("webhook", Text, ForeignKey("account_webhook.id", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("next_at", Double),
    Column("status", Integer),
    Column("problem", Text, nullable=False),
    Column("owner", Text),
    Column("lease_until", Double),
    Column("fence", BigInteger, nullable=False),
    Index("account_delivery_once", "webhook", "run_id", "event", unique=True),
    Index("account_delivery_due", "next_at"),
)

CORPUS: Final = Table(
    "account_corpus",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, ForeignKey("account_tenant.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("account_corpus_name", "tenant", "name", unique=True),
)

# A document is part of the versions from `since` on, up to but not including `until`. `text` is the
# hash of what was read of it; `owner`, `lease_until` and `fence` are of who reads it.
DOCUMENT: Final = Table(
    "account_document",
    METADATA,
    Column("corpus", Text, ForeignKey("account_corpus.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("since", BigInteger, primary_key=True),
    Column("until", BigInteger),
    Column("blob", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("added_at", Double, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("text", Text),
    Column("characters", BigInteger),
    Column("code", Text),
    Column("reason", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_until", Double),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Index("account_document_state", "state", "added_at"),
)

# Tenants of whom something was deleted whose bodies may still be there; `at` is the last time.
LEFTOVER: Final = Table(
    "account_leftover",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("at", Double, nullable=False),
)

USAGE: Final = Table(
    "account_usage",
    METADATA,
    Column("tenant", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("runs", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("held_tokens", BigInteger, nullable=False),
    Column("held_micros", BigInteger, nullable=False),
)

# `granted_*` is what the answer was, which null means for ever; `tokens` and `micros` what is set aside.
HOLD: Final = Table(
    "account_hold",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("waiting", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("granted_tokens", BigInteger),
    Column("granted_micros", BigInteger),
    Index("account_hold_open", "open", "wanted", "key"),
)
