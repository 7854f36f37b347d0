"""Events that Pub/Sub pushes to a service, as to one that scales to zero (cloud.google.com/pubsub/docs/push)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import jwt
import msgspec
from httpx import AsyncClient, HTTPError
from litestar import post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler, HTTPScope
from msgspec import Meta, field

from ecshop.events.buses.pubsub import PubSubBus
from ecshop.events.buses.pubsub_project import Message
from ecshop.kernel.errors import EcshopError, Forbidden, Unauthenticated, Unavailable
from ecshop.kernel.http.headers import header
from ecshop.kernel.http.operation import ADMITS, BODY_ERRORS, operation
from ecshop.kernel.refreshing import Fresh, Refreshing
from ecshop.kernel.tokens import Verifier, bearer_token
from entrypoints.settings import Settings

PATH: Final = "/internal/events"
_ALGORITHM: Final = "RS256"
_LONGEST_TOKEN: Final = 4096
_CLOCK_SKEW: Final = 30  # seconds
_KEYS_FOR: Final = 3600.0  # seconds
_PAUSE: Final = 5.0  # seconds between two looks for a key that is not known
_TIMEOUT: Final = 5.0  # seconds

Name = Annotated[str, Meta(max_length=500)]


class SubscriptionUnknown(EcshopError, code="bus.subscription_unknown", status=404):
    """No listener of this service has this subscription."""


class EventPostponed(Unavailable, code="bus.event_postponed", status=503):
    """The event could not be applied now, and is to be pushed again."""


class PushedMessage(msgspec.Struct, frozen=True):
    message_id: Name = field(name="messageId")
    data: bytes = b""
    """JSON has it in base64."""
    attributes: dict[Name, Name] = {}


class Push(msgspec.Struct, frozen=True):
    """What is not named here is of no use."""

    message: PushedMessage
    subscription: Name


class PushTokens:
    """Whether a push comes from our own project: an OpenID Connect token of the service account that pushes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = Refreshing("the keys of who signs pushes", self._fetch, pause=_PAUSE, first_pause=1.0)

    async def keep_fresh(self) -> None:
        """Until cancelled."""
        await self._keys.keep_fresh()

    async def admit(self, connection: HTTPScope, _verifier: Verifier) -> None:
        """Raises `Unauthenticated`, or `Forbidden` for another account than the one that pushes."""
        token = bearer_token(header(connection, b"authorization"))
        try:
            claims = await self._verify(token)
        except (jwt.InvalidTokenError, ValueError) as cause:
            raise Unauthenticated(f"the token is not valid: {cause}") from cause
        if claims["email"] != self._settings.push_email or claims.get("email_verified") is not True:
            raise Forbidden("the token is of another account than ECSHOP_PUSH_EMAIL names")

    async def _verify(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise jwt.InvalidTokenError("it is too long")
        kid = jwt.get_unverified_header(token).get("kid")
        keys = await self._keys.get(suits=lambda keys: kid in keys)
        if keys is None:
            raise Unavailable("the keys of who signs pushes cannot be fetched; try again")
        if kid not in keys:
            raise jwt.InvalidTokenError("it is signed with an unknown key")
        return jwt.decode(
            token,
            keys[kid],
            algorithms=[_ALGORITHM],
            audience=self._settings.push_audience,
            issuer=self._settings.push_issuer,
            leeway=_CLOCK_SKEW,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "email"], "strict_aud": True},
        )

    async def _fetch(self) -> Fresh[dict[str, jwt.PyJWK]]:
        try:
            async with AsyncClient(timeout=_TIMEOUT) as http:
                answer = (await http.get(self._settings.push_keys_url)).raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (HTTPError, jwt.PyJWKError, jwt.PyJWKSetError, ValueError) as cause:
            raise Unavailable(f"{self._settings.push_keys_url}: {cause or type(cause).__name__}") from cause
        return Fresh({str(key.key_id): key for key in keys}, renew_after=_KEYS_FOR)


def push_route(bus: PubSubBus, tokens: PushTokens) -> ControllerRouterHandler:
    """An answer of 2xx acknowledges; after any other one Pub/Sub pushes the event again, later and later."""
    told = operation(
        "Take an event that Pub/Sub pushes",
        *BODY_ERRORS,
        Unauthenticated,
        Forbidden,
        SubscriptionUnknown,
        EventPostponed,
    )

    @post(PATH, status_code=204, **{**told, "opt": {**told["opt"], ADMITS: tokens.admit}})
    async def receive_event(data: JSONBody[Push]) -> None:
        """Needs a token of the service account that pushes. What can never be applied is a dead letter, and done."""
        message = Message("", data.message.data, data.message.attributes, data.message.message_id)
        try:
            pause = await bus.receive(data.subscription.rpartition("/")[2], message)
        except KeyError as cause:
            raise SubscriptionUnknown(f"nobody here listens on {data.subscription}") from cause
        if pause is not None:
            raise EventPostponed("it failed, and the log says why: push it again")

    return receive_event
