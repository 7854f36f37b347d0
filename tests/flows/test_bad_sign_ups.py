"""Sign-ups and logins that are none: each is told what is wrong with it, and changes nothing."""

from __future__ import annotations

import json
from typing import Final
from uuid import uuid4

import pytest

from tests.flows.bad_input import (
    FORM,
    INVALID,
    JSON,
    MALFORMED,
    NOT_TEXT,
    TOO_LARGE,
    Refusal,
    cases,
    ids,
    one_shape_is_enough,
    untouched,
)
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

pytestmark = one_shape_is_enough

SIGN_UPS: Final = cases(
    {"user_name": "USER", "password": "correct horse battery"},
    user_name=(
        *NOT_TEXT,
        '""',
        '" "',
        '"USER x"',
        '"USER\\u3000x"',
        '"USER\\n"',
        '"USER\\u0000"',
        '" USER"',
        *(f'"USER{seen_by_nobody}"' for seen_by_nobody in ("\\u200b", "\\ufeff", "\\u202e", "\\u0007", "\\u200d")),
        '"\\u3164"',
        *(f'"USER{mixed}"' for mixed in ("\\u0430", "\\u03bf", "\\ud83d\\ude00", "\\u2028")),
        '"admin"',
        '"Admin"',
        '"\uff21dmin"',
        '"root"',
        json.dumps("x" * 65),
        None,
    ),
    password=(
        *NOT_TEXT,
        '""',
        '"1234567"',
        '"password"',
        '"Password1"',
        '"PASSWORD"',
        '"        "',
        '"aaaaaaaaaaaa"',
        '"USER"',
        '"USER123"',
        '"USERUSER"',
        '"correct horse\\u0007"',
        json.dumps("x" * 257),
        None,
    ),
    role=('"admin"',),
    username=('"USER"',),
)


@pytest.mark.parametrize("content", SIGN_UPS, ids=ids)
def test_a_sign_up_that_is_not_one_makes_no_user(shop: RunningShop, content: str) -> None:
    name = f"user-{uuid4()}"
    answer = shop.call("POST", "/auth/signup", content=content.replace("USER", name).encode(), headers=JSON)
    assert_refused(answer, *INVALID)
    login = shop.call("POST", "/auth/login", json={"username": name, "password": "correct horse battery"})
    assert_refused(login, 401, "auth.invalid_credentials")


LOGINS: Final = cases(
    {"username": "USER", "password": "correct horse battery"},
    username=(*NOT_TEXT, json.dumps("x" * 65), None),
    password=(*NOT_TEXT, json.dumps("x" * 257), None),
    grant_type=('"client_credentials"', "1"),
    role=('"admin"',),
)


@pytest.mark.parametrize("content", LOGINS, ids=ids)
def test_a_login_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /auth/login", content), *INVALID)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", INVALID),
        (b"username=aoi", INVALID),
        (b"password=correct+horse+battery", INVALID),
        (b"username=aoi;password=x", INVALID),
        (b"username=aoi&password=x&role=admin", INVALID),
        (b"username=aoi&password=x&grant_type=client_credentials", INVALID),
        (b"username=" + b"x" * 65 + b"&password=x", INVALID),
        (b"username=aoi&password=" + b"x" * 257, INVALID),
        (b'{"username": "aoi", "password": "x"}', INVALID),
        (b"a=1&" * 10_000, INVALID),
        (b"username=a%00b&password=x", INVALID),
        (b"username=aoi&password=%00", INVALID),
        (b"username=\xff&password=x", MALFORMED),
        (b"username=aoi&password=" + b"x" * 70_000, TOO_LARGE),
    ],
    ids=ids,
)
def test_a_login_form_that_is_not_one_is_refused(shop: RunningShop, content: bytes, refusal: Refusal) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /auth/login", content, FORM), *refusal)
