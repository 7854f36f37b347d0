"""Request bodies, decoded strictly: no unknown field, no "3" for 3, no 1.0 for 1."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar._openapi.schema_generation import SchemaCreator
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Operation, Reference, Schema
from litestar.typing import FieldDefinition

from ecshop.kernel.errors import InvalidRequest, MalformedBody, UnsupportedMediaType

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
ACCEPTS: Final = "accepts"
"""The handler option that names the media types it reads; JSON alone without it."""

NO_NUL: Final = "no text may hold a NUL character"
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_WHERE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.DOTALL)


class StrictBody(AbstractDTO[Any]):
    """As the app's DTO it decodes the bytes in one strict pass, where Litestar would convert them leniently."""

    _types: ClassVar[dict[str, Any]] = {}
    _decoders: ClassVar[dict[str, msgspec.json.Decoder[Any]]] = {}

    def decode_bytes(self, value: bytes) -> Any:
        handler = self.asgi_connection.route_handler
        media_type = self.asgi_connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        accepts = handler.opt.get(ACCEPTS, (JSON,))
        if media_type not in accepts:
            raise UnsupportedMediaType(f"send Content-Type: {' or '.join(accepts)}")
        try:
            if media_type == FORM:
                fields = dict(parse_qsl(value.decode(), keep_blank_values=True))
                if any("\0" in text for text in fields.values()):
                    raise InvalidRequest(NO_NUL)
                return msgspec.convert(fields, self._types[handler.handler_id], strict=False)
            if _NUL.search(value):
                raise InvalidRequest(NO_NUL)
            return self._decoders[handler.handler_id].decode(value)
        except msgspec.ValidationError as cause:
            raise invalid(cause) from None
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
        cls._types[handler_id] = field_definition.annotation
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


def invalid(error: msgspec.ValidationError) -> InvalidRequest:
    """msgspec's message taken apart into a field and what is wrong with it."""
    found = _WHERE.match(str(error))
    assert found is not None
    field = found["where"] or "body"
    return InvalidRequest(f"{field}: {found['what']}", errors=[{"field": field, "message": found["what"]}])


def body_operation(*media_types: str) -> type[Operation]:
    """Documents a body that may come in one of several media types, or in another one than JSON."""

    @dataclass
    class BodyOperation(Operation):
        def __post_init__(self) -> None:
            if self.request_body is not None and not isinstance(self.request_body, Reference):
                [content] = self.request_body.content.values()
                self.request_body.content = dict.fromkeys(media_types, content)

    return BodyOperation


_WHOLE: Final = re.compile(r"-?[0-9]+")


async def strict_query(request: Request[Any, Any, Any]) -> None:
    """No 3.0 for 3, nothing twice: Litestar converts leniently, and takes the last of two."""
    if not request.scope["query_string"]:
        return
    for name, field in request.route_handler.parsed_fn_signature.parameters.items():
        key = getattr(field.kwarg_definition, "query", None) or name
        values = request.query_params.getall(key, [])
        if len(values) > 1 and not field.is_non_string_collection:
            raise InvalidRequest(f"{key}: is given more than once", errors=[{"field": key, "message": "twice"}])
        whole = int in (field.annotation, *field.args)
        if whole and any(not _WHOLE.fullmatch(value) for value in values):
            raise InvalidRequest(f"{key}: Expected `int`", errors=[{"field": key, "message": "Expected `int`"}])
        if any("\0" in value for value in values):
            raise InvalidRequest(f"{key}: {NO_NUL}", errors=[{"field": key, "message": NO_NUL}])
