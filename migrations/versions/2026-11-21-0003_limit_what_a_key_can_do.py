"""Keep what a key may do, how the brakes stand, and what was said under a reference and an Idempotency-Key."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_LIVE = sa.text("ended_at IS NULL")
_IN_PRODUCTION = sa.text("deployment_state = 'PRODUCTION'")


def upgrade() -> None:
    op.add_column("api_key", sa.Column("last_used_from", AutoString(), nullable=True))
    op.add_column("api_key", sa.Column("rights", sa.JSON(), nullable=True))
    op.add_column("api_key", sa.Column("rotated_at", UTCDateTime(), nullable=True))
    op.add_column("api_key", sa.Column("previous_digest", AutoString(), nullable=True))
    for column in ("previous_until", "previous_used_at"):
        op.add_column("api_key", sa.Column(column, UTCDateTime(), nullable=True))

    # What was planned before is not counted.
    op.add_column(
        "temporary_status", sa.Column("braked", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index("ix_temporary_status_created_by_id", "temporary_status", ["created_by", "id"])
    op.create_index(
        "ix_temporary_status_created_by_live",
        "temporary_status",
        ["created_by", "valid_to"],
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index(
        "ix_temporary_status_braked",
        "temporary_status",
        ["operator", "valid_from"],
        sqlite_where=sa.text("braked = 1 AND ended_at IS NULL"),
        postgresql_where=sa.text("braked AND ended_at IS NULL"),
    )
    op.create_index(
        "ix_evse_operator", "evse", ["operator"], sqlite_where=_IN_PRODUCTION, postgresql_where=_IN_PRODUCTION
    )

    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"])

    op.create_table(
        "brake",
        sa.Column("name", AutoString(), nullable=False),
        *(sa.Column(column, AutoString(), nullable=True) for column in ("operator", "country", "party", "location")),
        sa.Column("tripped_at", UTCDateTime(), nullable=True),
        sa.Column("tripped_by", AutoString(), nullable=True),
        *(sa.Column(column, sa.Integer(), nullable=False) for column in ("evses", "of", "refused")),
        sa.Column("held", sa.JSON(), nullable=True),
        sa.Column("lifted_until", UTCDateTime(), nullable=True),
        sa.Column("lifted_by", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_brake")),
    )
    op.create_table(
        "reference",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("ref", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("source_version", sa.BigInteger(), nullable=True),
        sa.Column("source_updated_at", UTCDateTime(), nullable=True),
        sa.Column("cancelled_at", UTCDateTime(), nullable=True),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_reference_owner_ref", "reference", ["owner", "ref"], unique=True)
    op.create_index("ix_reference_at", "reference", ["at"])
    op.create_table(
        "idempotency",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_idempotency_owner_key", "idempotency", ["owner", "key"], unique=True)
    op.create_index("ix_idempotency_at", "idempotency", ["at"])


def downgrade() -> None:
    # The version before knows neither these roles nor any limit: what it cannot hold to is no longer good.
    op.execute("DELETE FROM api_key WHERE role NOT IN ('admin', 'client', 'reader')")
    op.execute("UPDATE api_key SET revoked_at = coalesce(revoked_at, created_at) WHERE rights IS NOT NULL")
    for table in ("idempotency", "reference", "brake"):
        op.drop_table(table)
    op.drop_index("ix_audit_actor_id", table_name="audit")
    op.drop_index("ix_evse_operator", table_name="evse")
    for index in ("braked", "created_by_live", "created_by_id"):
        op.drop_index(f"ix_temporary_status_{index}", table_name="temporary_status")
    op.drop_column("temporary_status", "braked")
    for column in ("previous_used_at", "previous_until", "previous_digest", "rotated_at", "rights", "last_used_from"):
        op.drop_column("api_key", column)
