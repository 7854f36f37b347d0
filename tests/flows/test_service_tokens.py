"""What is for services alone: who gets a token for it, and what the way in tells a stranger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_urlsafe
from typing import Final
from uuid import uuid4

import httpx
import jwt
import pytest

from bench import patient
from bench.server import Server, running
from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.contract import InvalidClient
from ecshop.auth.http import HttpAuthClient
from ecshop.auth.key_file import signing_key_in
from ecshop.auth.keys import new_key, read_key
from ecshop.kernel.identity import Role
from entrypoints.neighbours import Neighbours, proof_of
from entrypoints.settings import DEFAULT_URLS, Settings
from tests.flows.operations import Operation, is_apart
from tests.flows.refusals import assert_refused, assert_unauthenticated
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only

SECRET: Final = "a-secret-of-the-order-service-alone"
GRANT: Final = {
    "grant_type": "client_credentials",
    "client_id": "order",
    "client_secret": SECRET,
    "audience": "stock",
    "scope": "stock.reserve",
}


@pytest.fixture
def internal(shop: RunningShop, http: httpx.Client) -> list[Operation]:
    """What one service asks of another, whether or not this shop serves it."""
    named = (("product", "/internal/quotes"), ("stock", "/internal/reservations"))
    return [Operation(http, shop.server.url(context), "POST", path, {}, {}) for context, path in named]


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
        assert_closed(shop, operation.call(), 401, "auth.unauthenticated")
        for token in (shop.customer, shop.staff, admin):
            assert_closed(shop, operation.call(token), 403, "auth.forbidden")


def test_what_is_for_services_takes_no_token_that_is_meant_for_another(
    shop: RunningShop, internal: list[Operation]
) -> None:
    for operation in internal:
        for audience in ("ecshop.auth", "ecshop.order", "stock", "product", ""):
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
    refused = patient.post(f"{shop.server.url('auth')}/auth/token", data=GRANT)
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


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which auth finds who its services are."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture(scope="module")
def rereading(redis_url: str, known: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Auth as a service of its own, which reads in files what others prove themselves with."""
    (known / "secrets").write_text(f"order:{SECRET}")
    (known / "keys").write_text(f"order:{read_key(new_key(), 'the test').public.x}")
    settings = {
        "REDIS_URL": redis_url,
        "ECSHOP_CLIENT_SECRETS": f"file:{known / 'secrets'}",
        "ECSHOP_CLIENT_KEYS": f"file:{known / 'keys'}",
    }
    command = ("ecshop", "serve", "auth", "--port", "0")
    with running(tmp_path_factory.mktemp("auth"), *command, contexts=("auth",), **settings) as server:
        yield server


async def gets_a_token(auth: Server, settings: Settings) -> bool:
    """Whether order, with these settings of its own, would be one of auth's services now."""
    neighbours = Neighbours(settings, {"order"})
    client = HttpAuthClient(neighbours.remote("auth"))
    request = ServiceTokenRequest(
        "client_credentials", "order", "stock", "stock.reserve", **proof_of(settings, "order")()
    )
    try:
        return bool((await client.service_token(request)).access_token)
    except InvalidClient:
        return False
    finally:
        await neighbours.close()


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["keys", "secrets"])
async def test_a_service_gets_another_proof_without_a_restart(
    rereading: Server, known: Path, tmp_path: Path, kind: str
) -> None:
    own, urls = tmp_path / "own", DEFAULT_URLS | {"auth": rereading.url("auth")}
    mine = f"file:{own}"
    settings = Settings(urls=urls, client_key=mine) if kind == "keys" else Settings(urls=urls, client_secret=mine)

    def new_proof() -> tuple[str, str]:
        """What the service has, and what auth knows of it."""
        if kind == "secrets":
            secret = token_urlsafe(32)
            return secret, f"order:{secret}"
        pem = new_key()
        return pem.decode(), f"order:{read_key(pem, 'the test').public.x}"

    (old, known_of_old), (new, known_of_new) = new_proof(), new_proof()
    for known_now, goods in (
        ([known_of_old], [old]),
        ([known_of_old, known_of_new], [old, new]),
        ([known_of_new], [new]),
    ):
        (known / kind).write_text("\n".join(known_now))
        for proof in (old, new):
            own.write_text(proof)
            assert await gets_a_token(rereading, settings) == (proof in goods)
