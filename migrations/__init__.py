"""Alembic migrations, applied by `serve` on the embedded database and by `evse-status migrate` elsewhere."""
