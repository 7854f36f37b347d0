"""What is wrong with a value that came from outside, in the words of whoever sent it.

msgspec finds that something is wrong and where; the type at that place says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from ecshop.kernel.errors import InvalidRequest

RULES: Final[dict[str, str]] = {}
"""What a pattern asks for, by the pattern: nobody has to read a regular expression."""

_WHERE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\[(?P<item>\d+|\.\.\.)\]|(?P<field>[^.\[\]]+)")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MSGSPECS_OWN: Final = ("Expected ", "Invalid ", "Object ", "Integer ", "Number ", "Out of range")
_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.UUIDType: "a UUID",
    inspect.DateTimeType: "a time like 2026-01-31T12:00:00Z",
}
NO_NUL: Final = "must not hold a NUL character"
_LONGEST_ECHO: Final = 64
"""How much of an unknown field's name is said back."""


class Wrong(ValueError):
    """What `__post_init__` of a struct raises: this field is wrong, and why, as the rest of a sentence about it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field, self.message = field, message


def rule(pattern: str, says: str) -> str:
    """A pattern, with what it asks for as the rest of "text ..."."""
    RULES[pattern] = says
    return pattern


def invalid(error: msgspec.ValidationError, type_: Any, field: str = "body") -> InvalidRequest:
    """The error of a conversion to `type_`, by its field; `field` names the whole value."""
    found = _WHERE.match(str(error))
    assert found is not None
    what, where = found["what"], found["where"] or ""
    if isinstance(error.__cause__, Wrong):
        return wrong(_join(where, error.__cause__.field), error.__cause__.message)
    if missing := _MISSING.fullmatch(what):
        return wrong(_join(where, missing[1]), "is required")
    here = _at(_inspected(type_), where)
    if unknown := _UNKNOWN.fullmatch(what):
        return wrong(_join(where, unknown[1][:_LONGEST_ECHO]), f"is not known here; known are: {_fields(here)}")
    if what.startswith(_MSGSPECS_OWN) and here is not None:
        return wrong(where or field, f"must be {describe(here)}")
    return wrong(where or field, what)


def wrong(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {message}", errors=[{"field": field, "message": message}])


def describe(type_: inspect.Type) -> str:
    """What a value of this type is, as a noun with its bounds."""
    words = _PLAIN.get(type(type_), "something else")
    match type_:
        case inspect.Metadata():
            words = describe(type_.type)
        case inspect.IntType():
            words = f"a whole number{_range(type_.ge, type_.le)}"
        case inspect.FloatType():
            words = f"a number{_range(type_.ge, type_.le, more_than=type_.gt)}"
        case inspect.StrType():
            says = f", {RULES[type_.pattern]}" if type_.pattern in RULES else ""
            words = f"text{_length(type_.min_length, type_.max_length, 'character')}{says}"
        case inspect.LiteralType():
            words = _one_of([str(value) for value in type_.values])
        case inspect.EnumType():
            words = _one_of([str(member.value) for member in type_.cls])
        case inspect.VarTupleType() | inspect.ListType():
            words = f"a list{_length(type_.min_length, type_.max_length, 'item')}"
        case inspect.UnionType():
            words = " or ".join(describe(kind) for kind in type_.types)
        case inspect.StructType():
            words = f"an object with {_fields(type_)}"
    return words


@cache
def _inspected(type_: Any) -> inspect.Type:
    return inspect.type_info(type_)


def _at(type_: inspect.Type | None, where: str) -> inspect.Type | None:
    for step in _STEP.finditer(where):
        type_ = _into(type_, step["field"])
    return type_


def _into(type_: inspect.Type | None, field: str | None) -> inspect.Type | None:
    match type_:
        case inspect.Metadata():
            return _into(type_.type, field)
        case inspect.UnionType():
            return next((inner for kind in type_.types if (inner := _into(kind, field)) is not None), None)
        case inspect.StructType() if field is not None:
            return next((one.type for one in type_.fields if one.encode_name == field), None)
        case inspect.VarTupleType() | inspect.ListType():
            return type_.item_type
    return None


def _fields(type_: inspect.Type | None) -> str:
    match type_:
        case inspect.Metadata():
            return _fields(type_.type)
        case inspect.StructType():
            return ", ".join(one.encode_name for one in type_.fields)
        case inspect.UnionType():
            return next((names for kind in type_.types if (names := _fields(kind))), "")
    return ""


def _one_of(values: Sequence[str]) -> str:
    return f"one of {', '.join(values)}" if len(values) > 1 else values[0]


def _range(lowest: float | None, highest: float | None, *, more_than: float | None = None) -> str:
    if lowest is not None and highest is not None:
        return f" from {lowest} to {highest}"
    least = f"more than {more_than}" if more_than is not None else f"at least {lowest}" if lowest is not None else ""
    most = f"at most {highest}" if highest is not None else ""
    bounds = " and ".join(bound for bound in (least, most) if bound)
    return f" of {bounds}" if bounds else ""


def _length(shortest: int | None, longest: int | None, unit: str) -> str:
    match shortest, longest:
        case None, None:
            return ""
        case None, _:
            return f" of at most {longest} {unit}s"
        case _, None:
            return f" of at least {shortest} {unit}{'s' if shortest != 1 else ''}"
        case _:
            return f" of {shortest} to {longest} {unit}s"


def _join(where: str, field: str) -> str:
    return f"{where}.{field}" if where else field


def merged(errors: Sequence[InvalidRequest]) -> InvalidRequest:
    """Several refusals as one."""
    return InvalidRequest(
        "; ".join(error.detail for error in errors), errors=[one for error in errors for one in error.fields["errors"]]
    )
