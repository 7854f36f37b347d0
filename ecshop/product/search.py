"""Products by a part of their name or detail, from one character on.

SQLite's index (FTS5) has all threes of characters that follow each other, and between two signs that no text has also
each single one, and as one with a sign in the middle each pair: one sign is that of names, the other that of details.
PostgreSQL's (pg_trgm) has threes alone: for less than that, and on a server without it, the products are read one by
one. An index may find too much; the row decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, column, not_, or_, select, table, text
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer

from ecshop.kernel.db.keyset import Among, Keyset, Part
from ecshop.kernel.words import beyond
from ecshop.product.models import LISTED, ProductRow

Same = Mapping[InstrumentedAttribute[Any], Any]

_NAME, _DETAIL = ProductRow.search_name, ProductRow.search_detail
_NAME_SIGN, _DETAIL_SIGN = "\x1e", "\x1f"
_BEGINS: Final = Keyset("begins", _NAME, ProductRow.id, LISTED)
_NAMED: Final = Keyset("named", ProductRow.id, ProductRow.id, LISTED)
_DETAILED: Final = Keyset("detailed", ProductRow.id, ProductRow.id, LISTED)
_PARTS: Final = table("product_search", column("rowid"), column("product_search"))
_HAS_INDEX: Final = text("SELECT to_regclass('product_search') IS NOT NULL")
_GRAM: Final = 3
_MOST: Final = 10


def anywhere(session: Session, part: str) -> Among:
    return _among(session, part, or_(_has(_NAME, part), _has(_DETAIL, part)), _anywhere(part))


def ranked(session: Session, part: str, same: Same, among: Sequence[Among]) -> Sequence[Part]:
    """Names that begin with it, then other names that have it, then details.

    The conditions `among` are about all of them, and tell of the `same` values too.
    """
    begins = and_(part <= _NAME, beyond(part) > _NAME)
    in_name, in_detail = _has(_NAME, part), _has(_DETAIL, part)
    named = [Among(not_(begins)), _among(session, part, in_name, _in_name(part))]
    detailed = [Among(not_(in_name)), _among(session, part, in_detail, _in_detail(part))]
    query = select(ProductRow).where(*(column == value for column, value in same.items()))
    return [
        Part(_BEGINS, [select(ProductRow).options(undefer(_NAME))], among, [begins]),
        Part(_NAMED, [query], [*among, *named]),
        Part(_DETAILED, [query], [*among, *detailed]),
    ]


def is_indexed(session: Session) -> bool:
    return _on_sqlite(session) or bool(session.scalar(_HAS_INDEX))


def _among(session: Session, part: str, holds: ColumnElement[bool], expression: str) -> Among:
    if _on_sqlite(session):
        found = select(_PARTS.c.rowid).where(_PARTS.c.product_search.match(expression))
        return Among(holds, found, is_listed=False)
    can_find = len(part) >= _GRAM and is_indexed(session)
    return Among(holds, select(ProductRow.id).where(holds) if can_find else None, is_listed=False)


def _on_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _has(text: InstrumentedAttribute[str], part: str) -> ColumnElement[bool]:
    return text.contains(part, autoescape=True)


def _anywhere(part: str) -> str:
    """In FTS5's language, as the next two."""
    if len(part) >= _GRAM:
        return _all(_threes(part))
    return f"{_all(_pairs(part, _NAME_SIGN))} OR {_all(_pairs(part, _DETAIL_SIGN))}"


def _in_name(part: str) -> str:
    return _all([*_threes(part), *_pairs(part, _NAME_SIGN)])


def _in_detail(part: str) -> str:
    has = _all([*_threes(part), *_pairs(part, _DETAIL_SIGN)])
    return has if len(part) >= _GRAM else f"{has} NOT {_all(_pairs(part, _NAME_SIGN))}"


def _threes(part: str) -> list[str]:
    return _pieces(part, 3)


def _pairs(part: str, sign: str) -> list[str]:
    """A single character counts as one."""
    return [sign.join(pair) for pair in _pieces(part, 2)] or [f"{sign}{part}{sign}"]


def _pieces(part: str, size: int) -> list[str]:
    """Side by side, the last one maybe upon the one before; those of a long text tell enough of it by its beginning."""
    places = [*range(0, len(part) - size, size), len(part) - size]
    return list(dict.fromkeys(part[place : place + size] for place in places[:_MOST] if place >= 0))


def _all(pieces: Sequence[str]) -> str:
    return " AND ".join('"' + piece.replace('"', '""') + '"' for piece in pieces)
