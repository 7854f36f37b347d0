"""Column types that are the same on SQLite and PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, cast
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, CursorResult, Dialect, Integer, LargeBinary, Result, String, Table, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from ecshop.kernel.clock import EPOCH, now

_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder: Final = msgspec.msgpack.Encoder()

CountedKey: Final = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key that the database counts up; SQLite does so for an INTEGER PRIMARY KEY only."""


def sort_key(length: int) -> TypeEngine[str]:
    """Text that is sorted by its code points, as SQLite does and PostgreSQL in the collation "C" alone."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, kept as microseconds since 1970: it sorts, and no database drops its zone."""

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """Without the detour of `process_bind_param`: an order binds ten of them."""
        return _to_microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        return _from_microseconds


def _to_microseconds(value: datetime | None) -> int | None:
    return None if value is None else (value - EPOCH) // _MICROSECOND


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


class CompactUuid(TypeDecorator[UUID]):
    """16 bytes on SQLite, where SQLAlchemy's `Uuid` would take 32 letters."""

    impl = Uuid
    cache_ok = True

    @property
    def python_type(self) -> type[UUID]:
        return UUID

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return LargeBinary(16) if dialect.name == "sqlite" else Uuid()

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _to_bytes if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _from_bytes if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


class CompactId(TypeDecorator[str]):
    """An id that is a UUID if it is one of ours, and then 16 bytes on SQLite; any other one is text, on both."""

    impl = String
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        return str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return LargeBinary(80) if dialect.name == "sqlite" else String(80)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _packed if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _unpacked if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


class Document(TypeDecorator[Any]):
    """A value of `type_` in MessagePack: it is read and written with its row, and no statement looks into it."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, type_: Any) -> None:
        super().__init__()
        self.type_ = type_
        self._decode = msgspec.msgpack.Decoder(type_).decode

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], bytes | None]:
        return _written

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[bytes | None], Any]:
        return self._read

    def _read(self, written: bytes | None) -> Any:
        return None if written is None else self._decode(written)


def _written(value: Any) -> bytes | None:
    return None if value is None else _encoder.encode(value)


class Coded(TypeDecorator[str]):
    """One of a few words, kept as a short code, as a server's own catalogue does (PostgreSQL: pg_class.relkind).

    A word that has no code is kept as it is.
    """

    impl = String
    cache_ok = True

    def __init__(self, codes: Mapping[str, str], length: int) -> None:
        """`codes` by word; `length` of the longest that is kept."""
        super().__init__(length)
        self.codes, self.length = tuple(codes.items()), length
        self._codes, self._words = dict(codes), {code: word for word, code in codes.items()}

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:
        return self._coded

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], str | None]:
        return self._word

    def process_literal_param(self, value: str | None, dialect: Dialect) -> str:
        return str(self._coded(value))

    def _coded(self, word: str | None) -> str | None:
        return None if word is None else self._codes.get(word, word)

    def _word(self, code: str | None) -> str | None:
        return None if code is None else self._words.get(code, code)


def _to_bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _from_bytes(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


def _packed(value: str | None) -> str | bytes | None:
    if value is None or not _UUID.fullmatch(value):
        return value
    return bytes.fromhex(value.replace("-", ""))


def _unpacked(value: str | bytes | None) -> str | None:
    if not isinstance(value, bytes):
        return value
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


COLUMN_TYPES: Final[dict[Any, Any]] = {int: BigInteger, datetime: Instant, UUID: CompactUuid}
"""The `type_annotation_map` of every context's `Base`."""


UpdatedAt = Annotated[datetime, mapped_column(default=now, onupdate=now)]
"""When the row was changed last: every statement that changes it sets this too, unless it says another time."""


def table_of(row: type[DeclarativeBase]) -> Table:
    """The table behind a mapped class, for statements that serve many rows without making an object of each."""
    return cast(Table, row.__table__)


def affected_rows(result: Result[Any]) -> int:
    """How many rows a statement has changed or deleted."""
    return cast(CursorResult[Any], result).rowcount
