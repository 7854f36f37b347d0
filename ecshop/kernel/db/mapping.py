"""Between rows and structs, by the names of their fields, so that none is forgotten in silence."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET
from sqlalchemy.orm import DeclarativeBase

S = TypeVar("S", bound=msgspec.Struct)


def struct_of(type_: type[S], row: Any, **derived: Any) -> S:
    """Each field from the column of its name, or as `derived`; a field that neither has is an `AttributeError`."""
    return type_(**{name: derived[name] if name in derived else getattr(row, name) for name in type_.__struct_fields__})


def columns_of(type_: type[msgspec.Struct], rows: type[DeclarativeBase]) -> list[Any]:
    """What to select for `type_(*row)`, in the order of its fields; a name that `rows` lacks is an `AttributeError`.

    For what is read most: by position takes a twentieth of what `struct_of` takes for such a row (0.2 against 3.8 us).
    """
    return [getattr(rows, name) for name in type_.__struct_fields__]


def given(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given: all but those that are UNSET."""
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not UNSET}


def assign(row: DeclarativeBase, values: dict[str, Any]) -> None:
    """Set columns by name; a name that is no column is an `AttributeError`, where Python alone would take it."""
    columns = row.__mapper__.column_attrs
    for name, value in values.items():
        if name not in columns:
            raise AttributeError(f"{type(row).__name__} has no column {name}")
        setattr(row, name, value)
