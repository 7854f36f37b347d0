"""Alembic's entry, one for all contexts: the connection comes from `ecshop.kernel.db.migration`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
