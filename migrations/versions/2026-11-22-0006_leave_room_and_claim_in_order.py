"""Leave room beside each EVSE for PostgreSQL to write a report to, and keep what is owed in the order of claims."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Holds for what is written from now on. What is stored already moves by itself, as it is reported on.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE evse SET (fillfactor = 70)")
    _order("partner", "next_at", "evse")


def downgrade() -> None:
    _order("partner", "next_at")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE evse RESET (fillfactor)")


def _order(*columns: str) -> None:
    where = sa.text("next_at IS NOT NULL")
    op.drop_index("ix_delivery_owed", table_name="delivery")
    op.create_index("ix_delivery_owed", "delivery", list(columns), sqlite_where=where, postgresql_where=where)
