"""Tables of the product database."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, LargeBinary, String, Text, and_
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey, UpdatedAt, sort_key
from ecshop.kernel.words import key_of, search_text
from ecshop.product.contract import LONGEST_CATEGORY, LONGEST_NAME, LONGEST_PICTURE


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class CategoryRow(Base):
    """`name_key` follows the name by itself: two names that are the same but for case and blanks are one."""

    __tablename__ = "category"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_CATEGORY))
    name_key: Mapped[str] = mapped_column(sort_key(LONGEST_CATEGORY), unique=True)

    @validates("name")
    def _fold(self, _field: str, name: str) -> str:
        self.name_key = key_of(name)
        return name


class AvailabilityChangeRow(Base):
    """When a product was told to be sold out, or to be there again, by the `version` of its stock."""

    __tablename__ = "availability_change"
    __table_args__ = {"sqlite_with_rowid": False}

    product_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    in_stock: Mapped[bool]
    at: Mapped[datetime]


class PictureRow(Base):
    """The image that was sent in for a product, as it is shown; `name` is the product's `picture`."""

    __tablename__ = "picture"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(LONGEST_PICTURE), unique=True)
    image: Mapped[bytes] = mapped_column(LargeBinary)


class ProductRow(Base):
    """`stock_version` is that of the news which `in_stock` comes from, NULL before the first. No id is used twice.

    Products are sorted by `name_key` and looked for in `search_name` and `search_detail`, which follow name and detail
    by themselves; the migrations make an index of all parts of these two.
    """

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        Index("products_of_category_by_name", "category_id", "name_key"),
        Index("products_of_category_by_price", "category_id", "price"),
        Index("products_in_stock_by_name", "in_stock", "name_key"),
        Index("products_in_stock_by_price", "in_stock", "price"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    name_key: Mapped[str] = mapped_column(sort_key(LONGEST_NAME), index=True)
    detail: Mapped[str] = mapped_column(Text)
    search_name: Mapped[str] = mapped_column(sort_key(LONGEST_NAME), index=True, deferred=True)
    search_detail: Mapped[str] = mapped_column(Text, deferred=True)
    price: Mapped[int] = mapped_column(index=True)
    currency: Mapped[str] = mapped_column(String(3))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"), index=True)
    picture: Mapped[str | None] = mapped_column(String(LONGEST_PICTURE))
    on_sale: Mapped[bool] = mapped_column(index=True)
    in_stock: Mapped[bool | None] = mapped_column(index=True)
    stock_version: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[UpdatedAt] = mapped_column(index=True)

    @validates("name")
    def _fold_name(self, _field: str, name: str) -> str:
        self.name_key, self.search_name = key_of(name), search_text(name)
        return name

    @validates("detail")
    def _fold_detail(self, _field: str, detail: str) -> str:
        self.search_detail = search_text(detail)
        return detail

    @hybrid_property
    def status(self) -> bool:
        return self.on_sale and self.in_stock is not False

    @status.inplace.expression
    @classmethod
    def _status_in_sql(cls) -> ColumnElement[bool]:
        return and_(cls.on_sale, cls.in_stock.is_distinct_from(False))


LISTED: Final = Index(
    "products_listed",
    ProductRow.id,
    ProductRow.name_key,
    ProductRow.search_name,
    ProductRow.price,
    ProductRow.category_id,
    ProductRow.on_sale,
    ProductRow.in_stock,
    ProductRow.updated_at,
).ddl_if(dialect="sqlite")
"""All that lists are sorted and narrowed by but details: a tenth of what products take with these."""
