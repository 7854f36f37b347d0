"""Tables of the auth database."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.auth.contract import LONGEST_KEY_NAME
from ecshop.auth.credentials import LONGEST_USER_NAME
from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey, sort_key
from ecshop.kernel.identity import Role

LONGEST_ADDRESS: Final = 64
LONGEST_AGENT: Final = 200
LONGEST_SCOPES: Final = 500


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


_ROLES = ", ".join(f"'{role}'" for role in Role)


class Account(Base):
    """A user. `name_key` is the name without case and width: two names that look the same are the same."""

    __tablename__ = "account"
    __table_args__ = (CheckConstraint(f"role IN ({_ROLES})", name="known_role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column(String(LONGEST_USER_NAME))
    name_key: Mapped[str] = mapped_column(sort_key(LONGEST_USER_NAME), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SessionRow(Base):
    """A login, until it ends. Its secret is the refresh token's: kept as a hash, with the one before it.

    It outlives its account: the database ends it when the account is deleted, disabled or of another role.
    """

    __tablename__ = "session"
    __table_args__ = (
        Index("session_user_id", "user_id"),
        Index("session_ended_at", "ended_at"),
        Index("session_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    former_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    address: Mapped[str] = mapped_column(String(LONGEST_ADDRESS))
    agent: Mapped[str] = mapped_column(String(LONGEST_AGENT))
    begun_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ApiKeyRow(Base):
    """What a machine of somebody's shows, until it ends; the database ends it as it ends a session."""

    __tablename__ = "api_key"
    __table_args__ = (
        Index("api_key_user_id", "user_id"),
        Index("api_key_ended_at", "ended_at"),
        Index("api_key_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(LONGEST_KEY_NAME))
    scopes: Mapped[str] = mapped_column(String(LONGEST_SCOPES))
    """With spaces between them, as in a token (RFC 6749, section 3.3)."""
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SigningKeyRow(Base):
    """The one key that signs, where the database is on a server; who shares a folder has it in a file there."""

    __tablename__ = "signing_key"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True, autoincrement=False)
    pem: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
