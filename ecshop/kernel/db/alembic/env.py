"""Alembic's entry, one for all contexts; `ecshop.kernel.db.revisions` says where it runs, or for whom it writes SQL."""

from alembic import context

from ecshop.kernel.db.engine import own_schema

given = context.config.attributes
if context.is_offline_mode():
    context.configure(
        dialect_name=given["dialect"],
        version_table_schema=given["schema"],
        literal_binds=True,
        transactional_ddl=True,
        render_as_batch=True,
    )
else:
    connection = given["connection"]
    context.configure(connection=connection, version_table_schema=own_schema(connection), render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
