"""Tables of the product database."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, String, Text, and_
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class CategoryRow(Base):
    __tablename__ = "category"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)


class ProductRow(Base):
    """`stock_version` is that of the news which `in_stock` comes from, NULL before the first. No id is used twice."""

    __tablename__ = "product"
    __table_args__ = (CheckConstraint("price >= 0", name="price_not_negative"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    detail: Mapped[str] = mapped_column(Text)
    price: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"), index=True)
    on_sale: Mapped[bool]
    in_stock: Mapped[bool | None]
    stock_version: Mapped[int] = mapped_column(default=0)

    @hybrid_property
    def status(self) -> bool:
        return self.on_sale and self.in_stock is not False

    @status.inplace.expression
    @classmethod
    def _status_in_sql(cls) -> ColumnElement[bool]:
        return and_(cls.on_sale, cls.in_stock.is_distinct_from(False))
