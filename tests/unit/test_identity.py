"""Who is calling: which tokens are good, and how the keys that tell are kept."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uuid_utils.compat import uuid7

from ecshop.auth.keys import SigningKey
from ecshop.kernel import refreshing, tokens
from ecshop.kernel.errors import Forbidden, Unauthenticated, Unavailable
from ecshop.kernel.identity import Actor, Caller, Role, require_role, require_scope
from ecshop.kernel.tokens import JwkSet, Verifier, audience_of, bearer_token
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


class KeySource:
    """Stands for auth at the other end of a wire: it counts what it is asked, and can be away."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.calls, self.away = list(keys), 0, False

    async def __call__(self) -> JwkSet:
        self.calls += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("auth does not answer")
        return JwkSet(tuple(key.public for key in self.keys))


class Clock:
    def __init__(self) -> None:
        self.moment = 1000.0

    def monotonic(self) -> float:
        return self.moment

    def time(self) -> float:
        return time.time()


class Issuer:
    """Auth's key, and whatever can be forged with or without it."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = SigningKey(self.private)

    def token(self, role: Role = Role.CUSTOMER, seconds: float = 60) -> str:
        return self.key.token_for_user(uuid7(), role, seconds)

    def forged(
        self, secret: Any = None, *, algorithm: str = "EdDSA", without: str = "", typ: str = "at+jwt", **claims: Any
    ) -> str:
        """A token that would be good but for what is given."""
        issued = int(time.time())
        good = {"iss": "ecshop", "aud": "ecshop", "sub": str(uuid7()), "role": "customer", "jti": str(uuid7())}
        claims = good | {"iat": issued, "exp": issued + 60} | claims
        claims.pop(without, None)
        headers = {"kid": self.key.public.kid, "typ": typ}
        return jwt.encode(claims, self.private if secret is None else secret, algorithm=algorithm, headers=headers)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def source(issuer: Issuer) -> KeySource:
    return KeySource(issuer.key)


@pytest.fixture
def verifier(source: KeySource) -> Verifier:
    return Verifier(source, callees=["stock"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tokens, "time", clock)
    monkeypatch.setattr(refreshing, "time", clock)
    return clock


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
        *({"without": claim} for claim in ("exp", "iat", "iss", "aud", "sub", "jti", "role")),
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_or_missing_part_is_refused(
    wrong: dict[str, Any], issuer: Issuer, verifier: Verifier
) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.forged(**wrong))


async def test_an_expired_token_is_refused_as_such(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated, match="the token has expired; log in again"):
        await verifier.actor(issuer.token(seconds=-1))


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

    await eventually(refused)
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
    with pytest.raises(Unauthenticated):
        await verifier.caller(person)


async def test_where_no_service_may_call_every_services_token_is_refused(issuer: Issuer, source: KeySource) -> None:
    with pytest.raises(Unauthenticated):
        await Verifier(source).caller(issuer.key.token_for_service("order", audience_of("stock"), "stock.reserve", 60))


async def test_many_requests_before_the_first_key_fetch_it_once(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    await asyncio.gather(*(verifier.actor(issuer.token()) for _ in range(20)))
    assert source.calls == 1


async def test_unknown_key_ids_cause_one_fetch_in_an_interval(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    async def strangers_knock() -> None:
        tokens = [Issuer().token() for _ in range(3)]
        results = await asyncio.gather(*(verifier.actor(token) for token in tokens), return_exceptions=True)
        assert all(isinstance(result, Unauthenticated) for result in results)

    await verifier.actor(issuer.token())
    await strangers_knock()
    assert source.calls == 1
    clock.moment += 6
    await strangers_knock()
    clock.moment += 4
    await strangers_knock()
    assert source.calls == 2
    clock.moment += 2
    await strangers_knock()
    assert source.calls == 3


async def test_a_new_key_is_found_after_the_interval(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    successor = Issuer()
    source.keys = [successor.key]
    clock.moment += 6
    await verifier.actor(successor.token())
    assert source.calls == 2


async def test_a_withdrawn_key_is_refused_once_the_keys_are_stale(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    source.keys = [Issuer().key]
    clock.moment += 301
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.token())


async def test_known_keys_stay_good_while_their_source_is_away(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    source.away = True
    clock.moment += 301
    await verifier.actor(issuer.token())
    await verifier.actor(issuer.token())
    assert source.calls == 2


async def test_without_any_key_nobody_can_be_told_from_anybody(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    source.away = True
    with pytest.raises(Unavailable):
        await verifier.actor(issuer.token())
    source.away = False

    async def is_known() -> bool:
        with suppress(Unavailable):
            return bool(await verifier.actor(issuer.token()))
        return False

    await eventually(is_known)


@pytest.mark.parametrize("held", Role)
@pytest.mark.parametrize("needed", Role)
async def test_a_role_may_do_what_the_lower_ones_may(held: Role, needed: Role) -> None:
    ranks = ["customer", "staff", "admin"]
    actor = Actor(uuid7(), held)
    if ranks.index(held) >= ranks.index(needed):
        require_role(actor, needed)
    else:
        with pytest.raises(Forbidden, match=f"this needs the role {needed}; yours is {held}"):
            require_role(actor, needed)


async def test_a_scope_has_to_be_granted() -> None:
    caller = Caller("order", frozenset({"stock.reserve"}))
    require_scope(caller, "stock.reserve")
    with pytest.raises(Forbidden):
        require_scope(caller, "stock")


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER abc "])
async def test_the_token_comes_from_a_bearer_header(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
async def test_without_a_bearer_token_nobody_is_signed_in(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        bearer_token(header)
