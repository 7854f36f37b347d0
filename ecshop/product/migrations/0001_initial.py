"""Products and categories, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CountedKey, Instant, sort_key

revision = "product_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "category",
        sa.Column("id", CountedKey, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", sort_key(100), nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "product",
        sa.Column("id", CountedKey, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sort_key(200), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("category_id", CountedKey, sa.ForeignKey("category.id")),
        sa.Column("on_sale", sa.Boolean, nullable=False),
        sa.Column("in_stock", sa.Boolean),
        sa.Column("stock_version", sa.BigInteger, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_product_name_key", "product", ["name_key"])
    op.create_index("ix_product_category_id", "product", ["category_id"])
    op.create_index("ix_product_updated_at", "product", ["updated_at"])
    create_event_tables()
