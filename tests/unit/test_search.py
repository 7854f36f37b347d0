"""What a part of a name or a detail finds, and in which order, whether an index knows it or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from ecshop.events.catalog import StockDepleted
from ecshop.kernel.db import keyset
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.validation import Wrong
from ecshop.kernel.words import key_of, search_text
from ecshop.product import availability, catalogue, search
from ecshop.product.contract import NewProduct, ProductChange, ProductFilter, Sort
from ecshop.product.module import MIGRATIONS, build
from ecshop.product.service import ProductService
from tests.actors import STAFF
from tests.databases import Databases, OnPostgres, PostgresServer

Texts = tuple[str, str]
"""A name and a detail."""

repeatably = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, max_examples=60)
letters: Final = st.text("abAB \u304b\u30ab\uff76\u304c\u8336\u62b9\u00e9e\u0301%_\"'*-()^:\\\n\U0001f375", max_size=6)

SHELF: Final[Mapping[str, str]] = {
    "\u62b9\u8336\u30e9\u30c6": "Sweet",
    "\u5b87\u6cbb\u62b9\u8336": "\u30ab\u30d5\u30a7\u306b",
    "\u714e\u8336": "",
    "Green tea": "From Uji",
    "Tea": "Black; not green",
    "Pot": 'of clay, for tea "for one"',
    "Caf\u00e9 cr\u00e8me": "100 % arabica",
    "A_B* (new) -50%": "name: NEAR AND OR NOT",
    "Cup \U0001f375": "a\u0301 la carte",
}
FOUND: Final[Mapping[str, Sequence[str]]] = {
    "\u30ab": ["\u5b87\u6cbb\u62b9\u8336"],
    "\uff76\uff8c": ["\u5b87\u6cbb\u62b9\u8336"],
    "\u304c": [],
    "\u8336": ["\u62b9\u8336\u30e9\u30c6", "\u5b87\u6cbb\u62b9\u8336", "\u714e\u8336"],
    "\u62b9\u8336": ["\u62b9\u8336\u30e9\u30c6", "\u5b87\u6cbb\u62b9\u8336"],
    "\u62b9\u8336\u30e9": ["\u62b9\u8336\u30e9\u30c6"],
    "\u62b9\u8336\u30e9\u30c6": ["\u62b9\u8336\u30e9\u30c6"],
    "\u62b9\u8336\u30e9\u30c6\u30c6": [],
    "tea": ["Tea", "Green tea", "Pot"],
    "GREEN": ["Green tea", "Tea"],
    "g": ["Green tea", "Tea"],
    "uj": ["Green tea"],
    "cafe": ["Caf\u00e9 cr\u00e8me"],
    "creme": ["Caf\u00e9 cr\u00e8me"],
    "\u00e1 LA": ["Cup \U0001f375"],
    "\U0001f375": ["Cup \U0001f375"],
    "p \U0001f375": ["Cup \U0001f375"],
    '"': ["Pot"],
    '"for': ["Pot"],
    "%": ["A_B* (new) -50%", "Caf\u00e9 cr\u00e8me"],
    "_": ["A_B* (new) -50%"],
    "a_b": ["A_B* (new) -50%"],
    "a%b": [],
    "*": ["A_B* (new) -50%"],
    "b* (": ["A_B* (new) -50%"],
    "-5": ["A_B* (new) -50%"],
    "(": ["A_B* (new) -50%"],
    "AND": ["A_B* (new) -50%"],
    "near AND or": ["A_B* (new) -50%"],
    "tea OR pot": [],
    "name:": ["A_B* (new) -50%"],
    "search_name:tea": [],
    "'": [],
    "\\": [],
    "x" * 200: [],
    "\ufdfa" * 200: [],
    "sweetfrom": [],
    chr(0x10FFFF): [],
    "\ud7ff": [],
}


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.url("product", MIGRATIONS))
    yield writing(engine)
    engine.dispose()


@pytest.fixture
def without_index(postgres: PostgresServer) -> Iterator[Engine]:
    """As on a server that has no pg_trgm."""
    databases = OnPostgres(postgres)
    engine = open_engine(databases.url("product", MIGRATIONS))
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX IF EXISTS product_search"))
    yield writing(engine)
    engine.dispose()
    databases.close()


@pytest.mark.parametrize("q", FOUND, ids=ascii)
def test_what_is_looked_for_is_found_as_it_is_written(q: str, engine: Engine) -> None:
    assert_found(engine, q)


@pytest.mark.parametrize("q", ["\u8336", "\u62b9\u8336", "tea", "cafe", "a_b", "%", "x" * 200], ids=ascii)
def test_without_an_index_the_same_is_found(q: str, without_index: Engine) -> None:
    with Session(without_index) as session:
        assert not search.is_indexed(session)
    assert_found(without_index, q)


def test_there_is_an_index_where_there_can_be_one(engine: Engine, dbms: str) -> None:
    has_trigrams = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
    with Session(engine) as session:
        assert search.is_indexed(session) == (dbms == "sqlite" or bool(session.scalar(has_trigrams)))


@pytest.mark.parametrize(("some", "near"), [(4_000, 20), (0, 20), (1, 1), (0, 0)])
@repeatably
@given(
    st.lists(st.tuples(letters, letters), max_size=8),
    st.lists(st.tuples(st.integers(0, 7), letters, letters | st.none()), max_size=4),
    st.lists(letters, min_size=1, max_size=6),
    st.integers(1, 4),
)
def test_exactly_what_has_the_part_is_found(
    some: int,
    near: int,
    engine: Engine,
    made: list[Texts],
    changed: list[tuple[int, str, str | None]],
    parts: list[str],
    limit: int,
) -> None:
    """Whatever became of the products before, and however their pages are cut."""
    with pytest.MonkeyPatch.context() as patch, Session(engine) as session:
        patch.setattr(keyset, "_SOME", some)
        patch.setattr(keyset, "_NEAR", near)
        shelf = {catalogue.create(session, STAFF, new(*texts)).id: texts for texts in made}
        for place, name, detail in changed:
            change(session, shelf, place, name, detail)
        for part in parts:
            assert found(session, part, limit) == ranked(shelf, part)
            by_id = sorted(ranked(shelf, part))
            assert found(session, part, limit, "id") == by_id
            assert found(session, part, limit, "-price") == by_id[::-1]
            assert found(session, part, limit, "name") == sorted(by_id, key=lambda id_: (key_of(shelf[id_][0]), id_))
        if engine.dialect.name == "sqlite":
            session.execute(text("INSERT INTO product_search(product_search, rank) VALUES ('integrity-check', 1)"))


@pytest.mark.anyio
async def test_a_server_without_an_index_is_told_of_at_the_start(without_index: Engine) -> None:
    database = Database(without_index.url)
    database.open(MIGRATIONS)
    with capture_logs() as said:
        [tell] = build(database).background
        await tell()
    assert [line["event"] for line in said] == ["this PostgreSQL has no pg_trgm: each search reads all products"]
    await database.close()


@pytest.mark.anyio
@pytest.mark.sqlite_only
async def test_searches_that_hang_hold_up_no_look_at_a_product(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(catalogue, "list_products", lambda *_: ended.wait(30))
    database = Database(databases.url("product", MIGRATIONS))
    database.open(MIGRATIONS)
    service = ProductService(database)
    searches = [asyncio.ensure_future(service.list(ProductFilter(q="tea"), None, 10)) for _ in range(50)]
    for number in range(5):
        product = await service.create(STAFF, new(f"Tea {number}", ""))
        assert await service.get(product.id) == product
    assert not any(search.done() for search in searches)
    ended.set()
    await asyncio.gather(*searches)
    await database.close()


@pytest.mark.sqlite_only
def test_news_of_stock_leaves_the_index_alone(engine: Engine) -> None:
    contents = text("SELECT id, block FROM product_search_data ORDER BY id")
    with Session(engine) as session:
        product = catalogue.create(session, STAFF, new("Tea", ""))
        session.commit()
        before = session.execute(contents).all()
        availability.sell_out(session, [StockDepleted(product.id, 1)])
        session.commit()
        assert catalogue.list_products(session, ProductFilter(in_stock=False), None, 10).items
        assert session.execute(contents).all() == before


def assert_found(engine: Engine, q: str) -> None:
    with Session(engine) as session:
        names = {catalogue.create(session, STAFF, new(*texts)).id: texts[0] for texts in SHELF.items()}
        assert [names[id_] for id_ in found(session, q, 2)] == FOUND[q]
        assert sorted(found(session, q, 2, "name")) == sorted(found(session, q, 2))


def new(name: str, detail: str) -> NewProduct:
    try:
        return NewProduct(name, 1, detail)
    except Wrong:
        assume(False)
        raise


def change(session: Session, shelf: dict[int, Texts], place: int, name: str, detail: str | None) -> None:
    """One that is given no detail is deleted."""
    if place >= len(shelf):
        return
    id_ = list(shelf)[place]
    if detail is None:
        catalogue.delete(session, STAFF, id_)
        del shelf[id_]
    else:
        texts = new(name, detail)
        catalogue.change(session, STAFF, id_, ProductChange(name=texts.name, detail=texts.detail))
        shelf[id_] = name, detail


def found(session: Session, q: str, limit: int, sort: Sort | None = None) -> list[int]:
    ids: list[int] = []
    cursor: str | None = None
    while True:
        page = catalogue.list_products(session, ProductFilter(q=q, sort=sort), cursor, limit)
        ids += [product.id for product in page.items]
        if (cursor := page.next_cursor) is None:
            return ids
        assert len(page.items) == limit


def ranked(shelf: Mapping[int, Texts], q: str) -> list[int]:
    """The rule, without a database."""
    part = search_text(q)
    texts = [(id_, search_text(name), search_text(detail)) for id_, (name, detail) in shelf.items()]
    if not part:
        return sorted(shelf)
    begins = sorted((name, id_) for id_, name, _ in texts if name.startswith(part))
    named = sorted(id_ for id_, name, _ in texts if part in name and not name.startswith(part))
    detailed = sorted(id_ for id_, name, detail in texts if part in detail and part not in name)
    return [*(id_ for _, id_ in begins), *named, *detailed]
