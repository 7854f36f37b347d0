"""The headers by which a client says that a change may be made once, or only to what it has seen; and ETag."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.params import HeaderParameter

from ecshop.kernel.conditions import ANY, Conditions, Repeat
from ecshop.kernel.identity import Actor
from ecshop.kernel.validation import rule, wrong

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=rule(r"^[!-~]*(?![\s\S])", "of visible ASCII"),
        description="Chosen by the client, one for each request: a repeat with it answers the same and does nothing. "
        "With or without quotes it is the same.",
    ),
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        min_length=1,
        max_length=1000,
        description="The `ETag` of what you have seen: if it has changed since, nothing is done.",
    ),
]
_TAG: Final = re.compile(r'\s*(W/)?"([!#-~\x80-\xff]*)"\s*(?:,|$)')


def unquoted(key: str | None) -> str | None:
    """A string of a structured field (RFC 9651, section 3.3.3) and a bare word are the same key."""
    is_quoted = key is not None and len(key) > len('""') and key[0] == key[-1] == '"'
    return key[1:-1] if key is not None and is_quoted else key


def conditions(
    request: Request[Actor, Any, Any], key: str | None = None, if_match: str | None = None, body: object = None
) -> Conditions:
    """Those of a change that `request` asks for with this `body`. Raises `InvalidRequest`."""
    bare = unquoted(key)
    repeat = (
        None
        if bare is None
        else Repeat(
            _hash(str(request.user.user_id), bare),
            _hash(request.method, request.scope["path"], msgspec.json.encode(body).decode()),
        )
    )
    return Conditions(repeat, ANY if if_match is None else _tags(if_match))


def _hash(*parts: str) -> bytes:
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


def _tags(if_match: str) -> tuple[str, ...]:
    """The strong ones: a weak tag matches nothing here (RFC 9110, section 13.1.1)."""
    if if_match.strip() == "*":
        return ANY
    tags, place = [], 0
    while place < len(if_match):
        found = _TAG.match(if_match, place)
        if found is None:
            raise wrong("If-Match", 'must be an ETag in its quotes, as "abc", or some with commas, or *')
        place = found.end()
        if not found[1]:
            tags.append(found[2])
    return tuple(tags)
