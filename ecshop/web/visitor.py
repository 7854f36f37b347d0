"""Who is looking at a page: what the browser's cookies say, and what the next answer has to tell it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from ecshop.auth.contract import AuthClient, InvalidRefreshToken, Token
from ecshop.auth.contract import Visitor as Client
from ecshop.kernel.errors import Forbidden, Unauthenticated
from ecshop.kernel.http.headers import client_of, header
from ecshop.kernel.identity import Actor
from ecshop.kernel.tokens import Verifier
from ecshop.web.basket import Basket
from ecshop.web.words import Words, language_of

AnyRequest = Request[Any, Any, Any]

LANGUAGE, THEME, BASKET, NAME = "language", "theme", "basket", "name"
_ACCESS, _REFRESH, _FORM = "access", "session", "form"
THEMES: Final = ("light", "dark")
_A_YEAR: Final = int(timedelta(days=365).total_seconds())
_AS_LONG_AS_A_SESSION: Final = int(timedelta(days=30).total_seconds())
_LONGEST_AGENT: Final = 200
_FROM_HERE: Final = {"same-origin", "none"}


class SignInNeeded(Exception):
    """The page is for somebody, and nobody is signed in, or no longer."""


class Visitor:
    """Cookies are `__Host-` ones (RFC 6265bis, section 4.1.3.2) where browsers take them: by TLS, or on one machine."""

    def __init__(self, request: AnyRequest, words: Mapping[str, Words], verifier: Verifier, auth: AuthClient) -> None:
        self._request, self._verifier, self._auth = request, verifier, auth
        self._prefix = "__Host-" if _is_private(request) else ""
        self._cookies: dict[str, Cookie] = {}
        self._changed: dict[str, str] = {}
        self.words = words[language_of(self._said(LANGUAGE), header(request.scope, b"accept-language") or "")]
        self.theme = self._said(THEME) if self._said(THEME) in THEMES else ""
        self.actor: Actor | None = None

    @property
    def name(self) -> str:
        """Of the account, as it was typed in at the sign-in."""
        return self._said(NAME) if self.actor else ""

    @property
    def basket(self) -> Basket:
        return Basket.read(self._said(BASKET))

    @property
    def client(self) -> Client:
        agent = header(self._request.scope, b"user-agent") or ""
        return Client(client_of(self._request.scope), "".join(filter(str.isprintable, agent))[:_LONGEST_AGENT])

    @property
    def cookies(self) -> list[Cookie]:
        """What the answer has to tell the browser."""
        return list(self._cookies.values())

    @property
    def form_token(self) -> str:
        """What a form of ours sends along; the browser has it in a cookie besides."""
        if not self._said(_FORM):
            self.keep(_FORM, secrets.token_urlsafe(32))
        return self._said(_FORM)

    async def recognise(self) -> None:
        """By the access token, or else by the session's next one."""
        if self._said(_ACCESS):
            with suppress(Unauthenticated):
                self.actor = await self._verifier.actor(self._said(_ACCESS))
        if self.actor is None and self._said(_REFRESH):
            await self._refresh()

    def require_actor(self) -> Actor:
        """Raises `SignInNeeded`."""
        if self.actor is None:
            raise SignInNeeded
        return self.actor

    def check_form(self, form: Mapping[str, str]) -> None:
        """Raises `Forbidden` for one that another site's page has sent (OWASP, CSRF prevention cheat sheet)."""
        site, origin = header(self._request.scope, b"sec-fetch-site"), header(self._request.scope, b"origin")
        host = header(self._request.scope, b"host")
        is_foreign = site not in _FROM_HERE if site else bool(origin) and urlsplit(origin or "").netloc != host
        sent, kept = form.get("form_token", ""), self._said(_FORM)
        if is_foreign or not kept or not secrets.compare_digest(sent.encode(), kept.encode()):
            raise Forbidden("this form did not come from a page of the shop, or from one that is too old")

    async def sign_in(self, token: Token, name: str) -> None:
        self._keep_tokens(token)
        self.keep(NAME, name.strip())
        self.actor = await self._verifier.actor(token.access_token)

    def sign_out(self) -> None:
        for cookie in (_ACCESS, _REFRESH, NAME):
            self.forget(cookie)
        self.actor = None

    def keep(self, cookie: str, value: str, seconds: int = _A_YEAR) -> None:
        self._changed[cookie] = value
        self._cookies[cookie] = Cookie(
            key=self._prefix + cookie,
            value=quote(value, safe=""),
            path="/",
            max_age=seconds,
            secure=bool(self._prefix),
            httponly=True,
            samesite="lax",
        )

    def forget(self, cookie: str) -> None:
        self.keep(cookie, "", 0)

    async def _refresh(self) -> None:
        try:
            token = await self._auth.refresh(self._said(_REFRESH))
        except InvalidRefreshToken:
            self.sign_out()
            return
        self._keep_tokens(token)
        self.actor = await self._verifier.actor(token.access_token)

    def _keep_tokens(self, token: Token) -> None:
        self.keep(_ACCESS, token.access_token, token.expires_in)
        self.keep(_REFRESH, str(token.refresh_token), _AS_LONG_AS_A_SESSION)

    def _said(self, cookie: str) -> str:
        if cookie in self._changed:
            return self._changed[cookie]
        return unquote(self._request.cookies.get(self._prefix + cookie, ""))


def _is_private(request: AnyRequest) -> bool:
    if request.scope.get("scheme") == "https":
        return True
    host = urlsplit(f"//{header(request.scope, b'host')}").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
