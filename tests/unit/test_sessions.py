"""A session lives by refresh tokens that are good for once, and ends for more reasons than a logout."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from ecshop.auth.contract import (
    InvalidCredentials,
    InvalidRefreshToken,
    Login,
    NoSession,
    PasswordChange,
    SessionNotFound,
    Visitor,
    WrongPassword,
)
from ecshop.auth.models import Account, SessionRow
from ecshop.auth.sessions import GRACE, LINK_IS_GOOD, MOST, begin_for_link
from ecshop.kernel.errors import InvalidRequest
from ecshop.kernel.identity import Actor, Role
from tests.unit.accounts import DAYS, IDLE_DAYS, PASSWORD, Auth

pytestmark = pytest.mark.anyio


async def test_a_login_begins_a_session_and_its_tokens_say_which(auth: Auth) -> None:
    user = await auth.user()
    token = await auth.log_in(visitor=Visitor("192.0.2.1", "a browser"))
    actor = await auth.actor(token)
    assert (actor.user_id, actor.role) == (user.id, Role.CUSTOMER)
    [session] = (await auth.service.sessions_of(actor)).items
    assert (session.id, session.address, session.agent, session.is_current) == (
        actor.session,
        "192.0.2.1",
        "a browser",
        True,
    )


async def test_a_refresh_token_is_good_for_once_and_its_successor_too(auth: Auth) -> None:
    await auth.user()
    token, seen = await auth.log_in(), set()
    for _ in range(5):
        seen.add(token.refresh_token)
        auth.pass_by(minutes=5)
        token = await auth.refresh(token)
    assert len(seen) == 5
    assert token.refresh_token not in seen
    assert (await auth.actor(token)).session is not None


async def test_within_its_grace_a_used_token_brings_the_same_successor(auth: Auth) -> None:
    await auth.user()
    first = await auth.log_in()
    answers = await asyncio.gather(*(auth.refresh(first) for _ in range(20)))
    auth.pass_by(seconds=GRACE.total_seconds())
    answers.append(await auth.refresh(first))
    assert len({token.refresh_token for token in answers}) == 1
    assert not await auth.is_ended(await auth.refresh(answers[0]))


async def test_a_token_that_comes_again_later_ends_the_session_for_whoever_has_the_next_one(auth: Auth) -> None:
    await auth.user()
    stolen = await auth.log_in()
    owners = await auth.refresh(stolen)
    auth.pass_by(seconds=GRACE.total_seconds() + 1)
    with pytest.raises(InvalidRefreshToken):
        await auth.refresh(stolen)
    assert await auth.is_ended(owners)


async def test_a_session_ends_by_itself_however_often_it_was_refreshed(auth: Auth) -> None:
    await auth.user()
    token = await auth.log_in()
    for _ in range(DAYS):
        token = await auth.refresh(token)
        auth.pass_by(days=1)
    with pytest.raises(InvalidRefreshToken):
        await auth.refresh(token)


async def test_a_session_that_nobody_uses_ends_earlier(auth: Auth) -> None:
    await auth.user()
    used, left = await auth.log_in(), await auth.log_in()
    auth.pass_by(days=IDLE_DAYS - 1)
    used = await auth.refresh(used)
    auth.pass_by(days=2)
    [session] = (await auth.service.sessions_of(await auth.actor(used))).items
    assert session.expires_at == auth.moment + timedelta(days=IDLE_DAYS - 2)
    with pytest.raises(InvalidRefreshToken):
        await auth.refresh(left)


@pytest.mark.parametrize(
    "change",
    [lambda t: t[:-1], lambda t: t + "A", lambda _: "er_" + "A" * 64, lambda _: "er_\u00e9", lambda _: "", str.upper],
)
async def test_what_is_no_refresh_token_is_refused_and_ends_nothing(auth: Auth, change: Callable[[str], str]) -> None:
    await auth.user()
    token = await auth.log_in()
    with pytest.raises(InvalidRefreshToken):
        await auth.service.refresh(change(str(token.refresh_token)))
    assert not await auth.is_ended(token)


async def test_no_refresh_token_is_in_the_database(auth: Auth) -> None:
    await auth.user()
    token = await auth.refresh(await auth.log_in())

    def values(session: Session) -> list[Any]:
        [row] = session.execute(text("SELECT * FROM session"))
        return list(row)

    whole = urlsafe_b64decode(str(token.refresh_token).removeprefix("er_"))
    kept = [value for value in await auth.database.read(values) if isinstance(value, bytes)]
    assert len(kept) >= 3
    assert not any(whole[16:] in value for value in kept)


async def test_a_logout_ends_this_session_and_everywhere_ends_all(auth: Auth) -> None:
    await auth.user()
    await auth.user("ren")
    here, there, elsewhere = [await auth.log_in() for _ in range(3)]
    other = await auth.log_in("ren")
    await auth.service.log_out(await auth.actor(here))
    assert [await auth.is_ended(token) for token in (here, there, elsewhere)] == [True, False, False]
    await auth.service.log_out(await auth.actor(there), everywhere=True)
    assert [await auth.is_ended(token) for token in (there, elsewhere, other)] == [True, True, False]


async def test_a_token_without_a_session_cannot_log_out_of_one(auth: Auth) -> None:
    user = await auth.user()
    with pytest.raises(NoSession):
        await auth.service.log_out(Actor(user.id, user.role))


async def test_a_session_is_ended_by_its_owner_alone_and_once(auth: Auth) -> None:
    await auth.user()
    await auth.user("ren")
    own, others = await auth.actor(await auth.log_in()), await auth.actor(await auth.log_in("ren"))
    assert own.session
    with pytest.raises(SessionNotFound):
        await auth.service.end_session(others, own.session)
    await auth.service.end_session(own, own.session)
    with pytest.raises(SessionNotFound):
        await auth.service.end_session(own, own.session)


async def test_one_login_too_many_ends_the_session_that_was_used_least_lately(auth: Auth) -> None:
    await auth.user()
    tokens = []
    for _ in range(MOST):
        tokens.append(await auth.log_in())
        auth.pass_by(seconds=1)
    tokens[0] = await auth.refresh(tokens[0])
    auth.pass_by(seconds=1)
    tokens.append(await auth.log_in())
    ended = [await auth.is_ended(token) for token in tokens]
    assert [place for place, is_ended in enumerate(ended) if is_ended] == [1]


@pytest.mark.parametrize(
    "change",
    [
        update(Account).values(role="staff"),
        update(Account).values(disabled_at=datetime.now(UTC)),
        delete(Account),
    ],
)
async def test_whoever_changes_the_account_by_whatever_means_ends_its_sessions(auth: Auth, change: Any) -> None:
    user = await auth.user()
    await auth.user("ren")
    token, other = await auth.log_in(), await auth.log_in("ren")
    await auth.run(change.where(Account.id == user.id))
    assert await auth.is_ended(token)
    assert not await auth.is_ended(other)


async def test_a_new_password_ends_all_other_sessions(auth: Auth) -> None:
    await auth.user()
    here, there = await auth.log_in(), await auth.log_in()
    await auth.service.change_password(await auth.actor(here), PasswordChange(PASSWORD, "another horse battery"))
    assert (await auth.is_ended(here), await auth.is_ended(there)) == (False, True)
    with pytest.raises(InvalidCredentials):
        await auth.log_in()
    await auth.service.log_in(Login("aoi", "another horse battery"))


async def test_a_password_is_changed_by_who_knows_it_and_not_to_the_name(auth: Auth) -> None:
    await auth.user("aoi-tanaka")
    actor = await auth.actor(await auth.log_in("aoi-tanaka"))
    with pytest.raises(WrongPassword):
        await auth.service.change_password(actor, PasswordChange("guessed", "another horse battery"))
    with pytest.raises(InvalidRequest):
        await auth.service.change_password(actor, PasswordChange(PASSWORD, "aoi-tanaka1"))
    await auth.log_in("aoi-tanaka")


async def test_what_ended_long_ago_is_forgotten(auth: Auth) -> None:
    await auth.user()
    ended, kept = await auth.log_in(), await auth.log_in()
    await auth.service.log_out(await auth.actor(ended))
    auth.pass_by(days=2)
    forgetting = asyncio.create_task(auth.service.forget_sessions(every=0))

    def count(session: Session) -> int:
        return session.query(SessionRow).count()

    while await auth.database.read(count) > 1:
        await asyncio.sleep(0)
    forgetting.cancel()
    assert (await auth.refresh(kept)).refresh_token


async def test_a_link_signs_in_once_and_only_in_time(auth: Auth) -> None:
    user = await auth.user()
    links = [await auth.database.write(begin_for_link, user.id, auth.moment) for _ in range(2)]
    tokens = [begun.refresh_token for begun in links if begun is not None]
    auth.moment += LINK_IS_GOOD - timedelta(seconds=1)
    actor = await auth.actor(await auth.service.refresh(tokens[0]))
    assert actor.user_id == user.id
    auth.moment += timedelta(seconds=1)
    with pytest.raises(InvalidRefreshToken):
        await auth.service.refresh(tokens[1])
    auth.moment += GRACE
    with pytest.raises(InvalidRefreshToken):
        await auth.service.refresh(tokens[0])
    assert (await auth.service.sessions_of(actor)).items == ()
