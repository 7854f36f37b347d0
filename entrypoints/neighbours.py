"""How a service of its own reaches the others: connections, and tokens of its own to call with."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import httpx
import structlog
from httpx_aiohttp import AiohttpTransport

from ecshop.auth.contract import AuthClient, GrantRefused, InvalidClient, ServiceTokenRequest
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.remote import Credentials, Remote

log = structlog.get_logger("neighbours")

_TIMEOUT: Final = httpx.Timeout(5.0, connect=1.0)
_PAUSE: Final = 1.0  # seconds after a refusal in which auth is not asked again
_RENEW_BEFORE: Final = 60.0  # seconds of a token's life that are never used


class Neighbours:
    """The other services of the shop, as seen from this one."""

    def __init__(self) -> None:
        self._open: list[httpx.AsyncClient] = []

    def remote(self, url: str, credentials: Credentials | None = None) -> Remote:
        limits = httpx.Limits(max_connections=200, keepalive_expiry=30)
        http = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, transport=AiohttpTransport(limits=limits))
        self._open.append(http)
        return Remote(http, credentials)

    async def close(self) -> None:
        for http in self._open:
            await http.aclose()


class ServiceToken:
    """The token that one service calls another with: fetched when it is first needed, renewed before it expires."""

    def __init__(self, auth: AuthClient, client_id: str, secret: str, audience: str, scopes: frozenset[str]) -> None:
        self._auth, self._renewing = auth, asyncio.Lock()
        self._request = ServiceTokenRequest("client_credentials", client_id, secret, audience, " ".join(sorted(scopes)))
        self._token = ""
        self._renew_at = self._good_until = self._tried = float("-inf")

    async def __call__(self) -> str:
        if time.monotonic() >= self._renew_at:
            async with self._renewing:
                if time.monotonic() >= self._renew_at:
                    await self._renew()
        if time.monotonic() >= self._good_until:
            raise Unavailable("auth gives this service no token; its log tells more")
        return self._token

    async def _renew(self) -> None:
        """A token that is still good stands in for one that auth cannot give; those who wait fail together."""
        asked = time.monotonic()
        if asked - self._tried < _PAUSE:
            return
        try:
            token = await self._auth.service_token(self._request)
        except (Unavailable, InvalidClient, GrantRefused) as refusal:
            self._tried = time.monotonic()
            log.error("auth gives no token", client=self._request.client_id, error=refusal.detail)
            return
        self._token, self._good_until = token.access_token, asked + token.expires_in
        self._renew_at = self._good_until - _RENEW_BEFORE
