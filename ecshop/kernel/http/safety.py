"""What every answer tells a browser: run nothing that is not ours, guess no types, keep nothing.

OWASP's Secure Headers project, for a REST API (cheatsheetseries.owasp.org, REST Security).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Headers = Iterable[tuple[bytes, bytes]]

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy for data: shown by mistake, it may load and run nothing (W3C, Content Security Policy 3)."""
OWN_PAGE: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""For a page of ours: Swagger UI writes styles into its elements, and has its pictures in them."""
NO_STORE: Final = "no-store"
FOR_GOOD: Final = "public, max-age=31536000, immutable"
"""For what is never another thing under the same address (RFC 8246)."""
NOSNIFF: Final = "nosniff"
NO_REFERRER: Final = "no-referrer"
"""Of pages: data leads nowhere, and each header costs."""
HTTPS_ONLY: Final = "max-age=63072000"
"""Two years, as browsers' preload lists want it (RFC 6797)."""

_NOSNIFF: Final = (b"x-content-type-options", NOSNIFF.encode())
_FOR_DATA: Final = [(b"content-security-policy", NOTHING.encode())]
_FOR_PAGES: Final = [(b"content-security-policy", OWN_PAGE.encode()), (b"referrer-policy", NO_REFERRER.encode())]
_NO_STORE: Final = (b"cache-control", NO_STORE.encode())
_HTTPS_ONLY: Final = (b"strict-transport-security", HTTPS_ONLY.encode())


def with_safety(headers: Headers, request_id: str, scheme: str) -> list[tuple[bytes, bytes]]:
    """An answer's, its id, and these; what says itself how long it may be kept, or what it may load, is left so."""
    fitting, is_kept, has_policy = _FOR_DATA, False, False
    for name, value in headers:
        if name == b"cache-control":
            is_kept = True
        elif name == b"content-security-policy":
            has_policy = True
        elif name == b"content-type" and value.startswith(b"text/html"):
            fitting = _FOR_PAGES
    if has_policy:
        fitting = []
    safe = [*headers, (b"x-request-id", request_id.encode()), _NOSNIFF, *fitting]
    if not is_kept:
        safe.append(_NO_STORE)
    if scheme == "https":
        safe.append(_HTTPS_ONLY)
    return safe
