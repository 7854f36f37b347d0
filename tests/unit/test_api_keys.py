"""A machine's key is good for some of what its maker may do, and ends for more reasons than one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from ecshop.auth.api_keys import MOST
from ecshop.auth.contract import (
    ApiKey,
    ApiKeyNotFound,
    InvalidApiKey,
    NewApiKey,
    ScopeNotGranted,
    TooManyApiKeys,
    UserChange,
)
from ecshop.auth.models import Account
from ecshop.kernel.api_keys import LentTokens
from ecshop.kernel.errors import Forbidden, Unauthenticated, Unavailable
from ecshop.kernel.identity import Actor, Role, require_key_scope
from ecshop.kernel.validation import Wrong
from tests.unit.accounts import Auth

pytestmark = pytest.mark.anyio

NEW = NewApiKey("the till", ("order.write", "order.read"), days=30)


async def owner(auth: Auth, role: Role = Role.CUSTOMER) -> Actor:
    await auth.user("aoi", role)
    return await auth.actor(await auth.log_in("aoi"))


def key_of(made: ApiKey) -> str:
    assert isinstance(made.key, str)
    return made.key


async def test_a_key_acts_in_the_name_of_its_maker_and_is_good_for_its_scopes(auth: Auth) -> None:
    maker = await owner(auth)
    made = await auth.service.make_key(maker, NEW)
    actor = await auth.verifier.actor(key_of(made))
    assert (actor.user_id, actor.role, actor.session) == (maker.user_id, Role.CUSTOMER, made.id)
    require_key_scope(actor, "order.read")
    for refused in ("stock.write", None):
        with pytest.raises(Forbidden):
            require_key_scope(actor, refused)
        require_key_scope(maker, refused)


async def test_nobody_grants_what_he_does_not_have(auth: Auth) -> None:
    customer = await owner(auth)
    with pytest.raises(ScopeNotGranted) as refusal:
        await auth.service.make_key(customer, NewApiKey("too much", ("order.read", "stock.write")))
    assert refusal.value.fields == {"may_grant": ["order.read", "order.write", "stock.read"]}
    with pytest.raises(ScopeNotGranted):
        await auth.service.make_key(customer, NewApiKey("unknown", ("everything",)))
    assert (await auth.service.keys_of(customer)).items == ()


async def test_a_key_is_shown_once_and_listed_without_it(auth: Auth) -> None:
    maker = await owner(auth)
    made = await auth.service.make_key(maker, NEW)
    [listed] = (await auth.service.keys_of(maker)).items
    assert (listed.id, listed.name, listed.scopes, listed.used_at) == (
        made.id,
        "the till",
        ("order.read", "order.write"),
        None,
    )
    assert not isinstance(listed.key, str)
    await auth.service.exchange_key(key_of(made))
    [listed] = (await auth.service.keys_of(maker)).items
    assert listed.used_at == auth.moment


async def test_no_key_is_in_the_database(auth: Auth) -> None:
    made = await auth.service.make_key(await owner(auth), NEW)

    def everything(session: Session) -> str:
        return str(session.execute(text("SELECT * FROM api_key")).all()) + str(
            session.execute(text("SELECT * FROM audit")).all()
        )

    kept = await auth.database.read(everything)
    assert key_of(made) not in kept
    assert key_of(made)[-30:] not in kept


async def test_an_account_has_so_many_keys_and_an_ended_one_makes_room(auth: Auth) -> None:
    maker = await owner(auth)
    made = [await auth.service.make_key(maker, NEW) for _ in range(MOST)]
    with pytest.raises(TooManyApiKeys):
        await auth.service.make_key(maker, NEW)
    await auth.service.end_key(maker, made[3].id)
    await auth.service.make_key(maker, NEW)


async def test_somebody_elses_key_is_none_of_mine(auth: Auth) -> None:
    made = await auth.service.make_key(await owner(auth), NEW)
    await auth.user("ben")
    with pytest.raises(ApiKeyNotFound):
        await auth.service.end_key(await auth.actor(await auth.log_in("ben")), made.id)
    await auth.service.exchange_key(key_of(made))


async def test_a_key_ends_after_its_days_and_so_do_its_tokens(auth: Auth) -> None:
    made = await auth.service.make_key(await owner(auth), NEW)
    auth.pass_by(days=29, hours=23, minutes=59, seconds=50.5)
    assert (await auth.service.exchange_key(key_of(made))).expires_in == 10
    auth.pass_by(seconds=9.5)
    with pytest.raises(InvalidApiKey):
        await auth.service.exchange_key(key_of(made))


ENDINGS: dict[str, Callable[[Auth, Actor], Any]] = {
    "deleted": lambda auth, owner: auth.run(delete(Account).where(Account.id == owner.user_id)),
    "disabled": lambda auth, owner: auth.run(
        update(Account).where(Account.id == owner.user_id).values(disabled_at=datetime.now(UTC))
    ),
    "of another role": lambda auth, owner: auth.service.change_user(
        Actor(uuid4(), Role.ADMIN), owner.user_id, UserChange(role=Role.STAFF)
    ),
}


@pytest.mark.parametrize("account", ENDINGS)
async def test_a_key_ends_with_what_its_maker_was(auth: Auth, account: str) -> None:
    maker = await owner(auth)
    made = await auth.service.make_key(maker, NEW)
    await auth.verifier.actor(key_of(made))
    await ENDINGS[account](auth, maker)
    with pytest.raises(InvalidApiKey):
        await auth.service.exchange_key(key_of(made))
    assert made.id in (await auth.service.ended_sessions(None)).sessions


async def test_what_has_ended_long_ago_is_forgotten(auth: Auth) -> None:
    maker = await owner(auth)
    made = await auth.service.make_key(maker, NEW)
    await auth.service.end_key(maker, made.id)
    auth.pass_by(days=2)
    forgetting = asyncio.create_task(auth.service.forget_sessions(every=0))
    while await auth.database.read(lambda session: session.execute(text("SELECT id FROM api_key")).all()):
        await asyncio.sleep(0.01)
    forgetting.cancel()


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "a\x1bb", "x" * 101])
async def test_a_key_has_a_name_that_can_be_read(name: str) -> None:
    with pytest.raises(Wrong):
        NewApiKey(name, ("order.read",))


class Auths:
    """Counts who asks, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = 0, asyncio.Event()

    async def exchange(self, key: str) -> Any:
        self.asked += 1
        await self.answer.wait()
        raise Unauthenticated(f"no {key}")


async def test_auth_is_asked_once_by_all_who_show_a_key_and_not_again_for_a_while() -> None:
    auths = Auths()
    lent = LentTokens(auths.exchange)
    key = "ek_" + "A" * 64
    asking = [asyncio.create_task(lent.token_of(key)) for _ in range(100)]
    await asyncio.sleep(0)
    auths.answer.set()
    answers = await asyncio.gather(*asking, lent.token_of(key), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthenticated}
    assert auths.asked == 1


@pytest.mark.parametrize("key", ["ek_", "ek_x", "ek_" + "A" * 63, "ek_" + "A" * 65, "ek_" + "\u0661" * 64])
async def test_what_is_no_key_is_refused_before_auth_is_asked(key: str) -> None:
    auths = Auths()
    with pytest.raises(Unauthenticated):
        await LentTokens(auths.exchange).token_of(key)
    assert auths.asked == 0


async def test_a_key_that_is_known_is_good_while_auth_is_away_and_another_one_is_asked_for_later(auth: Auth) -> None:
    made = await auth.service.make_key(await owner(auth), NEW)
    is_away = False

    async def exchange(key: str) -> Any:
        if is_away:
            raise Unavailable
        return await auth.service.exchange_key(key)

    lent = LentTokens(exchange)
    token = await lent.token_of(key_of(made))
    is_away = True
    assert await lent.token_of(key_of(made)) == token
    with pytest.raises(Unavailable):
        await lent.token_of("ek_" + "A" * 64)


async def test_a_refusal_that_took_long_to_come_is_one_all_the_same() -> None:
    moment, asked = 0.0, 0

    async def exchange(_: str) -> Any:
        nonlocal moment, asked
        moment, asked = moment + 60, asked + 1
        raise Unauthenticated("that is no API key")

    lent = LentTokens(exchange, lambda: moment)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await lent.token_of("ek_" + "A" * 64)
    assert asked == 1


async def test_a_crowd_of_keys_that_are_none_pushes_none_out_that_is_good(auth: Auth) -> None:
    made = await auth.service.make_key(await owner(auth), NEW)
    asked: list[str] = []

    async def exchange(key: str) -> Any:
        asked.append(key)
        return await auth.service.exchange_key(key)

    lent = LentTokens(exchange)
    token = await lent.token_of(key_of(made))
    for number in range(1100):
        with pytest.raises(Unauthenticated):
            await lent.token_of(f"ek_{number:064}")
    assert await lent.token_of(key_of(made)) == token
    assert asked.count(key_of(made)) == 1
