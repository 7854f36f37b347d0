"""What comes in beside the body: path, query and headers, converted strictly, and nothing that was not asked for.

Litestar converts leniently (3.0 for 3, and 3 for a time), takes the last of two, and lets pass what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any, Final, NamedTuple, get_args
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import HeaderParameter, ParameterKwarg, PathParameter, QueryParameter
from litestar.typing import FieldDefinition
from msgspec import Meta

from ecshop.kernel.errors import InvalidRequest
from ecshop.kernel.validation import NO_NUL, invalid, merged, wrong

_NEITHER: Final = "neither a number nor a time"
_WHOLE: Final = re.compile(r"-?[0-9]+")
_TIME: Final = re.compile(r"[0-9-]{10}[Tt][0-9:.]+(?:[Zz]|[+-][0-9]{2}:[0-9]{2})")
"""RFC 3339: a time says its distance from UTC."""
_WRITTEN: Final[Mapping[type, re.Pattern[str]]] = {int: _WHOLE, datetime: _TIME}
"""How values of a type are written, where msgspec takes more."""
_BOUNDS: Final = {name: name for name in ("ge", "le", "min_length", "max_length", "pattern")}
_LENGTHS: Final = {"min_items": "min_length", "max_items": "max_length"}
"""By Litestar's name, the name that msgspec has for a bound: of a value, and of a list of values."""


class _Parameter(NamedTuple):
    name: str
    type: Any
    """With its bounds, so that msgspec can convert to it."""
    holder: Any
    """Of one field, `value`: msgspec reads the type of a struct once, and any other one at each conversion."""
    header: bytes
    many: bool
    written: re.Pattern[str] | None
    required: bool


class _Expected(NamedTuple):
    path: Sequence[_Parameter]
    query: Mapping[str, _Parameter]
    headers: Sequence[_Parameter]
    body: bool
    strict: bool


def check_parameters(request: Request[Any, Any, Any]) -> None:
    """Raises `InvalidRequest` that names every field which is wrong."""
    scope = request.scope
    expected = _expected(request.route_handler)
    if not expected.strict:
        return
    errors: list[InvalidRequest] = []
    if expected.query or scope["query_string"]:
        _check_query(scope, expected.query, errors)
    for parameter in expected.path:
        _check_path(parameter, scope, errors)
    for parameter in expected.headers:
        _check_header(parameter, scope, errors)
    if not expected.body and _has_body(scope):
        errors.append(wrong("body", "is not taken by this operation; send none"))
    if errors:
        raise merged(errors)


def _check_query(scope: Any, expected: Mapping[str, _Parameter], errors: list[InvalidRequest]) -> None:
    given = _given(scope["query_string"], errors)
    for name in given:
        if name not in expected:
            known = f"known are: {', '.join(expected)}" if expected else "this operation takes none"
            errors.append(wrong(name, f"is not known here; {known}"))
    for name, parameter in expected.items():
        _check_values(parameter, given.get(name, ()), errors)


def _check_path(parameter: _Parameter, scope: Any, errors: list[InvalidRequest]) -> None:
    """Litestar has converted it already, and takes +1, 01 and 1_0 for numbers."""
    value = scope["path_params"][parameter.name]
    if parameter.written is _WHOLE and f"/{value}/" not in f"{scope['path']}/":
        value = _NEITHER
    _check_type(parameter, value, errors)


def _check_header(parameter: _Parameter, scope: Any, errors: list[InvalidRequest]) -> None:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == parameter.header]
    _check_values(parameter, values, errors)


def _given(query: bytes, errors: list[InvalidRequest]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(query.decode(), keep_blank_values=True, errors="strict"):
            given.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        errors.append(wrong("query", "must be UTF-8"))
    return given


def _check_values(parameter: _Parameter, values: Sequence[str], errors: list[InvalidRequest]) -> None:
    if len(values) > 1 and not parameter.many:
        errors.append(wrong(parameter.name, "is given more than once"))
    elif values:
        _check_value(parameter, values if parameter.many else values[0], errors)
    elif parameter.required:
        errors.append(wrong(parameter.name, "is required"))


def _check_value(parameter: _Parameter, value: Any, errors: list[InvalidRequest]) -> None:
    texts = value if parameter.many else [value]
    if any("\0" in text for text in texts):
        errors.append(wrong(parameter.name, NO_NUL))
    elif parameter.written and not all(parameter.written.fullmatch(text) for text in texts):
        _check_type(parameter, [_NEITHER] if parameter.many else _NEITHER, errors)
    else:
        _check_type(parameter, value, errors)


def _check_type(parameter: _Parameter, value: Any, errors: list[InvalidRequest]) -> None:
    try:
        msgspec.convert({"value": value}, parameter.holder, strict=False)
    except msgspec.ValidationError:
        errors.append(_invalid(parameter, value))


def _invalid(parameter: _Parameter, value: Any) -> InvalidRequest:
    try:
        msgspec.convert(value, parameter.type, strict=False)
    except msgspec.ValidationError as cause:
        [told] = invalid(cause, parameter.type, parameter.name).fields["errors"]  # of one of many its place is in it
        return wrong(parameter.name, told["message"])
    raise AssertionError("what its holder refuses, a type refuses too")


def _has_body(scope: Any) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
            return True
    return False


@cache
def _expected(handler: BaseRouteHandler) -> _Expected:
    fields = handler.parsed_fn_signature.parameters
    return _Expected(
        path=_of_kind(PathParameter, fields),
        query={parameter.name: parameter for parameter in _of_kind(QueryParameter, fields)},
        headers=_of_kind(HeaderParameter, fields),
        body=not fields.keys().isdisjoint({"data", "body"}),
        strict=not isinstance(handler, HTTPRouteHandler) or handler.resolve_include_in_schema(),
    )


def _of_kind(kind: type[ParameterKwarg], fields: Mapping[str, FieldDefinition]) -> list[_Parameter]:
    return [
        _parameter(name, field, field.kwarg_definition)
        for name, field in fields.items()
        if isinstance(field.kwarg_definition, kind)
    ]


def _parameter(name: str, field: FieldDefinition, definition: ParameterKwarg) -> _Parameter:
    many = field.is_non_string_collection
    kinds = get_args(field.annotation)
    type_ = field.annotation
    if NoneType in kinds:  # a value that is there is not null
        type_ = reduce(or_, (kind for kind in kinds if kind is not NoneType))
    bounds = {
        theirs: value
        for ours, theirs in (_LENGTHS if many else _BOUNDS).items()
        if (value := getattr(definition, ours)) is not None
    }
    written = next((_WRITTEN[kind] for kind in _WRITTEN if kind in (field.annotation, *kinds)), None)
    bounded = Annotated[type_, Meta(**bounds)] if bounds else type_
    holder = msgspec.defstruct("Holder", [("value", bounded)])
    name = definition.name or name
    return _Parameter(name, bounded, holder, name.lower().encode(), many, written, field.is_required)
