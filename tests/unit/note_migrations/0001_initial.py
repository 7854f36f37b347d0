"""Notes, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CountedKey

revision = "note_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "note",
        sa.Column("id", CountedKey, primary_key=True),
        sa.Column("text", sa.String(100), nullable=False, unique=True),
    )
    create_event_tables()
