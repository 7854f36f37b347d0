"""What other contexts may know about auth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.credentials import LONGEST_PASSWORD, Password, UserName, check_password, keep_user_name
from ecshop.kernel.ended_sessions import EndedSessions
from ecshop.kernel.errors import EcshopError, Unauthenticated
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import JwkSet
from ecshop.kernel.values import NOT_BLANK, SEEN, Page
from ecshop.kernel.words import keep_name

LONGEST_KEY_NAME: Final = 100
SIGN_IN_LINK: Final = "a sign-in link"
"""What the client of a session is called that one has begun."""


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    user_name: UserName
    password: Password

    def __post_init__(self) -> None:
        keep_user_name(self, "user_name")
        check_password(self, "password", self.user_name)


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """`grant_type` may come along, as OAuth 2 clients send it with the password form."""

    username: Annotated[str, Meta(max_length=64, examples=["aoi"])]
    password: Annotated[str, Meta(max_length=LONGEST_PASSWORD, examples=["correct horse battery"])]
    grant_type: Literal["password"] | None = None


class User(Struct, frozen=True):
    id: UUID
    user_name: Annotated[str, Meta(examples=["aoi"])]
    role: Role
    created_at: datetime
    disabled: Annotated[bool, Meta(description="Who is cannot log in.")] = False


class Visitor(NamedTuple):
    """Where a login comes from, as its owner will be shown it."""

    address: str = ""
    agent: str = ""


NOBODY: Final = Visitor()


class UserFilter(Struct, frozen=True):
    """Which users a list has: `q` is what their names begin with, `user_id` are at most a hundred."""

    q: str | None = None
    role: Role | None = None
    disabled: bool | None = None
    user_id: tuple[UUID, ...] = ()


class UserChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is. Another role, or being disabled, ends all sessions of the account."""

    role: Annotated[Role | UnsetType, Meta(examples=["staff"])] = UNSET
    disabled: Annotated[bool | UnsetType, Meta(examples=[True])] = UNSET


class Token(Struct, frozen=True):
    """An access token; `expires_in` is in seconds, `scope` what a service may do with it."""

    access_token: str
    expires_in: int
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, no secret
    scope: str = ""
    refresh_token: Annotated[
        str | UnsetType, Meta(description="A person's: good for one `POST /auth/refresh`, which brings the next one.")
    ] = UNSET


class Refresh(Struct, frozen=True, forbid_unknown_fields=True):
    refresh_token: Annotated[str, Meta(max_length=1024, examples=["er_c2Vzc2lvbi1pZC0xNi1iLi4"])]
    grant_type: Literal["refresh_token"] | None = None


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    current_password: Annotated[str, Meta(max_length=LONGEST_PASSWORD, examples=["correct horse battery"])]
    new_password: Password

    def __post_init__(self) -> None:
        check_password(self, "new_password", "")


class SignedIn(Struct, frozen=True):
    """A session: a login from some device that has not ended."""

    id: UUID
    begun_at: datetime
    used_at: Annotated[datetime, Meta(description="When it was refreshed last.")]
    expires_at: datetime
    address: Annotated[str, Meta(description="Of its login.", examples=["192.0.2.1"])]
    agent: Annotated[str, Meta(description="What its client called itself.", examples=["Mozilla/5.0"])]
    is_current: Annotated[bool, Meta(description="Whether it is the one that asks.")]


class Sessions(Struct, frozen=True):
    items: tuple[SignedIn, ...]


class NewApiKey(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[
        str,
        Meta(min_length=1, max_length=LONGEST_KEY_NAME, pattern=NOT_BLANK, description=SEEN, examples=["the till"]),
    ]
    scopes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=40, examples=["order.write"])], ...],
        Meta(min_length=1, max_length=10, description="What it is good for: some of what you may do."),
    ]
    days: Annotated[int, Meta(ge=1, le=365, description="After which it ends.")] = 90

    def __post_init__(self) -> None:
        keep_name(self, "name", LONGEST_KEY_NAME)


class ApiKey(Struct, frozen=True):
    """`used_at` is when it was exchanged last, which a machine at work does every few minutes; null is never."""

    id: UUID
    name: Annotated[str, Meta(examples=["the till"])]
    scopes: Annotated[tuple[str, ...], Meta(examples=[["order.write"]])]
    made_at: datetime
    used_at: datetime | None
    expires_at: datetime
    key: Annotated[str | UnsetType, Meta(description="Shown once, to who makes it: `Authorization: Bearer <key>`.")] = (
        UNSET
    )


class ApiKeys(Struct, frozen=True):
    items: tuple[ApiKey, ...]
    may_grant: Annotated[tuple[str, ...], Meta(description="What you may give another one.", examples=[["order.read"]])]


class KeyExchange(Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, Meta(max_length=1024, examples=["ek_YW4gaWQgb2YgMTYgYnl0ZXMuLi4"])]


class UserExists(EcshopError, code="auth.user_exists", status=409):
    """The user name is taken."""


class InvalidCredentials(EcshopError, code="auth.invalid_credentials", status=401):
    """User name and password do not belong together."""


class InvalidRefreshToken(EcshopError, code="auth.invalid_refresh_token", status=401):
    """The session has ended, or the token was used before, which ends it; log in again."""


class AccountDisabled(EcshopError, code="auth.account_disabled", status=403):
    """The password is right, and the account was disabled by the shop."""


class WrongPassword(EcshopError, code="auth.wrong_password", status=403):
    """The current password is another one; nothing was changed."""


class NoSession(EcshopError, code="auth.no_session", status=409):
    """The token was made without a login: there is no session that could end."""


class SessionNotFound(EcshopError, code="auth.session_not_found", status=404):
    """There is no session of that id that is yours, or the user's, or it has ended."""


class InvalidApiKey(Unauthenticated, code="auth.invalid_api_key", status=401):
    """There is no such API key, or it has ended."""


class ApiKeyNotFound(EcshopError, code="auth.api_key_not_found", status=404):
    """You have no API key of that id, or it has ended."""


class TooManyApiKeys(EcshopError, code="auth.too_many_api_keys", status=409):
    """You have as many as one account may have; end one first."""


class ScopeNotGranted(EcshopError, code="auth.scope_not_granted", status=403, example={"may_grant": ["order.read"]}):
    """Nobody gives a key what he does not have himself; `may_grant` is what you have."""


class OwnAccount(EcshopError, code="auth.own_account", status=409):
    """Nobody takes his own role away, or disables himself: another admin does, or the command line."""


class TooManyAttempts(EcshopError, code="auth.too_many_attempts", status=429, example={"retry_after": 8}):
    """Too many wrong passwords or secrets, for an account or from an address; `retry_after` is in seconds."""


class UserNotFound(EcshopError, code="auth.user_not_found", status=404):
    """The token's user is no longer there."""


class InvalidClient(EcshopError, code="auth.invalid_client", status=401, example={"error": "invalid_client"}):
    """The service is unknown, or it does not prove that it is that one."""


class GrantRefused(EcshopError, code="auth.grant_refused", status=400, example={"error": "invalid_scope"}):
    """The grant type, the audience or the scope is not one that this service may ask for."""


@runtime_checkable
class AuthClient(Protocol):
    async def jwks(self) -> JwkSet:
        """The public keys that verify the shop's tokens."""
        ...

    async def service_token(self, request: ServiceTokenRequest) -> Token:
        """A short-lived token for one service to call another; raises `InvalidClient` or `GrantRefused`."""
        ...

    async def me(self, actor: Actor) -> User:
        """Raises `UserNotFound`."""
        ...

    async def users(self, actor: Actor, wanted: UserFilter, cursor: str | None, limit: int) -> Page[User]:
        """For staff, in the order of their names. Raises `InvalidCursor`."""
        ...

    async def change_user(self, actor: Actor, user_id: UUID, change: UserChange) -> User:
        """For admins. Raises `UserNotFound` or `OwnAccount`."""
        ...

    async def sign_up(self, new: NewUser, *, address: str = "") -> User:
        """Raises `UserExists` or `TooManyAttempts`."""
        ...

    async def log_in(self, login: Login, visitor: Visitor = NOBODY) -> Token:
        """Begin a session. Raises `InvalidCredentials`, `TooManyAttempts` or `AccountDisabled`."""
        ...

    async def refresh(self, refresh_token: str) -> Token:
        """Raises `InvalidRefreshToken`."""
        ...

    async def log_out(self, actor: Actor, *, everywhere: bool = False) -> None:
        """Raises `NoSession`."""
        ...

    async def change_password(self, actor: Actor, change: PasswordChange, *, address: str = "") -> None:
        """All other sessions end. Raises `WrongPassword`, `TooManyAttempts`, `UserNotFound` or `InvalidRequest`."""
        ...

    async def sessions_of(self, actor: Actor, user_id: UUID | None = None) -> Sessions:
        """The actor's own, or for an admin a user's; the one that was used last comes first. Raises `UserNotFound`."""
        ...

    async def end_session(self, actor: Actor, session_id: UUID, user_id: UUID | None = None) -> None:
        """One of the actor's own, or for an admin one of a user's. Raises `SessionNotFound`."""
        ...

    async def make_key(self, actor: Actor, new: NewApiKey) -> ApiKey:
        """The key itself is told here alone. Raises `ScopeNotGranted`, `TooManyApiKeys` or `UserNotFound`."""
        ...

    async def keys_of(self, actor: Actor) -> ApiKeys:
        """The actor's own, the newest first."""
        ...

    async def end_key(self, actor: Actor, key_id: UUID) -> None:
        """Raises `ApiKeyNotFound`."""
        ...

    async def exchange_key(self, key: str) -> Token:
        """A person's access token for an API key; raises `InvalidApiKey`."""
        ...

    async def ended_sessions(self, since: datetime | None) -> EndedSessions:
        """Those that ended since then, API keys too; without it all whose access tokens could still be good."""
        ...
