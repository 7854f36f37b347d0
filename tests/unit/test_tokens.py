"""Tokens: which are good, for whom, and where they come from."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uuid_utils.compat import uuid7

from ecshop.kernel.ended_sessions import EndedSessions
from ecshop.kernel.errors import Forbidden, Unauthenticated
from ecshop.kernel.identity import Actor, Caller, Role
from ecshop.kernel.tokens import Verifier, audience_of, bearer_token
from tests.unit.issuer import Issuer, KeySource
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


async def test_a_good_token_names_the_person_who_calls(issuer: Issuer, verifier: Verifier) -> None:
    user_id = uuid7()
    token = issuer.key.token_for_user(user_id, Role.STAFF, 60)
    assert await verifier.actor(token) == Actor(user_id, Role.STAFF, token)


async def test_what_this_test_forges_with_the_right_key_is_good(issuer: Issuer, verifier: Verifier) -> None:
    assert (await verifier.actor(issuer.forged())).role is Role.CUSTOMER


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"iss": "another shop"},
        {"aud": "another shop"},
        {"aud": "ecshop.stock"},
        {"typ": "JWT"},
        {"role": "root"},
        {"sub": "nobody"},
        {"sub": 7},
        {"jti": 7},
        {"exp": 2**32},
        {"exp": str(2**31)},
        {"exp": 2.0**31},
        {"exp": True},
        {"exp": 2**70},
        {"iat": "0"},
        {"iat": -1},
        {"aud": ["ecshop"]},
        {"aud": ["ecshop", "ecshop.stock"]},
        {"role": ["admin"]},
        {"role": 7},
        {"note": "a" * 4000},
        *({"without": claim} for claim in ("exp", "iat", "iss", "aud", "sub", "jti", "role")),
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_or_missing_part_is_refused(
    wrong: dict[str, Any], issuer: Issuer, verifier: Verifier
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.forged(**wrong))


@pytest.mark.parametrize("size", [5_000, 2**20, 16 * 2**20])
async def test_a_token_that_is_too_long_is_not_even_parsed(size: int, issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.forged(note="a" * size)
    begun = time.process_time()
    with pytest.raises(Unauthenticated, match="longer"):
        await verifier.actor(token)
    assert time.process_time() - begun < 0.005 + size * 1e-9


async def test_an_expired_token_is_refused_as_such(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated, match="the token has expired; log in again"):
        await verifier.actor(issuer.token(seconds=-1))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_an_issuer_whose_clock_is_a_little_ahead_is_believed(
    issuer: Issuer, verifier: Verifier, claim: str
) -> None:
    await verifier.actor(issuer.forged(**_of_the_future(claim, 20)))
    with pytest.raises(Unauthenticated, match="clock"):
        await verifier.actor(issuer.forged(**_of_the_future(claim, 90)))


async def test_no_token_is_good_for_longer_than_it_says(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        await verifier.actor(issuer.forged(exp=int(time.time()) - 1))


async def test_another_key_under_the_same_key_id_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.forged(Ed25519PrivateKey.generate()))


async def test_an_unsigned_token_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.forged("", algorithm="none"))


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    for secret in (issuer.key.public.x.encode(), issuer.private.public_key().public_bytes_raw()):
        with pytest.raises(Unauthenticated):
            await verifier.actor(issuer.forged(secret, algorithm="HS256"))


async def test_a_changed_token_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    header, claims, signature = issuer.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"role": "admin"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        await verifier.actor(f"{header}.{forged}.{signature}")


NESTED = base64.urlsafe_b64encode(b"[" * 20_000).decode()


@pytest.mark.parametrize(
    "garbage",
    ["", ".", "..", "garbage", "a.b.c", "e30.e30.e30", "ü.ü.ü", "\ud800", "W10.e30.", "bnVsbA.e30.", f"{NESTED}.e30."],
    ids=lambda garbage: ascii(garbage[:20]),
)
async def test_garbage_is_refused(garbage: str, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(garbage)


async def test_a_remembered_token_expires(issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.token(seconds=2)
    await verifier.actor(token)

    async def refused() -> bool:
        try:
            await verifier.actor(token)
        except Unauthenticated:
            return True
        return False

    await eventually_async(refused, True)
    assert await refused()


async def test_a_services_token_is_good_for_its_callee(issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.key.token_for_service("order", audience_of("stock"), "stock.reserve stock.read", 60)
    assert await verifier.caller(token) == Caller("order", frozenset({"stock.reserve", "stock.read"}))


async def test_a_services_token_for_another_callee_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.caller(issuer.key.token_for_service("order", audience_of("product"), "product.quote", 60))


async def test_a_service_is_no_person_and_a_person_is_no_service(issuer: Issuer, verifier: Verifier) -> None:
    service = issuer.key.token_for_service("order", audience_of("stock"), "stock.reserve", 60)
    await verifier.caller(service)
    with pytest.raises(Unauthenticated):
        await verifier.actor(service)
    person = issuer.token(Role.ADMIN)
    await verifier.actor(person)
    for _ in range(2):
        with pytest.raises(Forbidden):
            await verifier.caller(person)
    with pytest.raises(Unauthenticated):
        await verifier.caller(issuer.token(Role.ADMIN, -1))


async def test_a_token_ends_with_its_session_for_who_knows_it_and_for_who_has_just_begun(
    issuer: Issuer, source: KeySource
) -> None:
    ended: dict[UUID, datetime] = {}

    async def told(since: datetime | None) -> EndedSessions:
        return EndedSessions(tuple(one for one, at in ended.items() if since is None or at >= since), datetime.now(UTC))

    session, other = uuid4(), uuid4()
    token, others = (issuer.key.token_for_user(uuid4(), Role.CUSTOMER, 60, one) for one in (session, other))
    verifier = Verifier(source, ended=told, check_every=0.01)
    watching = asyncio.create_task(verifier.watch())
    assert (await verifier.actor(token)).session == session
    ended[session] = datetime.now(UTC)

    async def is_refused() -> bool:
        try:
            await verifier.actor(token)
        except Unauthenticated:
            return True
        return False

    await eventually_async(is_refused, True)
    source.away = True
    assert await is_refused()
    await verifier.actor(others)
    watching.cancel()
    source.away = False
    with pytest.raises(Unauthenticated):
        await Verifier(source, ended=told).actor(token)


@pytest.mark.parametrize("session", ["", "not an id", 7, None, [], {}])
async def test_a_token_of_no_such_session_is_refused(issuer: Issuer, verifier: Verifier, session: Any) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.forged(sid=session))


async def test_where_no_service_may_call_every_services_token_is_refused(issuer: Issuer, source: KeySource) -> None:
    with pytest.raises(Unauthenticated):
        await Verifier(source).caller(issuer.key.token_for_service("order", audience_of("stock"), "stock.reserve", 60))


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER abc "])
async def test_the_token_comes_from_a_bearer_header(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
async def test_without_a_bearer_token_nobody_is_signed_in(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        bearer_token(header)


def _of_the_future(claim: str, seconds: int) -> Any:
    return {claim: int(time.time()) + seconds}
