"""Logging in, staying in and getting out, as a client of the shop does it; what ends is felt by every service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple
from uuid import uuid4

import pytest

from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from tests.flows.refusals import assert_refused
from tests.flows.test_commands import ecshop
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only

PASSWORD: Final = "correct horse battery"
WITHIN: Final = 5.0  # seconds


class Member(NamedTuple):
    name: str
    id: str
    token: str
    refresh_token: str


def member(shop: RunningShop) -> Member:
    name = f"u{uuid4()}"
    made = shop.call("POST", "/auth/signup", json={"user_name": name, "password": PASSWORD}).json()
    login = log_in(shop, name)
    return Member(name, made["id"], login["access_token"], login["refresh_token"])


def log_in(shop: RunningShop, name: str, password: str = PASSWORD) -> dict[str, str]:
    answer = shop.call("POST", "/auth/login", data={"username": name, "password": password})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, str] = answer.json()
    return told


def status(shop: RunningShop, path: str, token: str) -> int:
    return shop.call("GET", path, token).status_code


def log_out(shop: RunningShop, who: Member) -> None:
    assert shop.call("POST", "/auth/logout", who.token).status_code == 204


def change_password(shop: RunningShop, who: Member) -> None:
    elsewhere = log_in(shop, who.name)["access_token"]
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    assert shop.call("POST", "/auth/password", elsewhere, json=change).status_code == 204
    assert shop.call("GET", "/orders", elsewhere).status_code == 200


def end_from_elsewhere(shop: RunningShop, who: Member) -> None:
    elsewhere = log_in(shop, who.name)["access_token"]
    sessions = shop.call("GET", "/auth/sessions", elsewhere).json()["items"]
    [other] = [session["id"] for session in sessions if not session["is_current"]]
    assert shop.call("DELETE", f"/auth/sessions/{other}", elsewhere).status_code == 204


def by_admin(shop: RunningShop, who: Member, **change: object) -> None:
    admin = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, 900)
    assert shop.call("PUT", f"/users/{who.id}", admin, json=change).status_code == 200


def by_command(shop: RunningShop, *arguments: str, given: str = "") -> None:
    done = ecshop("user", *arguments, "--data-dir", str(shop.folder), given=given)
    assert done.returncode == 0, done.stderr


ENDINGS: Final[dict[str, Callable[[RunningShop, Member], None]]] = {
    "a logout": log_out,
    "a new password": change_password,
    "its end from elsewhere": end_from_elsewhere,
    "a new role": lambda shop, who: by_admin(shop, who, role="staff"),
    "being disabled": lambda shop, who: by_admin(shop, who, disabled=True),
    "a new role by command": lambda shop, who: by_command(shop, "role", who.name, "staff"),
    "being disabled by command": lambda shop, who: by_command(shop, "disable", who.name),
    "a new password by command": lambda shop, who: by_command(
        shop, "password", who.name, given="another horse battery\n"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_a_session_is_felt_by_every_service(shop: RunningShop, ending: str) -> None:
    who = member(shop)
    paths = ("/auth/me", "/orders")
    assert [shop.call("GET", path, who.token).status_code for path in paths] == [200, 200]
    ENDINGS[ending](shop, who)
    for path in paths:
        eventually(partial(status, shop, path, who.token), 401, seconds=WITHIN)
    refreshed = shop.call("POST", "/auth/refresh", json={"refresh_token": who.refresh_token})
    assert_refused(refreshed, 401, "auth.invalid_refresh_token")


def test_a_refresh_token_keeps_a_session_up(shop: RunningShop) -> None:
    who = member(shop)
    form = {"grant_type": "refresh_token", "refresh_token": who.refresh_token}
    refreshed = shop.call("POST", "/auth/refresh", data=form).json()
    assert refreshed["refresh_token"] != who.refresh_token
    assert shop.call("GET", "/orders", refreshed["access_token"]).status_code == 200
    [session] = shop.call("GET", "/auth/sessions", refreshed["access_token"]).json()["items"]
    assert session["is_current"]
    assert session["used_at"] > session["begun_at"]


@pytest.mark.parametrize("sent", ["", "er_", "er_x", "x" * 2000, "er_" + "A" * 64, "\u8336"])
def test_what_is_no_refresh_token_gets_nothing(shop: RunningShop, sent: str) -> None:
    answer = shop.call("POST", "/auth/refresh", json={"refresh_token": sent})
    assert answer.status_code in {400, 401}
    assert sent not in answer.text or not sent


def test_staff_find_users_and_admins_alone_change_them(shop: RunningShop) -> None:
    who = member(shop)
    [found] = shop.call("GET", f"/users?q={who.name[:20].upper()}", shop.staff).json()["items"]
    assert (found["id"], found["role"], found["disabled"]) == (who.id, "customer", False)
    assert shop.call("GET", f"/users/{who.id}", shop.staff).json() == found
    assert_refused(shop.call("PUT", f"/users/{who.id}", shop.staff, json={"role": "staff"}), 403, "auth.forbidden")
    assert_refused(shop.call("GET", f"/users/{uuid4()}", shop.staff), 404, "auth.user_not_found")


def test_the_command_lists_users_with_role_and_state(shop: RunningShop) -> None:
    who = member(shop)
    by_command(shop, "disable", who.name)
    listed = ecshop("user", "list", "--name", who.name, "--data-dir", str(shop.folder)).stdout.split()
    assert listed[:2] + listed[-2:] == [who.name, "customer", who.id, "disabled"]
    by_command(shop, "disable", who.name, "--undo")
    log_in(shop, who.name)
