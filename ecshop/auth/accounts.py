"""Who has an account, and what becomes of it. Each function runs inside somebody's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.auth.contract import User, UserChange, UserExists, UserFilter, UserNotFound
from ecshop.auth.models import Account
from ecshop.events.audit import COMMAND_LINE, note
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import Page
from ecshop.kernel.words import beyond, key_of

_BY_NAME: Final = Keyset("user_name", Account.name_key, Account.id)


def add(session: Session, name: str, password_hash: str, role: Role, moment: datetime) -> User:
    account = Account(
        id=uuid7(),
        user_name=name,
        name_key=key_of(name),
        password_hash=password_hash,
        role=role.value,
        created_at=moment,
    )
    session.add(account)
    try:
        session.flush()
    except IntegrityError as cause:
        raise UserExists(f"the user name {name} is taken") from cause
    return _user(account)


def by_name(session: Session, name: str) -> Account | None:
    return session.scalar(select(Account).where(Account.name_key == key_of(name)))


def by_id(session: Session, user_id: UUID) -> Account | None:
    return session.get(Account, user_id)


def get(session: Session, user_id: UUID) -> User:
    """Raises `UserNotFound`."""
    return _user(_row(session, user_id))


def list_users(session: Session, wanted: UserFilter, cursor: str | None, limit: int) -> Page[User]:
    """In the order of their names. Raises `InvalidCursor`."""
    return _BY_NAME.fetch(session, select(Account), cursor, limit, _user, within=_wanted(wanted))


def change(session: Session, actor: Actor | None, user_id: UUID, change: UserChange, moment: datetime) -> User:
    """The database ends the sessions of an account that is disabled or gets another role. Raises `UserNotFound`."""
    account = _row(session, user_id)
    before = _shown(account)
    if isinstance(change.role, Role):
        account.role = change.role.value
    if change.disabled is True:
        account.disabled_at = account.disabled_at or moment
    elif change.disabled is False:
        account.disabled_at = None
    session.flush()
    note(session, actor, "user.changed", f"user {user_id}", before, _shown(account), role=COMMAND_LINE)
    return _user(account)


def replace_password(session: Session, actor: Actor | None, account_id: UUID, password_hash: str) -> None:
    keep_hash(session, account_id, password_hash)
    note(session, actor, "user.password_changed", f"user {account_id}", role=COMMAND_LINE)


def refuse_login(session: Session, account_id: UUID | None) -> None:
    """Nothing of a name that nobody has: people type passwords there."""
    note(session, None, "user.login_refused", f"user {account_id or 'unknown'}")


def keep_hash(session: Session, account_id: UUID, password_hash: str) -> None:
    session.execute(update(Account).where(Account.id == account_id).values(password_hash=password_hash))


def _wanted(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    key = key_of(wanted.q or "")
    if key:
        conditions += [Account.name_key >= key, Account.name_key < beyond(key)]
    if wanted.role is not None:
        conditions.append(Account.role == wanted.role.value)
    if wanted.disabled is not None:
        conditions.append(Account.disabled_at.is_not(None) if wanted.disabled else Account.disabled_at.is_(None))
    if wanted.user_id:
        conditions.append(Account.id.in_(wanted.user_id))
    return conditions


def _shown(account: Account) -> dict[str, Any]:
    return {"role": account.role, "disabled": account.disabled_at is not None}


def _row(session: Session, user_id: UUID) -> Account:
    account = session.get(Account, user_id)
    if account is None:
        raise UserNotFound(f"no user has the id {user_id}")
    return account


def _user(account: Account) -> User:
    return struct_of(User, account, role=Role(account.role), disabled=account.disabled_at is not None)
