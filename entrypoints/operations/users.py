"""Users with a role, added by whoever can write auth's database."""

from __future__ import annotations

import asyncio

import msgspec

from ecshop.auth.contract import NewUser, User
from ecshop.auth.module import MIGRATIONS
from ecshop.auth.service import AuthService
from ecshop.kernel.db.engine import ownership
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.file_lock import FileInUse
from ecshop.kernel.identity import Role
from ecshop.kernel.validation import NO_NUL, invalid, wrong
from entrypoints.databases import database_of
from entrypoints.settings import Settings
from entrypoints.signing_keys import key_in_use


def add_user(settings: Settings, name: str, password: str, role: Role) -> User:
    """Works beside a running shop and without one. Raises `InvalidRequest` or `UserExists`."""
    for field, text in (("user_name", name), ("password", password)):
        _check_text(field, text)
    try:
        new = msgspec.convert({"user_name": name, "password": password}, NewUser)
    except msgspec.ValidationError as cause:
        raise invalid(cause, NewUser) from None
    _migrate_unless_running(settings)
    return asyncio.run(_add_user(settings, new, role))


def _check_text(field: str, text: str) -> None:
    """What a terminal can hand over and a request cannot."""
    if "\0" in text:
        raise wrong(field, NO_NUL)
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise wrong(field, "must be UTF-8") from cause


def _migrate_unless_running(settings: Settings) -> None:
    database = database_of(settings, "auth")
    try:
        with ownership(database.url):
            migrate(database.engine, MIGRATIONS)
    except FileInUse:
        pass  # the running shop has migrated it
    finally:
        database.engine.dispose()


async def _add_user(settings: Settings, new: NewUser, role: Role) -> User:
    database = database_of(settings, "auth", guest=True)
    database.open(MIGRATIONS)
    try:
        service = AuthService(
            database,
            key_in_use(settings, database),
            token_seconds=settings.token_seconds,
            free_guesses=settings.free_guesses,
            secrets={},
            grants={},
        )
        return await service.sign_up(new, role)
    finally:
        await database.close()
