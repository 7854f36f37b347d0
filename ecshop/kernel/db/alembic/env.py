"""Alembic's entry, one for all contexts: the connection comes from `ecshop.kernel.db.migration`."""

from alembic import context

from ecshop.kernel.db.engine import own_schema

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema=own_schema(connection), render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
