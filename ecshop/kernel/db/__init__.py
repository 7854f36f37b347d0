"""All that knows SQLAlchemy: threads for it, column types, pages by keyset, migrations."""
