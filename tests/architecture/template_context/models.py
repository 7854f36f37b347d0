"""Tables of the review database."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class ReviewRow(Base):
    __tablename__ = "review"

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    product_id: Mapped[int] = mapped_column(index=True)
    stars: Mapped[int]
    text: Mapped[str] = mapped_column(String(2000))
