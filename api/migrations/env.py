"""Alembic's entry: runs the steps on the connection that ``api.migrations`` has opened."""

from alembic import context

from api import migrations

opened = context.config.attributes.get("connection")
if opened is None:
    raise RuntimeError("run migrations with `xinqiao db upgrade`")

context.configure(
    connection=opened,
    target_metadata=migrations.models(),
    compare_type=True,
    render_item=context.config.attributes.get("render_item"),
    # Both engines change tables inside a transaction; Alembic does not expect it of SQLite.
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
