"""Request bodies, decoded strictly: no unknown field, no "3" for 3, no 1.0 for 1."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Reference, Schema
from litestar.types import Scope
from litestar.typing import FieldDefinition

from ecshop.kernel.errors import MalformedBody, UnsupportedMediaType
from ecshop.kernel.http.headers import header
from ecshop.kernel.validation import NO_NUL, invalid, wrong

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
ACCEPTS: Final = "accepts"
"""The handler option that names the media types it reads; JSON alone without it."""

_UTF_8: Final = re.compile(r"(charset\s*=\s*\"?utf-?8\"?)?", re.IGNORECASE)
_TEXTS: Final = re.compile(rb'("(?:[^"\\]|\\.)*")\s*(:?)')
"""Each text of JSON, and whether it is a name."""
_LONGEST_ECHO: Final = 64
_SHORT_BODY: Final = 512  # bytes; of those many shapes are remembered
_ESCAPED: Final = b"\\u0000"
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class StrictBody(AbstractDTO[Any]):
    """As the app's DTO it decodes the bytes in one strict pass, where Litestar would convert them leniently."""

    _decoders: ClassVar[dict[str, msgspec.json.Decoder[Any]]] = {}
    """By the id of the handler."""

    def decode_bytes(self, value: bytes) -> Any:
        decoder, accepts = _reading(self.asgi_connection.scope["route_handler"])
        given = header(self.asgi_connection.scope, b"content-type") or ""
        media_type = given if given in accepts else _media_type(given)
        if media_type not in accepts:
            raise UnsupportedMediaType(f"send Content-Type: {' or '.join(accepts)}, in UTF-8")
        _refuse_encoded(self.asgi_connection.scope)
        try:
            if media_type == FORM:
                return msgspec.convert(_form(value.decode()), decoder.type, strict=False)
            if _ESCAPED in value and _NUL.search(value):
                raise wrong(_where_nul_is(msgspec.json.decode(value)) or "body", NO_NUL)
            decoded = decoder.decode(value)
            _refuse_names_twice(value)
            return decoded
        except msgspec.ValidationError as cause:
            raise invalid(cause, decoder.type) from None
        except msgspec.DecodeError as cause:
            raise MalformedBody(f"the body is not JSON: {cause}") from None
        except UnicodeDecodeError:
            raise MalformedBody("the body is not UTF-8") from None
        except RecursionError:
            raise MalformedBody("the body is nested too deeply") from None

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: type[Any] | None = None
    ) -> None:
        cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation)

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        return False  # answers are encoded as they are

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False


def require_media_type(request: Request[Any, Any, Any]) -> None:
    """Of a body that is taken as it is. Raises `UnsupportedMediaType`."""
    accepts: Sequence[str] = request.route_handler.opt[ACCEPTS]
    if _media_type(header(request.scope, b"content-type") or "") not in accepts:
        raise UnsupportedMediaType(f"send Content-Type: {' or '.join(accepts)}")
    _refuse_encoded(request.scope)


def _refuse_encoded(scope: Scope) -> None:
    if header(scope, b"content-encoding") is not None:
        raise UnsupportedMediaType("send the body as it is, without a Content-Encoding")


@cache
def _reading(handler: BaseRouteHandler) -> tuple[msgspec.json.Decoder[Any], tuple[str, ...]]:
    """How its body is decoded, and which media types it may have. Litestar makes a handler's id anew at each look."""
    return StrictBody._decoders[handler.handler_id], handler.opt.get(ACCEPTS, (JSON,))


def _media_type(given: str) -> str:
    """Without its parameters, of which only one is understood; empty with another."""
    media_type, _, parameters = given.partition(";")
    return media_type.strip().lower() if _UTF_8.fullmatch(parameters.strip()) else ""


def _refuse_names_twice(body: bytes) -> None:
    """Of two with the same name others may read the first one, and we the last (RFC 8259, section 4)."""
    shape = body.translate(None, b"0123456789")
    if not (_names_differ(shape) if len(shape) < _SHORT_BODY else _names_differ.__wrapped__(shape)):
        json.loads(body, object_pairs_hook=_object)


@lru_cache(1024)
def _names_differ(shape: bytes) -> bool:
    """Certainly. Without its digits a body has the same texts in the same places, and is one of few."""
    names = [name for name, colon in _TEXTS.findall(shape) if colon]
    return b"\\" not in shape and len(set(names)) == len(names)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
        raise wrong(twice[:_LONGEST_ECHO], "is given more than once")
    return found


def _form(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
        if name in fields:
            raise wrong(name, "is given more than once")
        if "\0" in value:
            raise wrong(name, NO_NUL)
        fields[name] = value
    return fields


def _where_nul_is(value: Any, path: str = "") -> str:
    """The path of the first text that holds a NUL character, as msgspec writes paths; "" when there is none."""
    if isinstance(value, str):
        return (path or "body") if "\0" in value else ""
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((f"{path}.{name}" if path else name, one) for name, one in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[{place}]", one) for place, one in enumerate(value))
    return next((found for deeper, one in inner if (found := _where_nul_is(one, deeper))), "")
