"""Signing up, in and out, the password, and how the pages look."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.auth.contract import (
    AccountDisabled,
    InvalidCredentials,
    InvalidRefreshToken,
    Login,
    NewUser,
    NoSession,
    PasswordChange,
    SessionNotFound,
    TooManyAttempts,
    UserExists,
    WrongPassword,
)
from ecshop.kernel.errors import Forbidden, InvalidRequest
from ecshop.kernel.http.messages import MAX_BODY
from ecshop.web.refusals import by_field, read, said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.unsent import Unsent
from ecshop.web.unsent import read as read_unsent
from ecshop.web.visitor import LANGUAGE, NAME, THEME, THEMES, Visitor
from ecshop.web.words import LANGUAGES

_HERE: Final = "account"
_ACCOUNT: Final = "/shop/account"
_CONSOLE: Final = "/console"
LARGEST_FORM: Final = 4 * MAX_BODY
"""It may hold another one, of which each character is written as several."""


class AccountPages(Controller):
    include_in_schema = False

    @get("/shop/sign-in")
    async def form(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor = await site.visitor(request)
        return sign_in_page(site, visitor, next_=_local(dict(site.asked(request)).get("next", "")))

    @post("/shop/sign-in", request_max_body_size=LARGEST_FORM)
    async def sign_in(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        next_, name, kept = _local(form.get("next", "")), form.get("username", ""), read_unsent(form.get("unsent", ""))
        try:
            login = msgspec.convert({"username": name, "password": form.get("password", "")}, Login)
            await visitor.sign_in(await site.auth.log_in(login, visitor.client), name)
        except (msgspec.ValidationError, InvalidCredentials):
            says = visitor.words("User name and password do not belong together.")
            return sign_in_page(site, visitor, next_=next_, username=name, notice=says, unsent=kept)
        except (TooManyAttempts, AccountDisabled) as refusal:
            says = said(refusal, visitor.words)
            return sign_in_page(site, visitor, next_=next_, username=name, notice=says, unsent=kept)
        if kept:
            return site.pages.answer(visitor, "signed_in_again.html", here=_HERE, unsent=kept)
        return site.pages.lead(visitor, next_)

    @get("/shop/link")
    async def sign_in_by_link(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """A session that has begun elsewhere, by the refresh token that nobody has used yet.

        No other site's page may lead here: it could sign its visitors in as somebody else.
        """
        visitor = site.anybody(request)
        if visitor.is_sent_by_another_site:
            raise Forbidden(visitor.words("Copy the link and paste it where the addresses are; then it signs you in."))
        try:
            token = await site.auth.refresh(dict(site.asked(request)).get("token", ""))
        except (InvalidRefreshToken, InvalidRequest):
            says = visitor.words("The link was used before, or is too old. Make another one: ecshop user link")
            return sign_in_page(site, visitor, next_=_CONSOLE, notice=says)
        await visitor.sign_in(token, name="")
        visitor.keep(NAME, (await site.auth.me(visitor.require_actor())).user_name)
        return site.pages.lead(visitor, _CONSOLE if visitor.is_staff else "/")

    @post("/shop/sign-up")
    async def sign_up(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        next_, name, password = _local(form.get("next", "")), form.get("user_name", ""), form.get("password", "")
        try:
            new = read({"user_name": name, "password": password}, NewUser)
            await site.auth.sign_up(new, address=visitor.client.address)
            await visitor.sign_in(await site.auth.log_in(Login(new.user_name, password), visitor.client), new.user_name)
        except InvalidRequest as wrong:
            errors = by_field(wrong, visitor.words)
            return sign_in_page(site, visitor, next_=next_, user_name=name, errors=errors)
        except UserExists as refusal:
            errors = {"user_name": said(refusal, visitor.words)}
            return sign_in_page(site, visitor, next_=next_, user_name=name, errors=errors)
        except TooManyAttempts as refusal:
            return sign_in_page(site, visitor, next_=next_, user_name=name, notice=said(refusal, visitor.words))
        return site.pages.lead(visitor, next_)

    @post("/shop/sign-out")
    async def sign_out(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor = await site.visitor(request)
        await site.sent(request, visitor)
        if visitor.actor is not None:
            with suppress(NoSession):
                await site.auth.log_out(visitor.actor)
        visitor.sign_out()
        return site.pages.lead(visitor, "/")

    @get(_ACCOUNT)
    async def account(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor = await site.visitor(request)
        visitor.require_actor()
        return await _account(site, visitor)

    @post("/shop/sessions/{session_id:uuid}/end")
    async def end_session(
        self, site: NamedDependency[Site], request: AnyRequest, session_id: FromPath[UUID]
    ) -> Response[Any]:
        """Also one that has ended meanwhile."""
        visitor = await site.visitor(request)
        await site.sent(request, visitor)
        with suppress(SessionNotFound):
            await site.auth.end_session(visitor.require_actor(), session_id)
        return site.pages.lead(visitor, _ACCOUNT)

    @post("/shop/password")
    async def password(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        actor = visitor.require_actor()
        given = {name: form.get(name, "") for name in ("current_password", "new_password")}
        try:
            change = read(given, PasswordChange)
            await site.auth.change_password(actor, change, address=visitor.client.address)
        except InvalidRequest as wrong:
            return await _account(site, visitor, errors=by_field(wrong, visitor.words))
        except WrongPassword as refusal:
            return await _account(site, visitor, errors={"current_password": said(refusal, visitor.words)})
        except TooManyAttempts as refusal:
            return await _account(site, visitor, notice=said(refusal, visitor.words))
        return await _account(site, visitor, done=visitor.words("The password was changed."))

    @post("/shop/settings")
    async def settings(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        if form.get("language") in LANGUAGES:
            visitor.keep(LANGUAGE, form["language"])
        visitor.keep(THEME, form["theme"] if form.get("theme") in THEMES else "")
        return site.pages.lead(visitor, _local(form.get("next", "")))


def sign_in_page(
    site: Site,
    visitor: Visitor,
    *,
    next_: str,
    username: str = "",
    user_name: str = "",
    notice: str = "",
    errors: dict[str, str] | None = None,
    unsent: Unsent | None = None,
) -> Response[bytes]:
    is_refused = bool(notice or errors)
    return site.pages.answer(
        visitor,
        "sign_in.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if is_refused else HTTPStatus.OK,
        here=_HERE,
        next=next_,
        username=username,
        user_name=user_name,
        notice=notice,
        errors=errors or {},
        unsent=unsent,
    )


async def _account(
    site: Site, visitor: Visitor, *, notice: str = "", done: str = "", errors: dict[str, str] | None = None
) -> Response[bytes]:
    sessions = (await site.auth.sessions_of(visitor.require_actor())).items
    return site.pages.answer(
        visitor,
        "account.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if notice or errors else HTTPStatus.OK,
        here=_HERE,
        notice=notice,
        done=done,
        errors=errors or {},
        sessions=sessions,
    )


def _local(path: str) -> str:
    """A place of the shop, and never of another one."""
    is_local = path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path
    return path if is_local else "/"
