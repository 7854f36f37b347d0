"""Users, as whoever can write auth's database adds and changes them; beside a running shop and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.auth import accounts, sessions
from ecshop.auth.contract import AccountDisabled, NewUser, PasswordChange, User, UserChange, UserFilter, UserNotFound
from ecshop.auth.credentials import require_password
from ecshop.auth.models import Account
from ecshop.auth.module import MIGRATIONS
from ecshop.auth.passwords import Passwords, nobodys_hash
from ecshop.events.audit import COMMAND_LINE, note
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import ownership
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.file_lock import FileInUse
from ecshop.kernel.identity import Role
from ecshop.kernel.validation import NO_NUL, invalid, wrong
from entrypoints.databases import database_of
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")

_AUTH: Final = "auth"
_PAGE: Final = 100
_FIRST: Final = "admin"
"""Which nobody can sign up as."""


class SignInLink(NamedTuple):
    """Who is signed in by which place of the pages: once, and within a quarter of an hour."""

    user_name: str
    place: str


def add_user(settings: Settings, name: str, password: str, role: Role) -> User:
    """Raises `InvalidRequest` or `UserExists`."""
    new = _checked(NewUser, user_name=name, password=password)
    _migrate_unless_running(settings)
    password_hash = asyncio.run(Passwords().hash(new.password))
    return beside_the_shop(settings, _AUTH, lambda session: _add(session, new.user_name, password_hash, role))


def list_users(settings: Settings, beginning: str) -> list[User]:
    """Those whose names begin so. Raises `NoShop`."""
    return beside_the_shop(settings, _AUTH, partial(_all, wanted=UserFilter(beginning)))


def change_user(settings: Settings, name: str, change: UserChange) -> User:
    """Raises `UserNotFound` or `NoShop`."""
    return _of_name(settings, name, lambda session, account: accounts.change(session, None, account.id, change, now()))


def replace_password(settings: Settings, name: str, password: str) -> User:
    """For who has forgotten it; all sessions end. Raises `UserNotFound`, `InvalidRequest` or `NoShop`."""
    change = _checked(PasswordChange, current_password="", new_password=password)
    require_password(change, "new_password", name)
    password_hash = asyncio.run(Passwords().hash(change.new_password))
    return _of_name(settings, name, partial(_replace, password_hash=password_hash))


def link_for(settings: Settings, name: str) -> SignInLink:
    """By which NAME is signed in without a password. Raises `UserNotFound`, `AccountDisabled` or `NoShop`."""
    return _of_name(settings, name, _link)


def link_for_first_admin(settings: Settings) -> SignInLink:
    """The one who was there first; one without a password is made where there is none yet. Raises `NoShop`."""
    return beside_the_shop(settings, _AUTH, lambda session: _link(session, _first_admin(session)))


def _first_admin(session: Session) -> Account:
    admins = select(Account).where(Account.role == Role.ADMIN.value, Account.disabled_at.is_(None))
    found = session.scalar(admins.order_by(Account.id).limit(1)) or accounts.by_name(session, _FIRST)
    if found is None:
        added = _add(session, _FIRST, nobodys_hash(), Role.ADMIN)
        found = session.get_one(Account, added.id)
    return found


def _link(session: Session, account: Account) -> SignInLink:
    begun = sessions.begin_for_link(session, account.id, now())
    if begun is None:
        raise AccountDisabled(f"{account.user_name} is disabled; enable the account first")
    return SignInLink(account.user_name, f"/shop/link?token={begun.refresh_token}")


def _add(session: Session, name: str, password_hash: str, role: Role) -> User:
    added = accounts.add(session, name, password_hash, role, now())
    note(session, None, "user.added", f"user {added.id}", after={"role": role.value}, role=COMMAND_LINE)
    return added


def _all(session: Session, wanted: UserFilter) -> list[User]:
    page = accounts.list_users(session, wanted, None, _PAGE)
    found = list(page.items)
    while page.next_cursor:
        page = accounts.list_users(session, wanted, page.next_cursor, _PAGE)
        found += page.items
    return found


def _replace(session: Session, account: Account, password_hash: str) -> User:
    accounts.replace_password(session, None, account.id, password_hash)
    sessions.end_others(session, account.id, now())
    return accounts.get(session, account.id)


def _of_name(settings: Settings, name: str, change: Callable[[Session, Account], R]) -> R:
    def run(session: Session) -> R:
        account = accounts.by_name(session, name)
        if account is None:
            raise UserNotFound(f"nobody is called {name}")
        return change(session, account)

    return beside_the_shop(settings, _AUTH, run)


def _checked(type_: type[T], **fields: Any) -> T:
    """Raises `InvalidRequest`."""
    for field, text in fields.items():
        _check_text(field, text)
    try:
        return msgspec.convert(fields, type_)
    except msgspec.ValidationError as cause:
        raise invalid(cause, type_) from None


def _check_text(field: str, text: str) -> None:
    """What a terminal can hand over and a request cannot."""
    if "\0" in text:
        raise wrong(field, NO_NUL)
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise wrong(field, "must be UTF-8") from cause


def _migrate_unless_running(settings: Settings) -> None:
    database = database_of(settings, _AUTH)
    try:
        with ownership(database.url):
            migrate(database.engine, MIGRATIONS)
    except FileInUse:
        pass  # the running shop has migrated it
    finally:
        database.engine.dispose()
