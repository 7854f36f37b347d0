"""Products: looked up, quoted, listed, and changed by the seller. Each function runs inside somebody's transaction."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from ecshop.events.audit import note
from ecshop.events.catalog import ProductDeleted
from ecshop.events.outbox import record
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions
from ecshop.kernel.db.keyset import Among, Keyset, Part, fetch, unindexed
from ecshop.kernel.db.many import KEYS, select_many
from ecshop.kernel.db.mapping import assign, columns_of, given, struct_of
from ecshop.kernel.identity import Actor
from ecshop.kernel.validation import wrong
from ecshop.kernel.values import MAX_INT64, Page
from ecshop.kernel.words import key_of, search_text
from ecshop.product import categories, pictures, search
from ecshop.product.contract import (
    RELEVANCE,
    NewProduct,
    Product,
    ProductChange,
    ProductDiscontinued,
    ProductFilter,
    ProductNotFound,
    Quote,
)
from ecshop.product.models import LISTED, ProductRow

_FIND: Final = select(*columns_of(Product, ProductRow)).where(ProductRow.id.in_(bindparam(KEYS, expanding=True)))
_product: Final = partial(struct_of, Product)
_COLUMNS: Final = {"id": ProductRow.id, "name": ProductRow.name_key, "price": ProductRow.price}
_ORDERS: Final = {
    name: Keyset(name, column, ProductRow.id, LISTED) for by, column in _COLUMNS.items() for name in (by, f"-{by}")
}


def find(session: Session, requests: Sequence[tuple[int, ...]]) -> list[list[Product | None]]:
    """For each request its products in their order, None for what is not there."""
    rows = select_many(session, _FIND, {id_ for ids in requests for id_ in ids})
    found = {product.id: product for product in (Product(*row) for row in rows)}
    return [[found.get(id_) for id_ in ids] for ids in requests]


def list_products(session: Session, wanted: ProductFilter, cursor: str | None, limit: int) -> Page[Product]:
    return fetch(session, _parts(session, wanted), cursor, limit, _product)


def create(session: Session, actor: Actor, new: NewProduct) -> Product:
    _require_category(session, new.category_id)
    row = ProductRow(**{"on_sale": True} | _columns_of(new))
    session.add(row)
    session.flush()
    note(session, actor, "product.created", _subject(row.id), after={"name": row.name, "price": row.price})
    return _product(row)


def change(
    session: Session, actor: Actor, product_id: int, change: ProductChange, conditions: Conditions = UNCONDITIONAL
) -> Product:
    row = _row(session, product_id)
    conditions.require_seen(_product(row))
    values = _columns_of(change)
    _require_category(session, values.get("category_id"))
    if values.get("currency", row.currency) != row.currency and "price" not in values:
        raise wrong("price", f"is required with another currency: the one that is known is in {row.currency}")
    before = {name: getattr(row, name) for name in values}
    assign(row, values)
    session.flush()
    if "picture" in values:
        pictures.drop(session, product_id, but=values["picture"])
    note(session, actor, "product.changed", _subject(product_id), before, values)
    return _product(row)


def illustrate(
    session: Session, actor: Actor, product_id: int, image: bytes, conditions: Conditions = UNCONDITIONAL
) -> Product:
    name = pictures.name_of(product_id, image)
    product = change(session, actor, product_id, ProductChange(picture=name), conditions)
    pictures.keep(session, product_id, name, image)
    return product


def delete(session: Session, actor: Actor, product_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
    row = _row(session, product_id)
    conditions.require_seen(_product(row))
    note(session, actor, "product.deleted", _subject(product_id), before={"name": row.name, "price": row.price})
    pictures.drop(session, product_id)
    session.delete(row)
    record(session, [ProductDeleted(product_id)])


def quotes_of(products: Sequence[Product]) -> tuple[Quote, ...]:
    """Raises `ProductDiscontinued` for the first that is not on sale."""
    for product in products:
        if not product.status:
            reason = "sold_out" if product.on_sale else "off_sale"
            raise ProductDiscontinued(f"{product.name} is not on sale", product_id=product.id, reason=reason)
    return tuple(Quote(product.id, product.name, product.price, product.currency) for product in products)


def missing(ids: Sequence[int]) -> ProductNotFound:
    return ProductNotFound(f"no product has the id {', '.join(map(str, ids))}", product_ids=list(ids))


def _parts(session: Session, wanted: ProductFilter) -> Sequence[Part]:
    part, several = search_text(wanted.q or ""), sorted({*wanted.category_id})
    same, among = dict[InstrumentedAttribute[Any], Any](), list(_conditions(wanted))
    if len(several) == 1:
        same[ProductRow.category_id] = several.pop()
    if wanted.name is not None:
        same[ProductRow.name_key] = key_of(wanted.name)
    if wanted.in_stock is not None and not (same or several or among or part):
        same[ProductRow.in_stock] = wanted.in_stock
    elif wanted.in_stock is not None:
        sold_out = None if wanted.in_stock else _ids(ProductRow.in_stock.is_(False))
        among.append(Among(unindexed(ProductRow.in_stock) == wanted.in_stock, sold_out))
    if part or any(one.found is not None for one in among):
        among += [_among(column, partial(operator.eq, value)) for column, value in same.items()]
    if several and (among or part):
        among.append(_any_of(ProductRow.category_id, several))
        several = []
    if part and wanted.sort in {None, RELEVANCE}:
        return search.ranked(session, part, same, among)
    if part:
        among.append(search.anywhere(session, part))
    keyset = _ORDERS["id" if wanted.sort in {None, RELEVANCE} else wanted.sort]
    all_of = select(ProductRow).where(*(column == value for column, value in same.items()))
    return [Part(keyset, [all_of.where(ProductRow.category_id == one) for one in several] or [all_of], among)]


def _conditions(wanted: ProductFilter) -> Iterable[Among]:
    if (moment := wanted.updated_after) is not None:
        yield Among(unindexed(ProductRow.updated_at) > moment, _ids(ProductRow.updated_at > moment))
    if wanted.price_from is not None or wanted.price_to is not None:
        lowest, highest = wanted.price_from or 0, MAX_INT64 if wanted.price_to is None else wanted.price_to
        yield _among(ProductRow.price, lambda it: it.between(lowest, highest))
    if wanted.on_sale is not None:
        is_off = None if wanted.on_sale else _ids(ProductRow.on_sale.is_(False))
        yield Among(unindexed(ProductRow.on_sale) == wanted.on_sale, is_off)
    if wanted.status is not None:
        off_sale, sold_out = (_ids(column.is_(False)) for column in (ProductRow.on_sale, ProductRow.in_stock))
        yield Among(ProductRow.status == wanted.status, None if wanted.status else off_sale.union(sold_out))


def _among(column: InstrumentedAttribute[Any], holds: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> Among:
    return Among(holds(unindexed(column, on_server=False)), _ids(holds(column.expression)))


def _any_of(column: InstrumentedAttribute[Any], values: Sequence[int]) -> Among:
    return _among(column, lambda it: it.in_(values))


def _ids(condition: ColumnElement[bool]) -> Select[Any]:
    return select(ProductRow.id).where(condition)


def _columns_of(body: NewProduct | ProductChange) -> dict[str, Any]:
    """`status` sets the seller's switch where `on_sale` does not."""
    values = given(body)
    if "status" in values:
        values.setdefault("on_sale", values.pop("status"))
        values.pop("status", None)
    return values


def _subject(product_id: int) -> str:
    return f"product {product_id}"


def _row(session: Session, product_id: int) -> ProductRow:
    row = session.get(ProductRow, product_id, with_for_update=True)
    if row is None:
        raise missing([product_id])
    return row


def _require_category(session: Session, category_id: int | None) -> None:
    if category_id is not None:
        categories.get(session, category_id)
