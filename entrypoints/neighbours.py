"""How a service of its own reaches the others: connections, and tokens of its own to call with."""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

import httpx

from ecshop.auth.client_credentials import JWT_BEARER, ServiceTokenRequest
from ecshop.auth.clients import sign_assertion
from ecshop.auth.contract import AuthClient
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.http.health import OK
from ecshop.kernel.http.remote import Credentials, Remote
from ecshop.kernel.refreshing import Fresh, Refreshing
from entrypoints.client_proofs import Reread, own_key, own_secret
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.grants import GRANTS
from entrypoints.settings import BadSetting, Settings

_ALIVE_WITHIN: Final = 1.0  # seconds
_REMEMBER: Final = 2.0  # seconds
_PAUSE: Final = 1.0  # seconds after a refusal in which auth is not asked again
_RENEW_BEFORE: Final = 60.0  # seconds of a token's life that are never used

Proof = Mapping[str, Any]
"""Fields of a request for a token."""


class Neighbours:
    """The other services of the shop, as seen from the contexts that are `here`."""

    def __init__(self, settings: Settings, here: Collection[str]) -> None:
        self._settings, self._here = settings, here
        self._open: dict[str, httpx.AsyncClient] = {}
        self._remotes: dict[str, Remote] = {}
        self._report: tuple[float, dict[str, str]] = (-math.inf, {})
        self._tokens: list[ServiceToken] = []

    def remote(self, name: str, auth: AuthClient | None = None) -> Remote:
        """Calls go out with a token from `auth` where one of those here is granted any scope; it is made once.

        Raises `BadSetting`.
        """
        if name in self._remotes:
            return self._remotes[name]
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - the one-process shop starts faster without it

        url = self._settings.urls[name]
        limits = httpx.Limits(max_connections=200, keepalive_expiry=30)
        transport = AiohttpTransport(verify=_certificates(url), limits=limits)
        http = httpx.AsyncClient(base_url=url, transport=transport, trust_env=False)
        self._open[name] = http
        self._remotes[name] = Remote(http, self._credentials(name, auth) if auth else None)
        return self._remotes[name]

    @property
    def jobs(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What keeps the tokens fresh."""
        return [token.keep_fresh for token in self._tokens]

    async def report(self) -> dict[str, str]:
        """Whether the services that are called from here are alive, by their names; remembered for a while.

        Calls go down: to those that stand before the last of these here in the list of services.
        """
        asked_at, report = self._report
        if time.monotonic() - asked_at > _REMEMBER:
            above = max(map(SERVICE_NAMES.index, self._here))
            called = {name: http for name, http in self._open.items() if SERVICE_NAMES.index(name) < above}
            found = await asyncio.gather(*map(_is_alive, called.values()))
            report = dict(zip(called, found, strict=True))
            self._report = (time.monotonic(), report)
        return report

    def calls(self) -> dict[tuple[str, ...], float]:
        return {(name,): remote.calls for name, remote in self._remotes.items()}

    def requests(self) -> dict[tuple[str, ...], float]:
        return {(name,): remote.requests for name, remote in self._remotes.items()}

    async def close(self) -> None:
        for http in self._open.values():
            await http.aclose()

    def _credentials(self, callee: str, auth: AuthClient) -> Credentials | None:
        for caller in GRANTS.keys() & self._here:
            if callee in GRANTS[caller]:
                prove, scopes = proof_of(self._settings, caller), GRANTS[caller][callee]
                self._tokens.append(ServiceToken(auth, caller, prove, callee, scopes))
                return self._tokens[-1]
        return None


async def _is_alive(http: httpx.AsyncClient) -> str:
    try:
        answer = await http.get("/health/live", timeout=_ALIVE_WITHIN)
    except httpx.TransportError:
        return "does not answer"
    return OK if answer.is_success else f"answers {answer.status_code}"


class ServiceToken:
    """The token that one service calls another with."""

    def __init__(
        self, auth: AuthClient, client_id: str, prove: Callable[[], Proof], audience: str, scopes: frozenset[str]
    ) -> None:
        self._auth, self._prove = auth, prove
        self._request = partial(
            ServiceTokenRequest, "client_credentials", client_id, audience, " ".join(sorted(scopes))
        )
        self._token = Refreshing(f"a token for {client_id} to call {audience}", self._fetch, pause=_PAUSE)

    async def __call__(self, rejected: str = "") -> str:
        """Raises `Unavailable`."""
        token = await self._token.get(lambda token: token != rejected)
        if token is None:
            raise Unavailable("auth gives this service no token; its log has the cause")
        return token

    async def keep_fresh(self) -> None:
        """Renew it before its end, until cancelled."""
        await self._token.keep_fresh()

    async def _fetch(self) -> Fresh[str]:
        token = await self._auth.service_token(self._request(**self._prove()))
        return Fresh(token.access_token, renew_after=token.expires_in - _RENEW_BEFORE, good_for=token.expires_in)


def _certificates(url: str) -> ssl.SSLContext | bool:
    """What an https neighbour is checked against; http needs none."""
    if not url.startswith("https:"):
        return False
    try:
        return httpx.create_ssl_context()
    except OSError as cause:
        raise BadSetting(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {cause.strerror or cause}"
        ) from cause


def proof_of(settings: Settings, caller: str) -> Callable[[], Proof]:
    """Made anew for each request, of what the settings name by then. Raises `BadSetting`."""
    if settings.client_key:
        key = Reread(partial(own_key, settings))
        return lambda: {"client_assertion": sign_assertion(caller, key()), "client_assertion_type": JWT_BEARER}
    if settings.client_secret:
        secret = Reread(partial(own_secret, settings))
        return lambda: {"client_secret": secret()}
    raise BadSetting(
        f"{caller} proves itself to auth with a secret or a key: set ECSHOP_CLIENT_SECRET or ECSHOP_CLIENT_KEY"
    )
