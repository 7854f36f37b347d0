"""Reviews, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CountedKey

revision = "review_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", CountedKey, primary_key=True),
        sa.Column("product_id", sa.BigInteger, nullable=False),
        sa.Column("stars", sa.BigInteger, nullable=False),
        sa.Column("text", sa.String(2000), nullable=False),
    )
    op.create_index("ix_review_product_id", "review", ["product_id"])
    create_event_tables()
