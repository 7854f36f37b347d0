"""What the short commands do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar
from uuid import NAMESPACE_URL, uuid5

import msgspec
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from ecshop.auth.contract import NewUser, User
from ecshop.auth.keys import FILE, signing_key_in
from ecshop.auth.module import MIGRATIONS
from ecshop.auth.service import AuthService
from ecshop.events.dead_letters import list_letters
from ecshop.kernel.body import invalid
from ecshop.kernel.database import Database
from ecshop.kernel.engine import DatabaseInUse, open_engine, ownership, writing
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Role
from ecshop.kernel.migration import migrate
from ecshop.kernel.settings import Settings
from entrypoints.compose import CONTEXTS, compose

T = TypeVar("T")
Verdict = Callable[[Session, str], None]

_TOKEN_SECONDS: Final = 900


class NoShop(EcshopError, code="shop.missing", status=500):
    """No shop has ever run in this data folder."""


def migrate_all(settings: Settings) -> Iterator[str]:
    """Tells of each database whether there was anything to do. Raises `DatabaseInUse` while the shop runs."""
    for context in compose(settings).contexts:
        with ownership(context.database.url):
            changed = migrate(context.database.engine, context.migrations)
        yield f"{context.name}: {'migrated' if changed else 'up to date'}"


def local_token(settings: Settings, role: str) -> str:
    """A token for scripts of whoever can read the signing key; each role is a user of its own. Raises `NoShop`."""
    folder = Path(settings.data_dir)
    if not (folder / FILE).exists():
        raise NoShop(f"there is no signing key in {folder.absolute()}: start the shop first, or name its --data-dir")
    user_id = uuid5(NAMESPACE_URL, f"urn:ecshop:local:{role}")
    return signing_key_in(folder).token_for_user(user_id, Role(role), _TOKEN_SECONDS)


def add_user(settings: Settings, name: str, password: str, role: str) -> User:
    """Works beside a running shop and without one. Raises `InvalidRequest` or `UserExists`."""
    try:
        new = msgspec.convert({"user_name": name, "password": password}, NewUser)
    except msgspec.ValidationError as cause:
        raise invalid(cause) from None
    _migrated_unless_running(settings)
    return asyncio.run(_add_user(settings, new, Role(role)))


def dead_letters(settings: Settings) -> Iterator[str]:
    """A line for each dead letter: which context gave up on which event, when, and why."""
    for name in CONTEXTS:
        for letter in _beside_the_shop(settings, name, list_letters):
            told = f"{letter.buried_at:%Y-%m-%d %H:%M:%S}  {letter.attempts} tries  {letter.error}"
            yield f"{name:<8}  {letter.event_id}  {letter.type or 'undecodable'}  {told}"


def settle_dead_letter(settings: Settings, context: str, event_id: str, verdict: Verdict) -> None:
    """Raises `DeadLetterNotFound` or `DeadLetterUndecodable`."""
    _beside_the_shop(settings, context, lambda session: verdict(session, event_id))


def _beside_the_shop(settings: Settings, context: str, fn: Callable[[Session], T]) -> T:
    """One transaction on a context's database, whether or not its server runs. Raises `NoShop`."""
    url = settings.database_of(context)
    if not settings.database_url and not Path(str(make_url(url).database)).exists():
        raise NoShop(f"there is no {context} database in {Path(settings.data_dir).absolute()}")
    engine = open_engine(url, guest=True)
    try:
        with Session(writing(engine), expire_on_commit=False) as session, session.begin():
            return fn(session)
    finally:
        engine.dispose()


def _migrated_unless_running(settings: Settings) -> None:
    url = settings.database_of("auth")
    try:
        with ownership(url):
            engine = open_engine(url)
            migrate(engine, MIGRATIONS)
            engine.dispose()
    except DatabaseInUse:
        pass  # the running shop has migrated it


async def _add_user(settings: Settings, new: NewUser, role: Role) -> User:
    database = Database(settings.database_of("auth"), guest=True)
    database.open(MIGRATIONS)
    try:
        key = signing_key_in(Path(settings.data_dir))
        service = AuthService(database, key, token_seconds=_TOKEN_SECONDS, secrets={}, grants={})
        return await service.sign_up(new, role)
    finally:
        await database.close()
