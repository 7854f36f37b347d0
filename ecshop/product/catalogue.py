"""Products: looked up, quoted, listed, and changed by the seller. Each function runs inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import bindparam, or_, select
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
from ecshop.product.models import ProductRow

_FIND: Final = select(*columns_of(Product, ProductRow)).where(ProductRow.id.in_(bindparam(KEYS, expanding=True)))
_product: Final = partial(struct_of, Product)
_COLUMNS: Final = {"id": ProductRow.id, "name": ProductRow.name_key, "price": ProductRow.price}
_ORDERS: Final = {
    name: Keyset(name, column, ProductRow.id) for by, column in _COLUMNS.items() for name in (by, f"-{by}")
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
    same, among, part = dict[InstrumentedAttribute[Any], Any](), list[Among](), search_text(wanted.q or "")
    several = sorted({*wanted.category_id}) if len(wanted.category_id) > 1 else []
    if wanted.category_id and not several:
        [same[ProductRow.category_id]] = wanted.category_id
    if wanted.name is not None:
        same[ProductRow.name_key] = key_of(wanted.name)
    if wanted.updated_after is not None:
        is_later = ProductRow.updated_at > wanted.updated_after
        among.append(Among(is_later, select(ProductRow.id).where(is_later)))
    if wanted.price_from is not None or wanted.price_to is not None:
        highest = MAX_INT64 if wanted.price_to is None else wanted.price_to
        is_between = ProductRow.price.between(wanted.price_from or 0, highest)
        among.append(Among(is_between, select(ProductRow.id).where(is_between)))
    if wanted.in_stock is not None:
        if same or among or part or several:
            among.append(Among(unindexed(ProductRow.in_stock) == wanted.in_stock))
        else:
            same[ProductRow.in_stock] = wanted.in_stock
    if wanted.on_sale is not None:
        is_off = None if wanted.on_sale else select(ProductRow.id).where(ProductRow.on_sale.is_(False))
        among.append(Among(unindexed(ProductRow.on_sale) == wanted.on_sale, is_off))
    if wanted.status is not None:
        cannot_be_bought = or_(ProductRow.on_sale.is_(False), ProductRow.in_stock.is_(False))
        found = None if wanted.status else select(ProductRow.id).where(cannot_be_bought)
        among.append(Among(ProductRow.status == wanted.status, found))
    if part and wanted.sort in {None, RELEVANCE}:
        if several:
            among.append(Among(ProductRow.category_id.in_(several)))
        return search.ranked(session, part, same, among)
    if part:
        among.insert(0, search.anywhere(session, part))
    keyset = _ORDERS["id" if wanted.sort in {None, RELEVANCE} else wanted.sort]
    all_of = select(ProductRow).where(*(column == value for column, value in same.items()))
    return [Part(keyset, [all_of.where(ProductRow.category_id == one) for one in several] or [all_of], among)]


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
