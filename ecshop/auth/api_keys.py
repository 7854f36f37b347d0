"""Keys for machines, which act in the name of who made them. Each function runs inside somebody's transaction."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from msgspec import UNSET
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from ecshop.auth import opaque
from ecshop.auth.contract import (
    ApiKey,
    ApiKeyNotFound,
    InvalidApiKey,
    NewApiKey,
    ScopeNotGranted,
    TooManyApiKeys,
    UserNotFound,
)
from ecshop.auth.models import Account, ApiKeyRow
from ecshop.auth.sessions import user
from ecshop.events.audit import note
from ecshop.kernel.api_keys import PREFIX
from ecshop.kernel.db.columns import affected_rows
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.identity import Actor, Role

MOST: Final = 20
"""That an account has at a time."""

Scopes = Mapping[str, Role]
"""What a key may be good for, and which role somebody needs to give it that."""


def make(session: Session, actor: Actor, new: NewApiKey, scopes: Scopes, moment: datetime) -> ApiKey:
    """Raises `ScopeNotGranted`, `TooManyApiKeys` or `UserNotFound`."""
    account = session.get(Account, actor.user_id, with_for_update=True)
    if account is None or account.disabled_at is not None:
        raise UserNotFound("the token's user is no longer there")
    granted = granted_to(actor.role, scopes)
    if not set(new.scopes) <= set(granted):
        raise ScopeNotGranted(f"you may grant: {', '.join(granted)}", may_grant=granted)
    if len(good_keys(session, actor.user_id, moment)) >= MOST:
        raise TooManyApiKeys(f"at most {MOST} at a time")
    secret = opaque.new_secret()
    row = ApiKeyRow(
        id=uuid4(),
        user_id=actor.user_id,
        name=new.name,
        scopes=" ".join(sorted(set(new.scopes))),
        secret_hash=opaque.hash_of(secret),
        made_at=moment,
        expires_at=moment + timedelta(days=new.days),
    )
    session.add(row)
    session.flush()
    told = {"key": row.id, "name": row.name, "scopes": row.scopes, "expires_at": row.expires_at}
    note(session, actor, "api_key.made", user(actor.user_id), after=told)
    return _shown(row, key=opaque.written(PREFIX, row.id, secret))


def granted_to(role: Role, scopes: Scopes) -> list[str]:
    """What somebody of that role may give a key."""
    return sorted(scope for scope, needed in scopes.items() if role.includes(needed))


def good_keys(session: Session, user_id: UUID, moment: datetime) -> tuple[ApiKey, ...]:
    """The newest first."""
    newest_first = _good(user_id, moment).order_by(ApiKeyRow.made_at.desc(), ApiKeyRow.id)
    return tuple(_shown(row) for row in session.scalars(newest_first))


def end(session: Session, actor: Actor, id_: UUID, moment: datetime) -> None:
    """Raises `ApiKeyNotFound`, also for somebody else's."""
    mine = update(ApiKeyRow).where(
        ApiKeyRow.id == id_, ApiKeyRow.user_id == actor.user_id, ApiKeyRow.ended_at.is_(None)
    )
    if not affected_rows(session.execute(mine.values(ended_at=moment))):
        raise ApiKeyNotFound("you have no API key of that id")
    note(session, actor, "api_key.ended", user(actor.user_id), before={"key": id_})


def use(session: Session, key_id: UUID, moment: datetime) -> None:
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(used_at=moment))


def find(session: Session, key: str, moment: datetime) -> tuple[ApiKeyRow, Role]:
    """The key, and the role of whose it is. Raises `InvalidApiKey`."""
    id_, secret = opaque.read(PREFIX, key) or (None, b"")
    row = session.get(ApiKeyRow, id_) if id_ is not None else None
    is_right = row is not None and hmac.compare_digest(row.secret_hash, opaque.hash_of(secret))
    if row is None or not is_right or row.ended_at is not None or row.expires_at <= moment:
        raise InvalidApiKey("the API key has ended, or there never was such a one")
    return row, Role(session.get_one(Account, row.user_id).role)


def _good(user_id: UUID, moment: datetime) -> Select[ApiKeyRow]:
    return select(ApiKeyRow).where(
        ApiKeyRow.user_id == user_id, ApiKeyRow.ended_at.is_(None), ApiKeyRow.expires_at > moment
    )


def _shown(row: ApiKeyRow, **key: str) -> ApiKey:
    return struct_of(ApiKey, row, **{"scopes": tuple(row.scopes.split()), "key": UNSET, **key})
