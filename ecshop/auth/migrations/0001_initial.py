"""Accounts, sessions, API keys, the signing key, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CompactUuid, CountedKey, Instant, sort_key

revision = "auth_0001"
down_revision = None

_SQLITE = """
CREATE TRIGGER {name} AFTER {change} BEGIN
    UPDATE session SET ended_at = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
    WHERE user_id = OLD.id AND ended_at IS NULL;
    UPDATE api_key SET ended_at = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
    WHERE user_id = OLD.id AND ended_at IS NULL;
END
"""
_CHANGED = "OLD.role <> NEW.role OR (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL)"
_ENDS_SESSIONS = {
    "sqlite": [
        _SQLITE.format(name="account_deleted", change="DELETE ON account"),
        _SQLITE.format(name="account_changed", change=f"UPDATE OF role, disabled_at ON account WHEN {_CHANGED}"),
    ],
    "postgresql": [
        """
        CREATE FUNCTION end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE session SET ended_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
            WHERE user_id = OLD.id AND ended_at IS NULL;
            UPDATE api_key SET ended_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
            WHERE user_id = OLD.id AND ended_at IS NULL;
            RETURN NULL;
        END $$
        """,
        "CREATE TRIGGER account_deleted AFTER DELETE ON account FOR EACH ROW EXECUTE FUNCTION end_sessions()",
        f"""
        CREATE TRIGGER account_changed AFTER UPDATE OF role, disabled_at ON account FOR EACH ROW WHEN ({_CHANGED})
        EXECUTE FUNCTION end_sessions()
        """,
    ],
}
"""Whoever changes the account, and by whatever means."""


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", CompactUuid, primary_key=True),
        sa.Column("user_name", sa.String(64), nullable=False),
        sa.Column("name_key", sort_key(64), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("disabled_at", Instant, nullable=True),
        sa.CheckConstraint("role IN ('customer', 'staff', 'admin')", name="known_role"),
    )
    op.create_table(
        "session",
        sa.Column("id", CompactUuid, primary_key=True),
        sa.Column("user_id", CompactUuid, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("former_hash", sa.LargeBinary(32), nullable=True),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
        sa.Column("used_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
    )
    op.create_index("session_user_id", "session", ["user_id"])
    op.create_index("session_ended_at", "session", ["ended_at"])
    op.create_index("session_expires_at", "session", ["expires_at"])
    op.create_table(
        "api_key",
        sa.Column("id", CompactUuid, primary_key=True),
        sa.Column("user_id", CompactUuid, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.String(500), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("used_at", Instant, nullable=True),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
    )
    op.create_index("api_key_user_id", "api_key", ["user_id"])
    op.create_index("api_key_ended_at", "api_key", ["ended_at"])
    op.create_index("api_key_expires_at", "api_key", ["expires_at"])
    for statement in _ENDS_SESSIONS[op.get_context().dialect.name]:
        op.execute(statement)
    op.create_table(
        "signing_key",
        sa.Column("id", CountedKey, primary_key=True, autoincrement=False),
        sa.Column("pem", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.CheckConstraint("id = 1", name="only_one"),
    )
    create_event_tables()
