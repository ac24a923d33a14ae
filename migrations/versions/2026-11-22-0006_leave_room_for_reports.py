"""Leave room beside each EVSE, so that PostgreSQL can write a report there and leave the indexes alone."""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Holds for what is written from now on. What is stored already moves by itself, as it is reported on.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE evse SET (fillfactor = 70)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE evse RESET (fillfactor)")
