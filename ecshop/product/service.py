"""The rules of product. One public method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType
from sqlalchemy import Select, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event, StockDepleted, StockEvent, StockReplenished
from ecshop.kernel.columns import table_of
from ecshop.kernel.context import Handler
from ecshop.kernel.database import Database
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.paging import Order
from ecshop.product.contract import (
    Category,
    CategoryBody,
    CategoryExists,
    CategoryInUse,
    CategoryNotFound,
    CategoryPage,
    NewProduct,
    Product,
    ProductChange,
    ProductDiscontinued,
    ProductFilter,
    ProductNotFound,
    ProductPage,
    Quote,
    Sort,
)
from ecshop.product.models import CategoryRow, ProductRow


class ProductService:
    """Satisfies `ProductClient`: inside one process the service is the client."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, product_id: int) -> Product:
        return await self._db.look_up(_get, product_id)

    async def quote(self, product_ids: Sequence[int]) -> tuple[Quote, ...]:
        return await self._db.look_up(_quote, tuple(product_ids))

    async def list(self, wanted: ProductFilter, cursor: str | None, limit: int) -> ProductPage:
        return await self._db.read(_list, wanted, cursor, limit)

    async def create(self, new: NewProduct) -> Product:
        """Raises `CategoryNotFound`."""
        return await self._db.write(_create, new)

    async def change(self, product_id: int, change: ProductChange) -> Product:
        """Raises `ProductNotFound` or `CategoryNotFound`."""
        return await self._db.write(_change, product_id, change)

    async def delete(self, product_id: int) -> None:
        """Orders keep the name and price that they were placed with. Raises `ProductNotFound`."""
        await self._db.write(_delete, product_id)

    async def get_category(self, category_id: int) -> Category:
        """Raises `CategoryNotFound`."""
        return await self._db.read(_get_category, category_id)

    async def list_categories(self, cursor: str | None, limit: int) -> CategoryPage:
        return await self._db.read(_list_categories, cursor, limit)

    async def create_category(self, body: CategoryBody) -> Category:
        """Raises `CategoryExists`."""
        return await self._db.write(_create_category, body)

    async def rename_category(self, category_id: int, body: CategoryBody) -> Category:
        """Raises `CategoryNotFound` or `CategoryExists`."""
        return await self._db.write(_rename_category, category_id, body)

    async def delete_category(self, category_id: int) -> None:
        """Raises `CategoryNotFound` or `CategoryInUse`."""
        await self._db.write(_delete_category, category_id)


_T: Final = ProductRow.__table__.c
_PRODUCTS: Final = select(
    _T.id, _T.name, _T.detail, _T.price, _T.currency, _T.category_id, _T.on_sale, _T.in_stock
).where(_T.id.in_(bindparam("ids", expanding=True)))
_NEWS: Final = (
    update(table_of(ProductRow))
    .where(_T.id == bindparam("product"), _T.stock_version < bindparam("version"))
    .values(in_stock=bindparam("stocked"), stock_version=bindparam("version"))
)


def _found(session: Session, ids: Iterable[int]) -> dict[int, Product]:
    rows = session.connection().execute(_PRODUCTS, {"ids": list(ids)}).all()
    return {row[0]: Product(*row, row.on_sale and row.in_stock) for row in rows}


def _get(session: Session, ids: Sequence[int]) -> list[Product | EcshopError]:
    found = _found(session, set(ids))
    return [found.get(id_) or _missing([id_]) for id_ in ids]


def _quote(session: Session, requests: Sequence[tuple[int, ...]]) -> list[tuple[Quote, ...] | EcshopError]:
    found = _found(session, {id_ for ids in requests for id_ in ids})
    return [_quotes([found.get(id_) for id_ in ids], ids) for ids in requests]


def _quotes(products: Sequence[Product | None], ids: Sequence[int]) -> tuple[Quote, ...] | EcshopError:
    here = [product for product in products if product is not None]
    if len(here) < len(ids):
        return _missing([id_ for id_, product in zip(ids, products, strict=True) if product is None])
    for product in here:
        if not product.status:
            reason = "sold_out" if product.on_sale else "off_sale"
            return ProductDiscontinued(f"{product.name} is not on sale", product_id=product.id, reason=reason)
    return tuple(Quote(product.id, product.name, product.price, product.currency) for product in here)


def _missing(ids: Sequence[int]) -> ProductNotFound:
    return ProductNotFound(f"no product has the id {', '.join(map(str, ids))}", product_ids=list(ids))


def _list(session: Session, wanted: ProductFilter, cursor: str | None, limit: int) -> ProductPage:
    order = _order(wanted.sort)
    rows = session.scalars(order.page(_filtered(wanted), cursor, limit)).all()
    page, next_cursor = order.cut(rows, limit)
    return ProductPage(tuple(_product(row) for row in page), next_cursor)


def _order(sort: Sort) -> Order:
    column = {"id": ProductRow.id, "name": ProductRow.name, "price": ProductRow.price}[sort.removeprefix("-")]
    return Order(sort, column, ProductRow.id)


def _filtered(wanted: ProductFilter) -> Select[Any]:
    query = select(ProductRow)
    if wanted.name is not None:
        query = query.where(ProductRow.name == wanted.name)
    if wanted.q is not None:
        part = [column.icontains(wanted.q, autoescape=True) for column in (ProductRow.name, ProductRow.detail)]
        query = query.where(or_(*part))
    if wanted.category_id is not None:
        query = query.where(ProductRow.category_id == wanted.category_id)
    if wanted.in_stock is not None:
        query = query.where(ProductRow.in_stock == wanted.in_stock)
    return query


def _create(session: Session, new: NewProduct) -> Product:
    _require_category(session, new.category_id)
    switch = _switch(new.on_sale, new.status)
    row = ProductRow(
        name=new.name,
        detail=new.detail,
        price=new.price,
        currency=new.currency,
        category_id=new.category_id,
        on_sale=True if switch is UNSET else switch,
    )
    session.add(row)
    session.flush()
    return _product(row)


def _change(session: Session, product_id: int, change: ProductChange) -> Product:
    row = _row(session, product_id)
    if change.category_id is not UNSET:
        _require_category(session, change.category_id)
    for name in ("name", "detail", "price", "currency", "category_id"):
        if (value := getattr(change, name)) is not UNSET:
            setattr(row, name, value)
    if (switch := _switch(change.on_sale, change.status)) is not UNSET:
        row.on_sale = switch
    return _product(row)


def _switch(on_sale: bool | UnsetType, status: bool | UnsetType) -> bool | UnsetType:
    return status if on_sale is UNSET else on_sale


def _delete(session: Session, product_id: int) -> None:
    session.delete(_row(session, product_id))


def _row(session: Session, product_id: int) -> ProductRow:
    row = session.get(ProductRow, product_id, with_for_update=True)
    if row is None:
        raise _missing([product_id])
    return row


def _product(row: ProductRow) -> Product:
    return Product(
        row.id,
        row.name,
        row.detail,
        row.price,
        row.currency,
        row.category_id,
        row.on_sale,
        row.in_stock,
        row.on_sale and row.in_stock,
    )


def _require_category(session: Session, category_id: int | None) -> None:
    if category_id is not None:
        _category(session, category_id)


def _get_category(session: Session, category_id: int) -> Category:
    row = _category(session, category_id)
    return Category(row.id, row.name)


def _list_categories(session: Session, cursor: str | None, limit: int) -> CategoryPage:
    order = Order("id", CategoryRow.id, CategoryRow.id)
    rows = session.scalars(order.page(select(CategoryRow), cursor, limit)).all()
    page, next_cursor = order.cut(rows, limit)
    return CategoryPage(tuple(Category(row.id, row.name) for row in page), next_cursor)


def _create_category(session: Session, body: CategoryBody) -> Category:
    return _save(session, CategoryRow(name=body.name))


def _rename_category(session: Session, category_id: int, body: CategoryBody) -> Category:
    row = _category(session, category_id)
    row.name = body.name
    return _save(session, row)


def _save(session: Session, row: CategoryRow) -> Category:
    name = row.name  # cannot be read any more when the flush has failed
    session.add(row)
    try:
        session.flush()
    except IntegrityError as cause:
        raise CategoryExists(f"a category is already called {name}") from cause
    return Category(row.id, row.name)


def _delete_category(session: Session, category_id: int) -> None:
    _category(session, category_id)
    try:
        session.execute(delete(CategoryRow).where(CategoryRow.id == category_id))
    except IntegrityError as cause:
        raise CategoryInUse("products belong to the category; move or delete them first") from cause


def _category(session: Session, category_id: int) -> CategoryRow:
    row = session.get(CategoryRow, category_id)
    if row is None:
        raise CategoryNotFound(f"no category has the id {category_id}")
    return row


def _hear(stocked: bool) -> Handler:
    """News of stock: the newest version wins, in whatever order the news comes."""

    def apply(session: Session, events: Sequence[StockEvent]) -> list[str]:
        known = _known_versions(session, {event.product_id for event in events})
        told: list[str] = []
        for event in events:
            version = known.get(event.product_id)
            if version is None:
                told.append("ignored: no such product")
            elif version >= event.version:
                told.append("ignored: newer is known")
            else:
                known[event.product_id] = event.version
                told.append("in stock" if stocked else "sold out")
        rows = [{"product": event.product_id, "version": event.version, "stocked": stocked} for event in events]
        session.connection().execute(_NEWS, rows)
        return told

    return apply


def _known_versions(session: Session, ids: Iterable[int]) -> dict[int, int]:
    return dict(session.execute(select(_T.id, _T.stock_version).where(_T.id.in_(ids))).all())


HANDLERS: Final[Mapping[type[Event], Handler]] = {StockDepleted: _hear(False), StockReplenished: _hear(True)}
