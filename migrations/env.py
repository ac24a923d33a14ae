"""Runs the migrations on the connection it is handed, inside that connection's transaction.

The transaction belongs to `app/store/migrating.py`: a migration that fails leaves nothing behind, on SQLite neither.
"""

from alembic import context

from app.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
