"""Keep which call planned a temporary status together with others, and find what an operator has in stock."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OF_A_BATCH = sa.text("batch IS NOT NULL")
_IN_STOCK = sa.text("deployment_state = 'STOCK'")


def upgrade() -> None:
    op.add_column("temporary_status", sa.Column("batch", AutoString(), nullable=True))
    op.create_index(
        "ix_temporary_status_batch",
        "temporary_status",
        ["batch", "id"],
        sqlite_where=_OF_A_BATCH,
        postgresql_where=_OF_A_BATCH,
    )
    op.create_index("ix_evse_operator_stock", "evse", ["operator"], sqlite_where=_IN_STOCK, postgresql_where=_IN_STOCK)
    op.create_index("ix_attempt_evse_partner", "attempt", ["evse", "partner", "id"])


def downgrade() -> None:
    op.drop_index("ix_attempt_evse_partner", table_name="attempt")
    op.drop_index("ix_evse_operator_stock", table_name="evse")
    op.drop_index("ix_temporary_status_batch", table_name="temporary_status")
    op.drop_column("temporary_status", "batch")
