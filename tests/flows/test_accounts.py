"""Signing up and logging in, and what is told to whom."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.flows.refusals import assert_refused
from tests.shops import RunningShop
from tests.waiting import eventually


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
    assert signed_up.json().keys() == {"id", "user_name", "role", "created_at", "disabled"}
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


def test_a_name_with_what_cannot_be_seen_in_it_is_nobodys(shop: RunningShop) -> None:
    name = f"Ren\u00e9-{uuid4()}"
    signed_up = sign_up(shop, name.replace("\u00e9", "e\u0301"))
    assert (signed_up.status_code, signed_up.json()["user_name"]) == (201, name)
    for unseen in (f"{name[:3]}\u200d{name[3:]}", f"{name}\ufe0f", f"{name}\u3164"):
        assert_refused(sign_up(shop, unseen), 400, "request.invalid")
    assert sign_up(shop, name.replace("\u00e9", "e")).status_code == 201


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
        assert logged_in.json()["expires_in"] == 300
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
