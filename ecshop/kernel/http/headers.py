"""What a request's headers say, read from the bytes that came."""

from __future__ import annotations

from litestar.types import Scope


def client_of(scope: Scope) -> str:
    """The client's address, as far as it is known."""
    client = scope.get("client")
    return client[0] if client else ""


def header(scope: Scope, name: bytes) -> str | None:
    """The first value under a `name` in small letters, as ISO 8859-1 (RFC 9110, section 5.5); None without one."""
    for given, value in scope["headers"]:
        if given == name:
            return value.decode("latin-1")
    return None
