"""Accounts, the signing key, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CompactUuid, CountedKey, Instant, sort_key

revision = "auth_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", CompactUuid, primary_key=True),
        sa.Column("user_name", sa.String(64), nullable=False),
        sa.Column("name_key", sort_key(64), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.CheckConstraint("role IN ('customer', 'staff', 'admin')", name="known_role"),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", CountedKey, primary_key=True, autoincrement=False),
        sa.Column("pem", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.CheckConstraint("id = 1", name="only_one"),
    )
    create_event_tables()
