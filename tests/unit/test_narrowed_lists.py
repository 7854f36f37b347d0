"""Lists of products with filters: what they have, in which order, however it is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.kernel.db import keyset
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.words import key_of, search_text
from ecshop.product import availability, catalogue, categories
from ecshop.product.contract import RELEVANCE, CategoryBody, NewProduct, Product, ProductFilter, Sort
from ecshop.product.module import MIGRATIONS
from tests.actors import STAFF
from tests.databases import Databases

WORDS: Final = ["tea", "teapot", "\u8336", "\u62b9\u8336", "Caf\u00e9"]
repeatably = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, max_examples=60)


class Made(NamedTuple):
    name: str
    detail: str
    price: int
    category: int | None
    on_sale: bool
    in_stock: bool | None


made = st.builds(
    Made,
    st.sampled_from(WORDS),
    st.sampled_from(["", *WORDS]),
    st.integers(0, 3),
    st.sampled_from([None, 0, 1, 2]),
    st.booleans(),
    st.sampled_from([None, True, False]),
)
filters = st.fixed_dictionaries(
    {
        "q": st.sampled_from([None, "t", "te", "tea", "\u8336", "cafe", "x"]),
        "sort": st.sampled_from([None, *(sort for sort in get_args(Sort) if sort != RELEVANCE)]),
    },
    optional={
        "category_id": st.lists(st.integers(0, 2), min_size=1, max_size=3).map(tuple),
        "price_from": st.integers(0, 3),
        "price_to": st.integers(0, 3),
        "in_stock": st.booleans(),
        "on_sale": st.booleans(),
        "status": st.booleans(),
    },
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.url("product", MIGRATIONS))
    yield writing(engine)
    engine.dispose()


@pytest.mark.parametrize(("some", "near", "enough"), [(4_000, 20, 2), (4_000, 0, 2), (0, 0, 1), (2, 0, 2), (0, 1, 1)])
@repeatably
@given(st.lists(made, max_size=16), st.lists(filters, min_size=1, max_size=8), st.integers(1, 4))
def test_a_list_has_what_its_filters_tell(
    some: int,
    near: int,
    enough: int,
    engine: Engine,
    made: list[Made],
    filters: list[dict[str, Any]],
    limit: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch, Session(engine) as session:
        for name, number in {"_SOME": some, "_NEAR": near, "_ENOUGH": enough}.items():
            patch.setattr(keyset, name, number)
        known = [categories.create(session, STAFF, CategoryBody(f"Shelf {number}")).id for number in range(3)]
        products = [create(session, one, known) for one in made]
        for narrow in filters:
            wanted = ProductFilter(
                **narrow | {"category_id": tuple(known[one] for one in narrow.get("category_id", ()))}
            )
            assert listed(session, wanted, limit) == told(products, wanted)


def create(session: Session, one: Made, known: list[int]) -> Product:
    category = None if one.category is None else known[one.category]
    product = catalogue.create(
        session, STAFF, NewProduct(one.name, one.price, one.detail, category_id=category, on_sale=one.on_sale)
    )
    if one.in_stock is True:
        availability.restock(session, [StockReplenished(product.id, 1)])
    if one.in_stock is False:
        availability.sell_out(session, [StockDepleted(product.id, 1)])
    session.expire_all()
    [[found]] = catalogue.find(session, [(product.id,)])
    assert found is not None
    return found


def listed(session: Session, wanted: ProductFilter, limit: int) -> list[int]:
    page = catalogue.list_products(session, wanted, None, limit)
    ids = [product.id for product in page.items]
    while page.next_cursor is not None:
        page = catalogue.list_products(session, wanted, page.next_cursor, limit)
        ids += [product.id for product in page.items]
    return ids


def told(products: list[Product], wanted: ProductFilter) -> list[int]:
    """The rule, without a database."""
    part = search_text(wanted.q or "")
    left = [
        one
        for one in products
        if (part in search_text(one.name) or part in search_text(one.detail))
        and (not wanted.category_id or one.category_id in wanted.category_id)
        and (wanted.price_from is None or one.price >= wanted.price_from)
        and (wanted.price_to is None or one.price <= wanted.price_to)
        and wanted.in_stock in {None, one.in_stock}
        and wanted.on_sale in {None, one.on_sale}
        and wanted.status in {None, one.status}
    ]
    sort = wanted.sort or ("id" if wanted.q is None else RELEVANCE)
    return [one.id for one in sorted(left, key=lambda one: place(one, sort, part), reverse=sort.startswith("-"))]


def place(one: Product, sort: str, part: str) -> tuple[Any, ...]:
    """What a product is sorted by."""
    name = search_text(one.name)
    begins, has = name.startswith(part), part in name
    places: dict[str, tuple[Any, ...]] = {
        "id": (),
        "price": (one.price,),
        "name": (key_of(one.name),),
        RELEVANCE: (0, name) if begins else (1 if has else 2, ""),
    }
    return (*places[sort.removeprefix("-")], one.id)
