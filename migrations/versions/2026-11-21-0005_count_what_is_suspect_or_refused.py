"""Count what is suspect or was refused without reading all that partners are owed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_REJECTED = sa.text("rejected_version IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_delivery_suspect",
        "delivery",
        ["partner"],
        sqlite_where=sa.text("suspect = 1"),
        postgresql_where=sa.text("suspect"),
    )
    op.create_index("ix_delivery_rejected", "delivery", ["partner"], sqlite_where=_REJECTED, postgresql_where=_REJECTED)


def downgrade() -> None:
    op.drop_index("ix_delivery_rejected", table_name="delivery")
    op.drop_index("ix_delivery_suspect", table_name="delivery")
