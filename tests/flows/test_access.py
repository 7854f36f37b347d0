"""Who may do what: tokens, roles, services, and what the way in tells a stranger."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.server import Server, running
from ecshop.auth.keys import SigningKey, signing_key_in
from ecshop.kernel.identity import Role
from tests.shops import RunningShop, eventually

PUBLIC_ON_PURPOSE: Final = {
    "POST /auth/signup",
    "POST /auth/login",
    "GET /.well-known/jwks.json",
    "GET /products",
    "GET /products/{product_id}",
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
    "GET /orders",
    "POST /orders",
    "POST /order",
    "GET /orders/{order_id}",
    "POST /orders/{order_id}/cancel",
}
FOR_STAFF: Final = {
    "POST /products",
    "PUT /products/{product_id}",
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
}
FOR_SERVICES: Final = {"GET /internal/quotes", "PUT /internal/reservations/{order_id}"}
BY_CLIENT_SECRET: Final = {"POST /auth/token"}

SECRET: Final = "a-secret-of-the-order-service"
GRANT: Final = {
    "grant_type": "client_credentials",
    "client_id": "order",
    "client_secret": SECRET,
    "audience": "stock",
    "scope": "stock.reserve",
}


class Operation(NamedTuple):
    """One that the running shop documents; `guard` is "user", "service" or nothing."""

    http: httpx.Client
    name: str
    url: str
    guard: str

    def call(self, token: str = "", **headers: str) -> httpx.Response:
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self.http.request(self.name.split()[0], self.url, headers=headers)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture
def operations(shop: RunningShop, http: httpx.Client) -> list[Operation]:
    """All that the shop documents."""
    found = {}
    for port in set(shop.server.ports.values()):
        base = f"http://127.0.0.1:{port}"
        paths = http.get(f"{base}/docs/openapi.json").raise_for_status().json()["paths"]
        for path, methods in paths.items():
            for method, told in methods.items():
                [guard] = [name for mark in told.get("security", []) for name in mark] or [""]
                url = base + path.replace("{order_id}", str(uuid4())).replace("_id}", "}").format(product=1, category=1)
                name = f"{method.upper()} {path}"
                found[name] = Operation(http, name, url, guard)
    return list(found.values())


@pytest.fixture
def guarded(operations: list[Operation]) -> list[Operation]:
    return [one for one in operations if one.guard]


def is_apart(shop: RunningShop) -> bool:
    return len(set(shop.server.ports.values())) > 1


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    told = f"{answer.request.method} {answer.request.url.path} -> {answer.text}"
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), told
    assert answer.json()["code"] == code, told


def assert_unauthenticated(answer: httpx.Response) -> None:
    assert_refused(answer, 401, "auth.unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_operation_is_guarded_unless_it_is_public_on_purpose(
    shop: RunningShop, operations: list[Operation]
) -> None:
    services = FOR_SERVICES if is_apart(shop) else set()
    secret = BY_CLIENT_SECRET if is_apart(shop) else set()
    assert {one.name for one in operations if one.guard == "user"} == FOR_CUSTOMERS | FOR_STAFF
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
        answer = operation.http.request(operation.name.split()[0], operation.url, headers=sent)
        assert_unauthenticated(answer)


def test_an_expired_token_is_refused(shop: RunningShop, guarded: list[Operation]) -> None:
    expired = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, -1)
    for operation in guarded:
        assert_unauthenticated(operation.call(expired))


def test_a_token_signed_by_a_foreign_key_is_refused(shop: RunningShop, guarded: list[Operation]) -> None:
    foreign = SigningKey(Ed25519PrivateKey.generate()).token_for_user(uuid4(), Role.ADMIN, 900)
    for operation in guarded:
        assert_unauthenticated(operation.call(foreign))


def forged(shop: RunningShop, key: Any, algorithm: str, **header: str) -> str:
    """A customer's own token with an admin's role in it, signed with something else."""
    claims = jwt.decode(shop.customer, options={"verify_signature": False}) | {"role": "admin"}
    kid = jwt.get_unverified_header(shop.customer)["kid"]
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, "typ": "at+jwt", **header})


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


def test_a_customer_may_not_do_what_is_for_staff(shop: RunningShop, operations: list[Operation]) -> None:
    for operation in operations:
        if operation.name in FOR_STAFF:
            assert_refused(operation.call(shop.customer), 403, "auth.forbidden")


def test_a_customer_gets_past_the_guard_of_what_is_for_customers(
    shop: RunningShop, operations: list[Operation]
) -> None:
    for operation in operations:
        if operation.name in FOR_CUSTOMERS:
            assert operation.call(shop.customer).status_code in {200, 400, 404}


def test_a_customers_token_changes_no_product_and_no_stock(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
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


@pytest.fixture
def internal(shop: RunningShop, http: httpx.Client) -> list[Operation]:
    """What one service asks of another, whether or not this shop serves it."""
    named = (("product", "GET", "/internal/quotes?id=1"), ("stock", "PUT", f"/internal/reservations/{uuid4()}"))
    return [
        Operation(http, f"{method} {path}", shop.server.url(context) + path, "service")
        for context, method, path in named
    ]


def service_token(shop: RunningShop, *, audience: str = "ecshop.stock", scope: str = "stock.reserve") -> str:
    return signing_key_in(shop.folder).token_for_service("order", audience, scope, 300)


def assert_closed(shop: RunningShop, answer: httpx.Response, status: int, code: str) -> None:
    """One process has no such path; a service has it, and refuses."""
    if is_apart(shop):
        assert_refused(answer, status, code)
    else:
        assert_refused(answer, 404, "http.not_found")


def test_what_is_for_services_takes_no_persons_token(shop: RunningShop, internal: list[Operation]) -> None:
    admin = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, 900)
    for operation in internal:
        for token in ("", shop.customer, shop.staff, admin):
            assert_closed(shop, operation.call(token), 401, "auth.unauthenticated")


def test_what_is_for_services_takes_no_token_that_is_meant_for_another(
    shop: RunningShop, internal: list[Operation]
) -> None:
    for operation in internal:
        for audience in ("ecshop", "ecshop.auth", "ecshop.order", "stock", "product", ""):
            token = service_token(shop, audience=audience, scope="product.quote stock.reserve")
            assert_closed(shop, operation.call(token), 401, "auth.unauthenticated")
    product, stock = internal
    assert_closed(shop, product.call(service_token(shop)), 401, "auth.unauthenticated")
    for_product = service_token(shop, audience="ecshop.product", scope="product.quote")
    assert_closed(shop, stock.call(for_product), 401, "auth.unauthenticated")


def test_what_is_for_services_takes_no_token_without_its_scope(shop: RunningShop, internal: list[Operation]) -> None:
    for operation, audience in zip(internal, ("ecshop.product", "ecshop.stock"), strict=True):
        for scope in ("", "product", "product.quotes stock.reserv", "PRODUCT.QUOTE STOCK.RESERVE"):
            token = service_token(shop, audience=audience, scope=scope)
            assert_closed(shop, operation.call(token), 403, "auth.forbidden")


def test_one_process_gives_no_token_to_a_service_and_a_service_none_to_a_stranger(shop: RunningShop) -> None:
    refused = shop.call("POST", "/auth/token", data=GRANT)
    assert_closed(shop, refused, 401, "auth.invalid_client")


def test_a_services_token_is_nobodys(shop: RunningShop, operations: list[Operation]) -> None:
    for audience in ("ecshop", "ecshop.stock", "ecshop.product", "ecshop.order", "ecshop.auth"):
        token = service_token(shop, audience=audience, scope="product.quote stock.reserve")
        for operation in operations:
            if operation.guard == "user":
                assert_unauthenticated(operation.call(token))


@pytest.fixture(scope="module")
def auth(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Auth as a service of its own, which knows the secret of one other."""
    settings = {"REDIS_URL": redis_url, "ECSHOP_CLIENT_SECRETS": f"order:{SECRET}"}
    command = ("ecshop", "serve", "auth", "--port", "0")
    with running(tmp_path_factory.mktemp("auth"), *command, contexts=("auth",), **settings) as server:
        yield server


def ask_for_token(auth: Server, http: httpx.Client, grant: Mapping[str, str]) -> httpx.Response:
    return http.post(f"{auth.url('auth')}/auth/token", data=dict(grant))


def test_a_service_with_its_secret_gets_a_token_for_one_callee(auth: Server, http: httpx.Client) -> None:
    granted = ask_for_token(auth, http, GRANT)
    assert granted.status_code == 200
    assert granted.json().keys() == {"access_token", "expires_in", "token_type", "scope"}
    assert (granted.json()["token_type"], granted.json()["scope"]) == ("bearer", "stock.reserve")
    claims = jwt.decode(granted.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("order", "ecshop.stock", "stock.reserve")
    assert 0 < claims["exp"] - claims["iat"] == granted.json()["expires_in"] <= 900


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": "wrong"},
        {"client_secret": ""},
        {"client_secret": SECRET[:-1]},
        {"client_secret": SECRET + "x"},
        {"client_secret": SECRET.upper()},
        {"client_secret": "s\u00e9cret"},
        {"client_id": "nobody"},
        {"client_id": "stock"},
        {"client_id": "Order"},
        {"client_id": ""},
        {"client_id": "nobody", "client_secret": ""},
    ],
)
def test_a_stranger_gets_no_token(auth: Server, http: httpx.Client, changes: dict[str, str]) -> None:
    refused = ask_for_token(auth, http, GRANT | changes)
    assert_refused(refused, 401, "auth.invalid_client")
    assert refused.json()["error"] == "invalid_client"
    assert "access_token" not in refused.json()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"audience": "order"}, "invalid_scope"),
        ({"audience": "ecshop.stock"}, "invalid_scope"),
        ({"audience": "product"}, "invalid_scope"),
        ({"audience": ""}, "invalid_scope"),
        ({"scope": "product.quote"}, "invalid_scope"),
        ({"scope": "stock.reserve product.quote"}, "invalid_scope"),
        ({"scope": "*"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
    ],
)
def test_a_service_gets_no_more_than_it_was_granted(
    auth: Server, http: httpx.Client, changes: dict[str, str], error: str
) -> None:
    refused = ask_for_token(auth, http, GRANT | changes)
    assert_refused(refused, 400, "auth.grant_refused")
    assert refused.json()["error"] == error


@pytest.mark.parametrize("missing", GRANT)
def test_a_request_for_a_token_is_whole(auth: Server, http: httpx.Client, missing: str) -> None:
    refused = ask_for_token(auth, http, {name: value for name, value in GRANT.items() if name != missing})
    assert_refused(refused, 400, "request.invalid")


def test_a_request_for_a_token_is_a_form(auth: Server, http: httpx.Client) -> None:
    refused = http.post(f"{auth.url('auth')}/auth/token", json=GRANT)
    assert_refused(refused, 415, "request.unsupported_media_type")


def test_no_secret_and_no_token_is_in_the_output_of_auth(auth: Server, http: httpx.Client) -> None:
    token = ask_for_token(auth, http, GRANT).json()["access_token"]
    mark = str(uuid4())
    http.get(f"{auth.url('auth')}/auth/token?mark", headers={"x-request-id": mark})
    output = auth.folder / "output.log"
    eventually(lambda: mark in output.read_text(), True)
    assert SECRET not in output.read_text()
    assert token not in output.read_text()


def sign_up(shop: RunningShop, name: str, password: str = "correct horse battery") -> httpx.Response:
    return shop.call("POST", "/auth/signup", json={"user_name": name, "password": password})


def log_in(shop: RunningShop, name: str, password: str = "correct horse battery") -> httpx.Response:
    return shop.call("POST", "/auth/login", json={"username": name, "password": password})


def new_name() -> str:
    return f"Aoi-{uuid4()}"


def test_whoever_signs_up_is_a_customer(shop: RunningShop) -> None:
    name = new_name()
    signed_up = sign_up(shop, name)
    assert signed_up.status_code == 201
    assert signed_up.json().keys() == {"id", "user_name", "role", "created_at"}
    assert (signed_up.json()["user_name"], signed_up.json()["role"]) == (name, "customer")
    token = log_in(shop, name).json()["access_token"]
    assert_refused(shop.call("POST", "/products", token, json={"name": "Tea", "price": 1}), 403, "auth.forbidden")


def test_a_name_is_taken_once_whatever_its_case(shop: RunningShop) -> None:
    name = new_name()
    assert sign_up(shop, name).status_code == 201
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    for taken in (name, name.lower(), name.upper(), name.swapcase(), wide):
        assert_refused(sign_up(shop, taken, "another password"), 409, "auth.user_exists")
        assert_refused(log_in(shop, taken, "another password"), 401, "auth.invalid_credentials")
    assert log_in(shop, name).status_code == 200


def test_the_name_is_read_whatever_its_case_and_the_password_as_it_is(shop: RunningShop) -> None:
    name = new_name()
    sign_up(shop, name, "Correct Horse Battery")
    assert log_in(shop, name.upper(), "Correct Horse Battery").status_code == 200
    for wrong in (
        "correct horse battery",
        "Correct Horse Battery ",
        " Correct Horse Battery",
        "Correct Horse Batter",
        "",
    ):
        assert_refused(log_in(shop, name, wrong), 401, "auth.invalid_credentials")


def test_a_wrong_password_and_an_unknown_user_are_answered_the_same(shop: RunningShop) -> None:
    name = new_name()
    sign_up(shop, name)
    wrong, unknown = log_in(shop, name, "a wrong password"), log_in(shop, new_name(), "a wrong password")
    for refused in (wrong, unknown):
        assert_refused(refused, 401, "auth.invalid_credentials")
    assert wrong.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    assert wrong.headers.keys() == unknown.headers.keys()


@pytest.mark.parametrize(
    "password", ["correct horse battery", "p\u00e4ssw\u00f6rd \u8336 \U0001f375", 'a&b=c+d%20;e"f\\g']
)
def test_a_login_comes_as_a_form_or_as_json(shop: RunningShop, password: str) -> None:
    name = new_name()
    user = sign_up(shop, name, password).json()
    sent = {"username": name, "password": password}
    with_grant_type = sent | {"grant_type": "password"}
    bodies: list[dict[str, Any]] = [
        {"data": sent},
        {"json": sent},
        {"data": with_grant_type},
        {"json": with_grant_type},
    ]
    for body in bodies:
        logged_in = shop.call("POST", "/auth/login", **body)
        assert logged_in.status_code == 200
        assert logged_in.json()["token_type"] == "bearer"
        assert logged_in.json()["expires_in"] == 3600
        assert shop.call("GET", "/auth/me", logged_in.json()["access_token"]).json() == user


def test_a_token_of_a_user_who_is_not_there_has_no_me(shop: RunningShop) -> None:
    assert_refused(shop.call("GET", "/auth/me", shop.customer), 404, "auth.user_not_found")


def test_the_shops_keys_are_public_and_only_the_public_ones(shop: RunningShop) -> None:
    [key] = shop.call("GET", "/.well-known/jwks.json").json()["keys"]
    assert key.keys() == {"kid", "x", "kty", "crv", "use", "alg"}
    assert jwt.get_unverified_header(shop.customer)["kid"] == key["kid"]


def test_no_password_and_no_token_is_in_the_output_of_the_shop(shop: RunningShop) -> None:
    name, password, mark = new_name(), secrets.token_hex(), str(uuid4())
    sign_up(shop, name, password)
    sign_up(shop, name, password)
    shop.call("POST", "/auth/signup", json={"user_name": name, "password": password * 3})
    shop.call("POST", "/auth/signup", content=f'{{"password": "{password}"'.encode())
    shop.call("POST", "/auth/login", data={"username": name, "password": password + "x"})
    shop.call("POST", "/auth/login", data={"username": name, "password": password, "grant_type": password})
    token = shop.call("POST", "/auth/login", data={"username": name, "password": password}).json()["access_token"]
    shop.call("GET", "/orders", token + "x")
    shop.call("GET", "/auth/me", token, headers={"x-request-id": mark})
    output = shop.folder / "output.log"
    eventually(lambda: mark in output.read_text(), True)
    assert password not in output.read_text()
    assert token.rpartition(".")[2] not in output.read_text()
