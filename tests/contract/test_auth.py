"""Whatever claims to be an `AuthClient` must pass this file."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from msgspec import UNSET

from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.contract import (
    ApiKeyNotFound,
    AuthClient,
    GrantRefused,
    InvalidApiKey,
    InvalidClient,
    InvalidCredentials,
    InvalidRefreshToken,
    Login,
    NewApiKey,
    NewUser,
    OwnAccount,
    PasswordChange,
    ScopeNotGranted,
    SessionNotFound,
    UserChange,
    UserExists,
    UserFilter,
    UserNotFound,
    Visitor,
    WrongPassword,
)
from ecshop.kernel.errors import Forbidden, Unauthenticated
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import Verifier
from tests.contract.conftest import SECRET, Doors

pytestmark = pytest.mark.anyio


def request(**changes: str) -> ServiceTokenRequest:
    fields: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": "order",
        "client_secret": SECRET,
        "audience": "stock",
        "scope": "stock.reserve",
    }
    return ServiceTokenRequest(**(fields | changes))


async def test_it_satisfies_the_protocol(doors: Doors) -> None:
    assert isinstance(doors.auth, AuthClient)


async def test_the_public_keys_verify_the_shops_tokens(doors: Doors) -> None:
    actor = doors.actor(Role.STAFF)
    assert await Verifier(doors.auth.jwks).actor(actor.token) == actor


async def test_a_service_gets_a_token_for_one_callee_and_what_it_may_do_there(doors: Doors) -> None:
    token = await doors.auth.service_token(request())
    assert (token.token_type, token.scope) == ("bearer", "stock.reserve")
    assert 0 < token.expires_in <= 600
    caller = await Verifier(doors.auth.jwks, ["stock"]).caller(token.access_token)
    assert (caller.name, caller.scopes) == ("order", frozenset({"stock.reserve"}))
    with pytest.raises(Unauthenticated):
        await Verifier(doors.auth.jwks, ["product"]).caller(token.access_token)


@pytest.mark.parametrize("changes", [{"client_secret": "guessed"}, {"client_id": "nobody"}, {"client_id": "stock"}])
async def test_a_service_that_cannot_prove_itself_gets_no_token(doors: Doors, changes: dict[str, str]) -> None:
    with pytest.raises(InvalidClient) as refusal:
        await doors.auth.service_token(request(**changes))
    assert refusal.value.fields == {"error": "invalid_client"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"audience": "auth"}, "invalid_scope"),
        ({"scope": "product.quote"}, "invalid_scope"),
        ({"scope": "stock.reserve stock.everything"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
async def test_a_service_gets_no_token_for_more_than_it_was_granted(
    doors: Doors, changes: dict[str, str], error: str
) -> None:
    with pytest.raises(GrantRefused) as refusal:
        await doors.auth.service_token(request(**changes))
    assert refusal.value.fields == {"error": error}


async def test_a_user_learns_who_they_are(doors: Doors) -> None:
    user = await doors.accounts.sign_up(NewUser("aoi", "correct horse"), Role.STAFF)
    token = doors.key.token_for_user(user.id, user.role, 900)
    assert await doors.auth.me(Actor(user.id, user.role, token)) == user


async def test_people_sign_up_log_in_stay_and_leave(doors: Doors) -> None:
    name, verifier = f"u{uuid4()}", Verifier(doors.auth.jwks)
    user = await doors.auth.sign_up(NewUser(name, "correct horse"))
    with pytest.raises(UserExists):
        await doors.auth.sign_up(NewUser(name.upper(), "correct horse"))
    with pytest.raises(InvalidCredentials):
        await doors.auth.log_in(Login(name, "wrong horse"))
    token = await doors.auth.log_in(Login(name, "correct horse"), Visitor("192.0.2.1", "a browser"))
    actor = await verifier.actor(token.access_token)
    assert (actor.user_id, actor.role) == (user.id, Role.CUSTOMER)
    [session] = (await doors.accounts.sessions_of(actor)).items
    assert session.agent == "a browser"
    assert isinstance(token.refresh_token, str)
    refreshed = await doors.auth.refresh(token.refresh_token)
    with pytest.raises(WrongPassword):
        await doors.auth.change_password(actor, PasswordChange("wrong horse", "battery staple"))
    await doors.auth.change_password(actor, PasswordChange("correct horse", "battery staple"))
    await doors.auth.log_out(actor)
    assert isinstance(refreshed.refresh_token, str)
    with pytest.raises(InvalidRefreshToken):
        await doors.auth.refresh(refreshed.refresh_token)


async def test_sessions_that_end_are_told_to_whoever_verifies_tokens(doors: Doors) -> None:
    name = f"u{uuid4()}"
    await doors.accounts.sign_up(NewUser(name, "correct horse"))
    verifier = Verifier(doors.auth.jwks, ended=doors.auth.ended_sessions, check_every=0)
    token = await doors.accounts.log_in(Login(name, "correct horse"))
    actor = await verifier.actor(token.access_token)
    before = await doors.auth.ended_sessions(None)
    assert actor.session not in before.sessions
    await doors.accounts.log_out(actor)
    for since in (before.until, None):
        told = await doors.auth.ended_sessions(since)
        assert actor.session in told.sessions
        assert told.until >= before.until
    assert (await doors.auth.ended_sessions(told.until)).sessions == ()


async def test_an_api_key_is_exchanged_for_a_token_of_whoever_made_it(doors: Doors) -> None:
    user = await doors.accounts.sign_up(NewUser(f"u{uuid4()}", "correct horse"), Role.STAFF)
    owner = Actor(user.id, user.role)
    made = await doors.accounts.make_key(owner, NewApiKey("the till", ("stock.write", "order.read")))
    assert isinstance(made.key, str)
    lent = await doors.auth.exchange_key(made.key)
    assert (lent.scope, 0 < lent.expires_in <= 3600) == ("order.read stock.write", True)
    actor = await Verifier(doors.auth.jwks, exchange=doors.auth.exchange_key).actor(made.key)
    assert (actor.user_id, actor.role, actor.session) == (user.id, Role.STAFF, made.id)
    assert actor.scopes == frozenset({"order.read", "stock.write"})
    await doors.accounts.end_key(owner, made.id)
    with pytest.raises(InvalidApiKey):
        await doors.auth.exchange_key(made.key)
    assert made.id in (await doors.auth.ended_sessions(None)).sessions


async def test_a_user_who_is_gone_is_not_found(doors: Doors) -> None:
    with pytest.raises(UserNotFound):
        await doors.auth.me(doors.actor())


async def test_users_are_found_by_staff_alone(doors: Doors) -> None:
    users = [await doors.auth.sign_up(NewUser(f"{uuid4()}"[:30], "correct horse battery")) for _ in range(3)]
    wanted = UserFilter(user_id=tuple(user.id for user in users[:2]))
    found = await doors.auth.users(doors.actor(Role.STAFF), wanted, None, 10)
    assert {user.user_name for user in found.items} == {user.user_name for user in users[:2]}
    with pytest.raises(Forbidden):
        await doors.auth.users(doors.actor(), wanted, None, 10)


async def test_only_an_admin_changes_another_account(doors: Doors) -> None:
    user, admin = await doors.auth.sign_up(NewUser(f"{uuid4()}"[:30], "correct horse battery")), doors.actor(Role.ADMIN)
    changed = await doors.auth.change_user(admin, user.id, UserChange(role=Role.STAFF, disabled=True))
    assert (changed.role, changed.disabled) == (Role.STAFF, True)
    with pytest.raises(OwnAccount):
        await doors.auth.change_user(admin, admin.user_id, UserChange(role=Role.STAFF))
    with pytest.raises(UserNotFound):
        await doors.auth.change_user(admin, uuid4(), UserChange(role=Role.STAFF))
    with pytest.raises(Forbidden):
        await doors.auth.change_user(doors.actor(Role.STAFF), user.id, UserChange(role=Role.ADMIN))


async def test_who_is_signed_in_twice_sees_both_sessions_and_ends_one(doors: Doors) -> None:
    name = f"aoi-{uuid4()}"
    await doors.auth.sign_up(NewUser(name, "correct horse battery"))
    tokens = [await doors.auth.log_in(Login(name, "correct horse battery"), Visitor("", agent)) for agent in "ab"]
    verifier = Verifier(doors.auth.jwks)
    first, second = [await verifier.actor(token.access_token) for token in tokens]
    known = {one.agent: one for one in (await doors.auth.sessions_of(second)).items}
    assert {agent: one.is_current for agent, one in known.items()} == {"a": False, "b": True}
    await doors.auth.end_session(second, known["a"].id)
    assert [one.agent for one in (await doors.auth.sessions_of(second)).items] == ["b"]
    with pytest.raises(SessionNotFound):
        await doors.auth.end_session(second, known["a"].id)
    assert first.session == known["a"].id


async def test_an_admin_sees_where_somebody_is_signed_in_and_ends_that(doors: Doors) -> None:
    name, admin = f"aoi-{uuid4()}", doors.actor(Role.ADMIN)
    user = await doors.auth.sign_up(NewUser(name, "correct horse battery"))
    other = await doors.auth.sign_up(NewUser(f"{name}-2", "correct horse battery"))
    await doors.auth.log_in(Login(name, "correct horse battery"), Visitor("", "a"))
    [session] = (await doors.auth.sessions_of(admin, user.id)).items
    assert (session.agent, session.is_current) == ("a", False)
    assert (await doors.auth.sessions_of(admin, other.id)).items == ()
    with pytest.raises(SessionNotFound):
        await doors.auth.end_session(admin, session.id, other.id)
    for actor in (doors.actor(), doors.actor(Role.STAFF)):
        with pytest.raises(Forbidden):
            await doors.auth.sessions_of(actor, user.id)
        with pytest.raises(Forbidden):
            await doors.auth.end_session(actor, session.id, user.id)
    await doors.auth.end_session(admin, session.id, user.id)
    assert (await doors.auth.sessions_of(admin, user.id)).items == ()
    with pytest.raises(UserNotFound):
        await doors.auth.sessions_of(admin, uuid4())


async def test_an_api_key_is_made_listed_and_ended_by_its_owner(doors: Doors) -> None:
    name = f"aoi-{uuid4()}"
    await doors.auth.sign_up(NewUser(name, "correct horse battery"))
    token = await doors.auth.log_in(Login(name, "correct horse battery"))
    actor = await Verifier(doors.auth.jwks).actor(token.access_token)
    assert set((await doors.auth.keys_of(actor)).may_grant) == {"order.read", "order.write", "stock.read"}
    with pytest.raises(ScopeNotGranted):
        await doors.auth.make_key(actor, NewApiKey("the till", ("audit.read",)))
    made = await doors.auth.make_key(actor, NewApiKey("the till", ("order.read",)))
    assert isinstance(made.key, str)
    [listed] = (await doors.auth.keys_of(actor)).items
    assert (listed.id, listed.key) == (made.id, UNSET)
    await doors.auth.end_key(actor, made.id)
    assert (await doors.auth.keys_of(actor)).items == ()
    with pytest.raises(ApiKeyNotFound):
        await doors.auth.end_key(actor, made.id)
