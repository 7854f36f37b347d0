"""Tables of the auth database."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.auth.credentials import LONGEST_USER_NAME
from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey, sort_key
from ecshop.kernel.identity import Role


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


class SigningKeyRow(Base):
    """The one key that signs, where the database is on a server; who shares a folder has it in a file there."""

    __tablename__ = "signing_key"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True, autoincrement=False)
    pem: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
