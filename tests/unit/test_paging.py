"""Paging: a cursor names the last row seen, so that rows may come and go between two pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, Engine, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from uuid_utils.compat import uuid7

from ecshop.kernel.db.columns import COLUMN_TYPES
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.errors import InvalidCursor
from tests.unit.steps import with_steps

START = datetime(2024, 2, 29, 12, tzinfo=UTC)
SEVERAL_ON_A_SHELF = 3


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf: Mapped[str]
    bought_at: Mapped[datetime]
    label: Mapped[UUID]


KEYSETS: dict[str, tuple[Keyset, Callable[[Book], Any]]] = {
    "id": (Keyset("id", Book.id, Book.id), lambda book: book.id),
    "-id": (Keyset("-id", Book.id, Book.id), lambda book: -book.id),
    "shelf": (Keyset("shelf", Book.shelf, Book.id), lambda book: (book.shelf, book.id)),
    "-shelf": (Keyset("-shelf", Book.shelf, Book.id), lambda book: _Down((book.shelf, book.id))),
    "bought_at": (Keyset("bought_at", Book.bought_at, Book.label), lambda book: (book.bought_at, book.label)),
    "-bought_at": (Keyset("-bought_at", Book.bought_at, Book.label), lambda book: _Down((book.bought_at, book.label))),
    "label": (Keyset("label", Book.label, Book.label), lambda book: book.label),
}
each_keyset = pytest.mark.parametrize("name", KEYSETS)


class _Down(tuple[object, ...]):
    """Sorts the other way round."""

    def __lt__(self, other: tuple[object, ...]) -> bool:
        return tuple.__gt__(self, other)


def _book(number: int) -> Book:
    """Several books share a shelf and a moment, so that the key has to tell them apart."""
    group = number // SEVERAL_ON_A_SHELF
    return Book(id=number, shelf=f"é{group:03}", bought_at=START + timedelta(microseconds=group), label=uuid7())


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine: Engine = open_engine(f"sqlite:///{tmp_path}/books.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(_book(number) for number in range(100, 140))
        session.commit()
        yield session
    engine.dispose()


def _page(session: Session, keyset: Keyset, cursor: str | None, limit: int) -> tuple[list[Book], str | None]:
    page = keyset.fetch(session, select(Book), cursor, limit, lambda book: book)
    return list(page.items), page.next_cursor


def _walk(
    session: Session, keyset: Keyset, limit: int, between: Callable[[int], None] = lambda page: None
) -> list[list[Book]]:
    pages: list[list[Book]] = []
    cursor: str | None = None
    while cursor is not None or not pages:
        page, cursor = _page(session, keyset, cursor, limit)
        pages.append(page)
        between(len(pages))
    return pages


@each_keyset
@pytest.mark.parametrize("limit", [1, 7, 20, 39, 40, 100])
def test_a_walk_through_the_pages_meets_every_row_once_and_in_order(name: str, limit: int, session: Session) -> None:
    keyset, sorted_by = KEYSETS[name]
    pages = _walk(session, keyset, limit)
    met = [book for page in pages for book in page]
    assert met == sorted(session.scalars(select(Book)), key=sorted_by)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= limit


@each_keyset
def test_rows_that_stay_are_met_once_while_others_come_and_go(name: str, session: Session) -> None:
    leaving = iter(range(101, 140, 4))
    coming = iter([*range(40, 60), *range(160, 180)])

    def change(_: int) -> None:
        session.execute(delete(Book).where(Book.id == next(leaving, 0)))
        session.add_all(_book(number) for number in (next(coming), next(coming)))
        session.flush()

    pages = _walk(session, KEYSETS[name][0], 6, change)
    met = [book.id for page in pages for book in page]
    assert len(met) == len(set(met))
    assert set(met) >= set(range(100, 140)) - set(range(101, 140, 4))


def test_a_cursor_outlives_the_row_that_it_names(session: Session) -> None:
    keyset, _ = KEYSETS["shelf"]
    first, cursor = _page(session, keyset, None, 5)
    session.execute(delete(Book).where(Book.id == first[-1].id))
    second, _ = _page(session, keyset, cursor, 5)
    assert [book.id for book in second] == [105, 106, 107, 108, 109]


def test_the_last_page_has_no_cursor(session: Session) -> None:
    keyset, _ = KEYSETS["id"]
    page, cursor = _page(session, keyset, None, 40)
    assert (len(page), cursor) == (40, None)


def test_an_empty_list_is_one_empty_page(session: Session) -> None:
    session.execute(delete(Book))
    assert _walk(session, KEYSETS["id"][0], 5) == [[]]


def test_a_cursor_fits_into_an_address_as_it_is(session: Session) -> None:
    for keyset, _ in KEYSETS.values():
        _, cursor = _page(session, keyset, None, 1)
        assert cursor is not None
        assert cursor.replace("-", "").replace("_", "").isalnum()


def _cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BROKEN = {
    "nothing": "",
    "no base64": "!!!",
    "no ASCII": "é",
    "half a character": "a",
    "no JSON": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "a number": _cursor(5),
    "a text": _cursor("shelf"),
    "null": _cursor(None),
    "an object": _cursor({"shelf": 1}),
    "an empty list": _cursor([]),
    "no values": _cursor(["shelf"]),
    "too few values": _cursor(["shelf", "a"]),
    "too many values": _cursor(["shelf", "a", 1, 2]),
    "a text for a number": _cursor(["shelf", "a", "1"]),
    "a number for a text": _cursor(["shelf", 1, 1]),
    "a fraction": _cursor(["shelf", "a", 1.5]),
    "no value": _cursor(["shelf", None, 1]),
    "a list": _cursor(["shelf", ["a"], 1]),
}


@pytest.mark.parametrize("cursor", BROKEN.values(), ids=BROKEN)
def test_a_broken_cursor_is_refused(cursor: str, session: Session) -> None:
    with pytest.raises(InvalidCursor):
        _page(session, KEYSETS["shelf"][0], cursor, 5)


@each_keyset
def test_a_cursor_of_another_order_is_refused(name: str, session: Session) -> None:
    foreign = [_page(session, keyset, None, 5)[1] for other, (keyset, _) in KEYSETS.items() if other != name]
    for cursor in foreign:
        with pytest.raises(InvalidCursor):
            _page(session, KEYSETS[name][0], cursor, 5)


def test_no_byte_of_a_cursor_can_be_lost(session: Session) -> None:
    keyset, _ = KEYSETS["shelf"]
    _, cursor = _page(session, keyset, None, 5)
    assert cursor is not None
    for length in range(len(cursor)):
        with pytest.raises(InvalidCursor):
            _page(session, keyset, cursor[:length], 5)


@pytest.mark.parametrize(("name", "outer"), [("id", Book.id > 0), ("-id", Book.id < 10_000)])
def test_a_page_is_read_from_its_cursor_on_and_not_from_a_farther_bound(
    name: str, outer: ColumnElement[bool], session: Session
) -> None:
    session.add_all(_book(number) for number in range(1_000, 3_000))
    session.flush()
    keyset, _ = KEYSETS[name]
    cursor = keyset.encode(session.get(Book, 2_000))
    bounded, steps = with_steps(session, lambda: keyset.fetch(session, select(Book), cursor, 20, _id_of, [outer]))
    unbounded, fewest = with_steps(session, lambda: keyset.fetch(session, select(Book), cursor, 20, _id_of))
    assert bounded == unbounded
    assert steps <= 1.5 * fewest


def _id_of(book: Book) -> int:
    return book.id
