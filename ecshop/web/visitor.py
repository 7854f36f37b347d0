"""Who is looking at a page: what the browser's cookies say, and what the next answer has to tell it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from litestar import Request
from litestar.datastructures import Cookie

from ecshop.auth.contract import AuthClient, InvalidRefreshToken, Token
from ecshop.auth.contract import Visitor as Client
from ecshop.kernel.errors import Forbidden, Unauthenticated
from ecshop.kernel.http.headers import client_of, header
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import Verifier
from ecshop.web.basket import Basket
from ecshop.web.words import Words, language_of

AnyRequest = Request[Any, Any, Any]

LANGUAGE, THEME, BASKET, NAME, ORDER_KEY = "language", "theme", "basket", "name", "order"
_ACCESS, _REFRESH, _FORM = "access", "session", "form"
THEMES: Final = ("light", "dark")
_A_YEAR: Final = int(timedelta(days=365).total_seconds())
_AS_LONG_AS_A_SESSION: Final = int(timedelta(days=30).total_seconds())
_LONGEST_AGENT: Final = 200
_LONGEST_ADDRESS: Final = 64
_BASKET: Final = "/shop/basket"
_PAGES_OF_FORMS: Final = {"/shop/sign-up": "/shop/sign-in", "/shop/password": "/shop/account"}
_FROM_HERE: Final = {"same-origin", "none"}


class SignInNeeded(Exception):
    """The page is for somebody, and nobody is signed in, or no longer."""


class Visitor:
    """Cookies are `__Host-` ones (RFC 6265bis, section 4.1.3.2) where browsers take them: by TLS, or on one machine."""

    def __init__(self, request: AnyRequest, spoken: Mapping[str, Words], verifier: Verifier, auth: AuthClient) -> None:
        self._request, self._verifier, self._auth = request, verifier, auth
        self._sent = _cookies_in(header(request.scope, b"cookie") or "")
        self._prefix = "__Host-" if _is_private(request) else ""
        self._cookies: dict[str, Cookie] = {}
        self._changed: dict[str, str] = {}
        self.words = spoken[language_of(self._said(LANGUAGE), header(request.scope, b"accept-language") or "")]
        self.theme = self._said(THEME) if self._said(THEME) in THEMES else ""
        self.actor: Actor | None = None

    @property
    def name(self) -> str:
        """Of the account, as it was typed in at the sign-in."""
        return self._said(NAME) if self.actor else ""

    @property
    def is_staff(self) -> bool:
        return self.actor is not None and self.actor.role.includes(Role.STAFF)

    @property
    def basket(self) -> Basket:
        return Basket.read(self._said(BASKET))

    @property
    def order_key(self) -> str:
        """Of the basket's next order, until that is placed or refused: who is in doubt orders no second time."""
        if not self._said(ORDER_KEY):
            self.keep(ORDER_KEY, str(uuid4()))
        return self._said(ORDER_KEY)

    @property
    def client(self) -> Client:
        agent = header(self._request.scope, b"user-agent") or ""
        return Client(
            client_of(self._request.scope)[:_LONGEST_ADDRESS], "".join(filter(str.isprintable, agent))[:_LONGEST_AGENT]
        )

    @property
    def last_event_id(self) -> str:
        """Of a page that moves and comes back: the last that it has heard (HTML, section 9.2.4)."""
        return header(self._request.scope, b"last-event-id") or ""

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

    @property
    def place(self) -> str:
        """The page that this one is, or that its form is on."""
        path, query = self._request.scope["path"], self._request.scope["query_string"].decode("latin-1")
        if self._request.method == "GET":
            return f"{path}?{query}" if query else path
        return _PAGES_OF_FORMS.get(path) or (_BASKET if path.startswith(_BASKET) else path.removesuffix("/cancel"))

    @property
    def is_sent_by_another_site(self) -> bool:
        """Whether a page of another one has a link here, or a form (Fetch Metadata Request Headers, section 2)."""
        site, origin = header(self._request.scope, b"sec-fetch-site"), header(self._request.scope, b"origin")
        host = header(self._request.scope, b"host")
        return site not in _FROM_HERE if site else bool(origin) and _host_of(origin or "") != host

    async def recognise(self) -> None:
        """By the access token, or else by the session's next one; an API key is for machines, and opens no page."""
        if self._said(_ACCESS):
            with suppress(Unauthenticated):
                actor = await self._verifier.actor(self._said(_ACCESS))
                self.actor = actor if actor.scopes is None else None
        if self.actor is None and self._said(_REFRESH):
            await self._refresh()

    def require_actor(self) -> Actor:
        """Raises `SignInNeeded`."""
        if self.actor is None:
            raise SignInNeeded
        return self.actor

    def check_form(self, form: Mapping[str, str]) -> None:
        """Raises `Forbidden` for one that another site's page has sent (OWASP, CSRF prevention cheat sheet)."""
        sent, kept = form.get("form_token", ""), self._said(_FORM)
        if self.is_sent_by_another_site or not kept or not secrets.compare_digest(sent.encode(), kept.encode()):
            raise Forbidden(
                self.words("This form is too old, or not the shop's. Open its page again, and send it from there.")
            )

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
        return unquote(self._sent.get(self._prefix + cookie, ""))


def _is_private(request: AnyRequest) -> bool:
    if request.scope.get("scheme") == "https":
        return True
    try:
        host = urlsplit(f"//{header(request.scope, b'host')}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _cookies_in(sent: str) -> dict[str, str]:
    """Litestar's own reading would keep the last thousand headers in memory, of whatever size."""
    pairs = (pair.partition("=") for pair in sent.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
