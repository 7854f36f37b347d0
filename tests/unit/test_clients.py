"""A service that signs who it is: what is taken for its assertion (RFC 7523), and what is not."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from ecshop.auth.client_credentials import JWT_BEARER, ServiceTokenRequest
from ecshop.auth.clients import Clients, sign_assertion
from ecshop.auth.contract import InvalidClient
from ecshop.auth.keys import new_key, read_key
from ecshop.kernel.validation import Wrong

KEY, NEXT, FOREIGN = (new_key().decode() for _ in range(3))
TYPE = "client-authentication+jwt"


def public(pem: str) -> str:
    return read_key(pem.encode(), "the test").public.x


@pytest.fixture
def clients() -> Clients:
    keys = {"order": [public(KEY), public(NEXT)], "stock": [public(FOREIGN)]}
    return Clients(dict, lambda: keys)


def request(assertion: str, service: str = "order") -> ServiceTokenRequest:
    return ServiceTokenRequest(
        "client_credentials",
        service,
        "stock",
        "stock.reserve",
        client_assertion=assertion,
        client_assertion_type=JWT_BEARER,
    )


def assertion(key: Any = KEY, algorithm: str = "EdDSA", type_: str = TYPE, **changes: Any) -> str:
    moment = int(time.time())
    claims = {
        "iss": "order",
        "sub": "order",
        "aud": "ecshop",
        "iat": moment,
        "exp": moment + 60,
        "jti": str(uuid4()),
    } | changes
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"typ": type_})


@pytest.mark.parametrize("key", [KEY, NEXT], ids=["the key", "its successor"])
def test_a_service_proves_itself_by_either_of_its_keys(clients: Clients, key: str) -> None:
    clients.check(request(sign_assertion("order", key)))


def test_what_is_made_by_hand_as_the_standard_has_it_is_good(clients: Clients) -> None:
    clients.check(request(assertion()))


def test_an_assertion_is_good_for_once(clients: Clients) -> None:
    once = sign_assertion("order", KEY)
    clients.check(request(once))
    with pytest.raises(InvalidClient):
        clients.check(request(once))
    clients.check(request(sign_assertion("order", KEY)))


BAD: dict[str, dict[str, Any]] = {
    "of a key that is not its own": {"key": FOREIGN},
    "of another service": {"iss": "stock", "sub": "stock"},
    "by another service": {"iss": "stock"},
    "about another service": {"sub": "stock"},
    "for somebody else": {"aud": "another"},
    "for several": {"aud": ["ecshop", "another"]},
    "for a neighbour": {"aud": "ecshop.stock"},
    "that has expired": {"iat": int(time.time()) - 200, "exp": int(time.time()) - 140},
    "that is good for long": {"exp": int(time.time()) + 3600},
    "of the future": {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3660},
    "of another type": {"type_": "at+jwt"},
    "signed by the public key as a secret": {"key": public(KEY), "algorithm": "HS256"},
    "that is not signed": {"key": None, "algorithm": "none"},
    "with a number for its id": {"jti": 7},
    **{f"without {claim}": {claim: None} for claim in ("iss", "sub", "aud", "exp", "iat", "jti")},
}


@pytest.mark.parametrize("kind", BAD)
def test_no_assertion_is_taken(clients: Clients, kind: str) -> None:
    with pytest.raises(InvalidClient) as refusal:
        clients.check(request(assertion(**BAD[kind])))
    assert refusal.value.fields == {"error": "invalid_client"}


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "e30.e30.", "[" * 4000])
def test_what_is_no_token_is_no_assertion(clients: Clients, text: str) -> None:
    with pytest.raises(InvalidClient):
        clients.check(request(text))


def test_a_service_without_a_key_proves_nothing(clients: Clients) -> None:
    for service in ("product", "nobody", ""):
        with pytest.raises(InvalidClient):
            clients.check(request(sign_assertion(service, KEY), service))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "client_secret"),
        ({"client_secret": "s", "client_assertion": "a", "client_assertion_type": JWT_BEARER}, "client_secret"),
        ({"client_assertion": "a"}, "client_assertion_type"),
        ({"client_secret": "s", "client_assertion_type": JWT_BEARER}, "client_assertion_type"),
    ],
)
def test_there_is_one_proof_and_it_says_of_which_kind(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Wrong) as refusal:
        ServiceTokenRequest("client_credentials", "order", "stock", "stock.reserve", **fields)
    assert refusal.value.field == wrong
