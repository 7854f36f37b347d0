"""What a login begins: a session, kept up by refresh tokens (RFC 6749, section 1.5; RFC 9700, section 4.14).

Each function runs inside somebody's transaction.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Select, delete, or_, select, union_all, update
from sqlalchemy.orm import Session

from ecshop.auth import opaque
from ecshop.auth.contract import SIGN_IN_LINK, InvalidRefreshToken, SessionNotFound, SignedIn, Visitor
from ecshop.auth.models import Account, ApiKeyRow, SessionRow
from ecshop.events.audit import COMMAND_LINE, note
from ecshop.kernel.db.columns import affected_rows
from ecshop.kernel.ended_sessions import EndedSessions
from ecshop.kernel.identity import Actor, Role

GRACE: Final = timedelta(seconds=10)
"""In which a refresh token may come again: its answer was lost, or two pages asked at once."""
MOST: Final = 20
"""That an account has at a time; one more ends the one that was used least lately."""
LINK_IS_GOOD: Final = timedelta(minutes=15)
_MOST_TOLD: Final = 10_000
_FORGOTTEN_AT_ONCE: Final = 500
_PREFIX: Final = "er_"


class Lifetime(NamedTuple):
    """How long a session lasts at most, and how long without being refreshed."""

    whole: timedelta
    idle: timedelta

    def end(self, begun: datetime, moment: datetime) -> datetime:
        """Of a session that is used at that moment, and not again."""
        return min(begun + self.whole, moment + self.idle)


class Begun(NamedTuple):
    """A session, whose it is, and the refresh token that keeps it up."""

    id: UUID
    account: Account
    refresh_token: str


def begin(session: Session, account_id: UUID, visitor: Visitor, moment: datetime, lifetime: Lifetime) -> Begun | None:
    """None if the account is gone or disabled by now."""
    begun = _begin(session, account_id, visitor, moment, lifetime)
    if begun is not None:
        actor = Actor(account_id, Role(begun.account.role), session=begun.id)
        note(session, actor, "user.logged_in", user(account_id))
    return begun


def begin_for_link(session: Session, account_id: UUID, moment: datetime) -> Begun | None:
    """As `begin`, for who has no password at hand: the refresh token signs in whoever comes with it in time.

    It is good for once as any: should two come with it, the session ends.
    """
    begun = _begin(session, account_id, Visitor(agent=SIGN_IN_LINK), moment, Lifetime(LINK_IS_GOOD, LINK_IS_GOOD))
    if begun is not None:
        note(session, None, "user.link_made", user(account_id), role=COMMAND_LINE)
    return begun


def _begin(session: Session, account_id: UUID, visitor: Visitor, moment: datetime, lifetime: Lifetime) -> Begun | None:
    account = session.get(Account, account_id, with_for_update=True)
    if account is None or account.disabled_at is not None:
        return None
    _make_room(session, account_id, moment)
    id_, secret = uuid4(), opaque.new_secret()
    session.add(
        SessionRow(
            id=id_,
            user_id=account_id,
            secret_hash=opaque.hash_of(secret),
            salt=opaque.new_secret(),
            address=visitor.address,
            agent=visitor.agent,
            begun_at=moment,
            used_at=moment,
            expires_at=lifetime.end(moment, moment),
        )
    )
    return Begun(id_, account, opaque.written(_PREFIX, id_, secret))


def refresh(session: Session, refresh_token: str, moment: datetime, lifetime: Lifetime) -> Begun | None:
    """A token is good for once, and so is its successor; None if it was used before, and then its session has ended.

    The successor is made of the token itself: whoever comes again within `GRACE` gets the same one. Raises
    `InvalidRefreshToken`.
    """
    token = opaque.read(_PREFIX, refresh_token)
    if token is None:
        raise InvalidRefreshToken("that is no refresh token; log in again")
    id_, secret = token
    row = session.scalar(select(SessionRow).where(SessionRow.id == id_).with_for_update())
    if row is None or row.ended_at is not None or row.expires_at <= moment:
        raise InvalidRefreshToken("the session has ended; log in again")
    presented = opaque.hash_of(secret)
    is_current = hmac.compare_digest(presented, row.secret_hash)
    is_repeat = hmac.compare_digest(presented, row.former_hash or b"") and moment - row.used_at <= GRACE
    if not is_current and not is_repeat:
        row.ended_at = moment
        note(session, None, "session.stolen", user(row.user_id), before={"session": row.id})
        return None
    account = session.get_one(Account, row.user_id)
    successor = hmac.digest(row.salt, secret, "sha256")
    if is_current:
        row.former_hash, row.secret_hash, row.used_at = presented, opaque.hash_of(successor), moment
        row.expires_at = lifetime.end(row.begun_at, moment)
    return Begun(row.id, account, opaque.written(_PREFIX, row.id, successor))


def open_sessions(session: Session, user_id: UUID, moment: datetime, current: UUID | None) -> tuple[SignedIn, ...]:
    """The one that was used last comes first."""
    rows = session.scalars(_open(user_id, moment).order_by(SessionRow.used_at.desc(), SessionRow.id)).all()
    return tuple(
        SignedIn(row.id, row.begun_at, row.used_at, row.expires_at, row.address, row.agent, row.id == current)
        for row in rows
    )


def end(session: Session, actor: Actor, user_id: UUID, id_: UUID, moment: datetime) -> None:
    """Raises `SessionNotFound`, also for somebody else's than the user's."""
    ending = update(SessionRow).where(
        SessionRow.id == id_, SessionRow.user_id == user_id, SessionRow.ended_at.is_(None)
    )
    if not affected_rows(session.execute(ending.values(ended_at=moment))):
        raise SessionNotFound("there is no such session, or it has ended")
    note(session, actor, "session.ended", user(user_id), before={"session": id_})


def end_all(session: Session, actor: Actor, moment: datetime) -> None:
    end_others(session, actor.user_id, moment)
    note(session, actor, "sessions.ended", user(actor.user_id))


def end_others(session: Session, user_id: UUID, moment: datetime, *, but: UUID | None = None) -> None:
    ending = update(SessionRow).where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None))
    if but is not None:
        ending = ending.where(SessionRow.id != but)
    session.execute(ending.values(ended_at=moment))


def ended_since(session: Session, since: datetime, moment: datetime) -> EndedSessions:
    """With the API keys, in the order in which they ended: the first of them, where they are many."""
    ended = union_all(
        *(select(rows.id, rows.ended_at).where(rows.ended_at >= since) for rows in (SessionRow, ApiKeyRow))
    )
    rows = session.execute(ended.order_by("ended_at").limit(_MOST_TOLD)).all()
    until = rows[-1].ended_at if len(rows) == _MOST_TOLD else moment
    return EndedSessions(tuple(row[0] for row in rows), until)


def forget(session: Session, oldest: datetime) -> int:
    """Some that ended or expired before, API keys too; returns how many."""
    return sum(_forget(session, rows, oldest) for rows in (SessionRow, ApiKeyRow))


def user(user_id: UUID) -> str:
    """As the audit trail names whom something was done to."""
    return f"user {user_id}"


def _forget(session: Session, rows: type[SessionRow | ApiKeyRow], oldest: datetime) -> int:
    gone = select(rows.id).where(or_(rows.ended_at < oldest, rows.expires_at < oldest)).limit(_FORGOTTEN_AT_ONCE)
    return affected_rows(session.execute(delete(rows).where(rows.id.in_(gone))))


def _make_room(session: Session, user_id: UUID, moment: datetime) -> None:
    least_lately = _open(user_id, moment).order_by(SessionRow.used_at.desc(), SessionRow.id).offset(MOST - 1)
    for row in session.scalars(least_lately).all():
        row.ended_at = moment


def _open(user_id: UUID, moment: datetime) -> Select[SessionRow]:
    return select(SessionRow).where(
        SessionRow.user_id == user_id, SessionRow.ended_at.is_(None), SessionRow.expires_at > moment
    )
