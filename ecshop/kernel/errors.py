"""One error model for calls that stay in the process and calls that leave it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar


class EcshopError(Exception):
    """Base of every error that a context lets its callers see.

    A subclass names a fact, carries a stable `code`, and may carry `fields`: plain JSON values, so that they are the
    same after a trip over HTTP. Its docstring is what the API documentation says of it.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    example: ClassVar[Mapping[str, Any]] = {}
    known: ClassVar[dict[str, type[EcshopError]]] = {}

    def __init_subclass__(cls, *, code: str, status: int, example: Mapping[str, Any] | None = None) -> None:
        if code in EcshopError.known:
            raise TypeError(f"error code {code!r} is already taken by {EcshopError.known[code].__name__}")
        cls.code, cls.status, cls.example = code, status, example or {}
        EcshopError.known[code] = cls

    def __init__(self, detail: str = "", **fields: Any) -> None:
        super().__init__(detail or self.title())
        self.detail, self.fields = str(self), fields

    @classmethod
    def title(cls) -> str:
        """`NoSuchPath` -> "No such path"."""
        return re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__).capitalize()


class Internal(EcshopError, code="internal", status=500):
    """The shop failed. Its log has the cause under the answer's request id."""

    def __init__(self, detail: str = "the shop failed; its log has the cause under this request id") -> None:
        super().__init__(detail)


class Unavailable(EcshopError, code="unavailable", status=503):
    """The other side did not answer: whether it did what was asked is not known. Try again."""


class Aborted(Unavailable, code="aborted", status=503):
    """It was not done, and nothing was changed: too much waits, time is over, or a database is away. Try again."""


class TookTooLong(EcshopError, code="request.took_too_long", status=503):
    """To find it took too long. Ask for less, by more letters or another filter, or try again later."""


class NoSuchPath(EcshopError, code="http.not_found", status=404):
    """Nothing is served at this path."""


class MethodNotAllowed(EcshopError, code="http.method_not_allowed", status=405):
    """The path is served, but not with this method."""


class MalformedRequest(EcshopError, code="http.malformed", status=400):
    """What came is no HTTP request."""


class HeadTooLarge(EcshopError, code="http.head_too_large", status=431):
    """The head of the request is larger than 16 KiB, or has more than 100 headers."""


class RequestTooSlow(EcshopError, code="http.too_slow", status=408):
    """The request did not come in its time: its head within seconds after the connection, then its body."""


class MalformedBody(EcshopError, code="request.malformed", status=400):
    """The body is not the JSON that it says it is."""


class InvalidRequest(
    EcshopError,
    code="request.invalid",
    status=400,
    example={"errors": [{"field": "quantity", "message": "must be a whole number from 1 to 10000"}]},
):
    """A value is missing, unknown, of the wrong type or out of range; `errors` has each field and what is allowed."""


class InvalidCursor(EcshopError, code="request.invalid_cursor", status=400):
    """The cursor was not made by this list with this order."""


class BodyTooLarge(EcshopError, code="request.too_large", status=413):
    """The body is larger than 64 KiB, or an image than 8 MiB."""


class UnsupportedMediaType(EcshopError, code="request.unsupported_media_type", status=415):
    """The Content-Type is not one that this operation reads."""


class Unauthenticated(EcshopError, code="auth.unauthenticated", status=401):
    """No valid access token came with the request: it is missing, forged, expired or made for somebody else."""


class Forbidden(EcshopError, code="auth.forbidden", status=403):
    """The token is valid, but its holder may not do this."""
