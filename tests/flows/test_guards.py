"""Who may do what: which tokens are good, and what each role is for."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecshop.auth.key_file import signing_key_in
from ecshop.auth.keys import SigningKey
from ecshop.kernel.identity import Role
from entrypoints.contexts import NAMES
from tests.flows.operations import Operation, is_apart
from tests.flows.refusals import assert_refused, assert_unauthenticated
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only

PUBLIC_ON_PURPOSE: Final = {
    "POST /auth/signup",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/api-keys/token",
    "GET /auth/ended-sessions",
    "GET /.well-known/jwks.json",
    "GET /products",
    "GET /products/{product_id}",
    "GET /products/{product_id}/availability",
    "GET /products/pictures/{name}",
    "GET /categories",
    "GET /categories/{category_id}",
    "GET /stock",
    "GET /stock/{product_id}",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
}
FOR_CUSTOMERS: Final = {
    "GET /auth/me",
    "POST /auth/logout",
    "POST /auth/password",
    "GET /auth/sessions",
    "DELETE /auth/sessions/{session_id}",
    "GET /auth/api-keys",
    "POST /auth/api-keys",
    "DELETE /auth/api-keys/{key_id}",
    "GET /stock/reservations/{order_id}",
    "GET /orders",
    "POST /orders",
    "POST /order",
    "GET /orders/statuses",
    "GET /orders/{order_id}",
    "POST /orders/{order_id}/cancel",
}
FOR_STAFF: Final = {
    "POST /products",
    "PUT /products/{product_id}",
    "PUT /products/{product_id}/picture",
    "DELETE /products/{product_id}",
    "POST /categories",
    "PUT /categories/{category_id}",
    "DELETE /categories/{category_id}",
    "POST /stock",
    "PUT /stock/{product_id}",
    "DELETE /stock/{product_id}",
    "POST /stock/{product_id}/adjustments",
    "GET /stock/{product_id}/movements",
    "POST /orders/{order_id}/fulfil",
    "GET /orders/pace",
    "GET /orders/{order_id}/timeline",
    "GET /users",
    "GET /users/{user_id}",
    *(f"GET /events/{name}" for name in NAMES),
    *(f"GET /events/{name}/{what}" for name in NAMES for what in ("deliveries", "dead-letters", "backlog", "lags")),
    *(f"GET /events/{name}/dead-letters/{{event_id}}" for name in NAMES),
    *(f"POST /events/{name}/dead-letters/replay" for name in NAMES),
    *(f"POST /events/{name}/dead-letters/{{event_id}}/{what}" for name in NAMES for what in ("replay", "discard")),
}
FOR_ADMINS: Final = {
    "PUT /users/{user_id}",
    "GET /users/{user_id}/sessions",
    "DELETE /users/{user_id}/sessions/{session_id}",
    *(f"GET /audit/{name}" for name in NAMES),
    *(f"{method} /events/{name}/faults" for name in NAMES for method in ("GET", "POST")),
}
MAY: Final[dict[Role | None, set[str]]] = {
    None: set(),
    Role.CUSTOMER: FOR_CUSTOMERS,
    Role.STAFF: FOR_CUSTOMERS | FOR_STAFF,
    Role.ADMIN: FOR_CUSTOMERS | FOR_STAFF | FOR_ADMINS,
}
"""Beside what is public, by role; nothing is for whoever is not in here."""
NO_TOKEN: Final = (401, "auth.unauthenticated")
FORBIDDEN: Final = (403, "auth.forbidden")
FOR_SERVICES: Final = {
    "POST /internal/quotes",
    "POST /internal/reservations",
    "DELETE /internal/reservations/{order_id}",
}
BY_CLIENT_SECRET: Final = {"POST /auth/token"}


def test_every_operation_is_guarded_unless_it_is_public_on_purpose(
    shop: RunningShop, operations: list[Operation]
) -> None:
    services = FOR_SERVICES if is_apart(shop) else set()
    secret = BY_CLIENT_SECRET if is_apart(shop) else set()
    assert {one.name for one in operations if one.guard == "user"} == FOR_CUSTOMERS | FOR_STAFF | FOR_ADMINS
    assert {one.name for one in operations if one.guard == "service"} == services
    assert {one.name for one in operations if not one.guard} == PUBLIC_ON_PURPOSE | secret


def test_a_guarded_operation_wants_a_token(shop: RunningShop, guarded: list[Operation]) -> None:
    for operation in guarded:
        assert_unauthenticated(operation.call())


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Basic YW9pOng=",
        "Token x",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer \u00ff",
        "garbage",
        "x" * 9000,
    ],
)
def test_garbage_is_not_a_token(shop: RunningShop, guarded: list[Operation], header: str) -> None:
    for operation in guarded:
        sent = [(b"authorization", header.encode("latin1"))]
        answer = operation.http.request(operation.method, operation.url, headers=sent)
        assert_unauthenticated(answer)


def test_an_expired_token_is_refused(shop: RunningShop, guarded: list[Operation]) -> None:
    expired = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, -1)
    for operation in guarded:
        assert_unauthenticated(operation.call(expired))


def test_a_token_signed_by_a_foreign_key_is_refused(shop: RunningShop, guarded: list[Operation]) -> None:
    foreign = SigningKey(Ed25519PrivateKey.generate()).token_for_user(uuid4(), Role.ADMIN, 900)
    for operation in guarded:
        assert_unauthenticated(operation.call(foreign))


def test_a_token_that_names_the_shops_key_but_is_not_signed_with_it_is_refused(
    shop: RunningShop, guarded: list[Operation]
) -> None:
    public = signing_key_in(shop.folder).public.x
    tokens = (
        forged(shop, Ed25519PrivateKey.generate(), "EdDSA"),
        forged(shop, None, "none"),
        forged(shop, public, "HS256"),
    )
    for operation in guarded:
        for token in tokens:
            assert_unauthenticated(operation.call(token))


def test_a_token_with_a_changed_claim_is_refused(shop: RunningShop, guarded: list[Operation]) -> None:
    header, _, signature = shop.customer.split(".")
    changed = f"{header}.{forged(shop, None, 'none').split('.')[1]}.{signature}"
    for operation in guarded:
        assert_unauthenticated(operation.call(changed))


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_gets_past_the_guards_of_what_is_for_it_and_past_no_other(
    shop: RunningShop, operations: list[Operation], role: Role | None
) -> None:
    may = MAY[role]
    for operation in operations:
        token = signing_key_in(shop.folder).token_for_user(uuid4(), role, 900) if role else ""
        answer = operation.call(token)
        if operation.name in may or not operation.guard:
            assert answer.status_code not in {401, 403}, f"{operation.name}: {answer.text}"
        else:
            assert_refused(answer, *(FORBIDDEN if role else NO_TOKEN))


def test_a_customers_token_changes_no_product_and_no_stock(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    eventually(lambda: shop.product(product)["in_stock"], True)
    known = shop.product(product), shop.stock(product)
    for method, path, body in (
        ("PUT", f"/products/{product}", {"price": 1}),
        ("DELETE", f"/products/{product}", None),
        ("PUT", f"/stock/{product}", {"stock": 100}),
        ("POST", f"/stock/{product}/adjustments", {"delta": 100, "reason": "delivery"}),
        ("DELETE", f"/stock/{product}", None),
    ):
        assert_refused(shop.call(method, path, shop.customer, json=body), 403, "auth.forbidden")
    assert (shop.product(product), shop.stock(product)) == known


def test_an_admin_may_do_what_is_for_staff(shop: RunningShop) -> None:
    admin = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, 900)
    made = shop.call("POST", "/products", admin, json={"name": f"Tea {uuid4()}", "price": 1200})
    assert made.status_code == 201


def test_the_scheme_of_the_header_is_read_whatever_its_case(shop: RunningShop) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = shop.call("GET", "/orders", headers={"authorization": f"{scheme} {shop.customer}"})
        assert answer.status_code == 200


def forged(shop: RunningShop, key: Any, algorithm: str, **header: str) -> str:
    """A customer's own token with an admin's role in it, signed with something else."""
    claims = jwt.decode(shop.customer, options={"verify_signature": False}) | {"role": "admin"}
    kid = jwt.get_unverified_header(shop.customer)["kid"]
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, "typ": "at+jwt", **header})
