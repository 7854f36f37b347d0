"""Products and categories, an index of all parts of a product's name and detail, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CountedKey, Instant, sort_key

revision = "product_0001"
down_revision = None

_AT_A_TIME = 16  # characters: a step for each would take three times as long
_GRAMS = "name, detail, name_pairs, detail_pairs"
_INDEX_PARTS_ON_SERVER = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX product_search ON product USING gin (search_name gin_trgm_ops, search_detail gin_trgm_ops);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'this user may not have pg_trgm: a search will read all products';
END $$
"""


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
        sa.Column("search_name", sort_key(200), nullable=False),
        sa.Column("search_detail", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("category_id", CountedKey, sa.ForeignKey("category.id")),
        sa.Column("picture", sa.String(64), nullable=True),
        sa.Column("on_sale", sa.Boolean, nullable=False),
        sa.Column("in_stock", sa.Boolean),
        sa.Column("stock_version", sa.BigInteger, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "picture",
        sa.Column("product_id", CountedKey, sa.ForeignKey("product.id"), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("image", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "availability_change",
        sa.Column("product_id", sa.BigInteger, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("in_stock", sa.Boolean, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sqlite_with_rowid=False,
    )
    for column in ("name_key", "search_name", "price", "category_id", "on_sale", "in_stock", "updated_at"):
        op.create_index(f"ix_product_{column}", "product", [column])
    op.create_index("products_of_category_by_name", "product", ["category_id", "name_key"])
    op.create_index("products_of_category_by_price", "product", ["category_id", "price"])
    op.create_index("products_in_stock_by_name", "product", ["in_stock", "name_key"])
    op.create_index("products_in_stock_by_price", "product", ["in_stock", "price"])
    if op.get_context().dialect.name == "sqlite":
        listed = ["id", "name_key", "search_name", "price", "category_id", "on_sale", "in_stock", "updated_at"]
        op.create_index("products_listed", "product", listed)
        _index_parts_in_file()
    else:
        op.execute(_INDEX_PARTS_ON_SERVER)
    create_event_tables()


def _index_parts_in_file() -> None:
    """What rebuilds the table `product` has to drop the view before and to make view and triggers again."""
    op.execute(
        f"CREATE VIEW product_grams AS SELECT id, search_name AS name, search_detail AS detail, "
        f"{_spaced('search_name', 'char(30)')} AS name_pairs, {_spaced('search_detail', 'char(31)')} AS detail_pairs "
        "FROM product"
    )
    op.execute(
        f"CREATE VIRTUAL TABLE product_search USING fts5({_GRAMS}, content='product_grams', content_rowid='id', "
        "tokenize='trigram case_sensitive 1', detail='none', columnsize=0)"
    )
    add = f"INSERT INTO product_search(rowid, {_GRAMS}) SELECT * FROM product_grams WHERE id = new.id"
    take = (
        f"INSERT INTO product_search(product_search, rowid, {_GRAMS}) "
        "SELECT 'delete', * FROM product_grams WHERE id = old.id"
    )
    for name, when, do in (
        ("created", "AFTER INSERT", add),
        ("changing", "BEFORE UPDATE OF search_name, search_detail", take),
        ("changed", "AFTER UPDATE OF search_name, search_detail", add),
        ("deleted", "BEFORE DELETE", take),
    ):
        op.execute(f"CREATE TRIGGER product_search_{name} {when} ON product BEGIN {do}; END")


def _spaced(text: str, sign: str) -> str:
    """The text with a sign before, between and behind its characters: its threes are the pairs and the single ones."""
    step = " || ".join(f"{sign} || substr(rest, {place + 1}, 1)" for place in range(_AT_A_TIME))
    return (
        f"(WITH RECURSIVE piece(spaced, rest) AS (SELECT '', {text} UNION ALL "
        f"SELECT {step}, substr(rest, {_AT_A_TIME + 1}) FROM piece WHERE rest <> '') "
        f"SELECT group_concat(spaced, '') || {sign} FROM piece)"
    )
