"""Who has an account, and what an admin makes of it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from ecshop.auth.contract import (
    AccountDisabled,
    InvalidCredentials,
    Login,
    OwnAccount,
    UserChange,
    UserFilter,
)
from ecshop.kernel.identity import Actor, Role
from tests.unit.accounts import Auth

pytestmark = pytest.mark.anyio


async def test_an_account_that_is_disabled_cannot_log_in_and_says_so_to_its_owner_alone(auth: Auth) -> None:
    user, admin = await auth.user(), await auth.user("ren", Role.ADMIN)
    token = await auth.log_in()
    by_admin = Actor(admin.id, admin.role)
    assert (await auth.service.change_user(by_admin, user.id, UserChange(disabled=True))).disabled
    assert await auth.is_ended(token)
    with pytest.raises(AccountDisabled):
        await auth.log_in()
    with pytest.raises(InvalidCredentials):
        await auth.service.log_in(Login("aoi", "something else"))
    await auth.service.change_user(by_admin, user.id, UserChange(disabled=False))
    assert not await auth.is_ended(await auth.log_in())


async def test_a_new_role_is_in_the_next_login_and_nobody_changes_his_own(auth: Auth) -> None:
    user, admin = await auth.user(), await auth.user("ren", Role.ADMIN)
    by_admin = Actor(admin.id, admin.role)
    assert (await auth.service.change_user(by_admin, user.id, UserChange(role=Role.STAFF))).role is Role.STAFF
    assert (await auth.actor(await auth.log_in())).role is Role.STAFF
    with pytest.raises(OwnAccount):
        await auth.service.change_user(by_admin, admin.id, UserChange(role=Role.CUSTOMER))


async def test_users_are_found_by_how_their_names_begin_by_role_and_by_state(auth: Auth) -> None:
    aoi, _, admin = await auth.user("Aoi"), await auth.user("ao"), await auth.user("ren", Role.ADMIN)
    by_admin = Actor(admin.id, admin.role)
    await auth.service.change_user(by_admin, aoi.id, UserChange(disabled=True))

    async def names(*wanted: Any) -> list[str]:
        return [user.user_name for user in (await auth.service.users(by_admin, UserFilter(*wanted), None, 10)).items]

    assert await names() == ["ao", "Aoi", "ren"]
    assert await names("AO") == ["ao", "Aoi"]
    assert await names(None, Role.ADMIN) == ["ren"]
    assert await names(None, None, True) == ["Aoi"]
    assert await names(None, None, None, (aoi.id, admin.id, uuid4())) == ["Aoi", "ren"]
    assert await names("ao", None, False) == ["ao"]
