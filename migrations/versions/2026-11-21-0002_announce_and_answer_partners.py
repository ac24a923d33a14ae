"""Keep locations, what is announced, and with which token a partner may ask."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "location",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("country", AutoString(), nullable=False),
        sa.Column("party", AutoString(), nullable=False),
        sa.Column("location", AutoString(), nullable=False),
        sa.Column("ocpi_object", sa.JSON(), nullable=False),
        sa.Column("ocpi_version", AutoString(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("vacated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_location_country_party_location", "location", ["country", "party", "location"], unique=True)
    # With the party in it, or the EVSEs of a location are looked for among all that the party has.
    op.drop_index("ix_evse_location", table_name="evse")
    op.create_index("ix_evse_location_country_party", "evse", ["location", "country", "party"])
    op.add_column("evse", sa.Column("ocpi_version", AutoString(), nullable=True))
    op.add_column("evse", sa.Column("object_changed_at", UTCDateTime(), nullable=True))
    # What was imported before was read as 2.2.1, and no other version could be.
    op.execute("UPDATE evse SET ocpi_version = '2.2.1' WHERE ocpi_object IS NOT NULL")

    op.add_column("presented", sa.Column("announced", sa.JSON(), nullable=True))
    op.add_column("presented", sa.Column("status_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("presented", sa.Column("schedule_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    # Nothing was announced until now, so that each version was one of what is shown.
    op.execute("UPDATE presented SET status_version = version")

    op.add_column("partner", sa.Column("gets_schedule", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("partner", sa.Column("caller", AutoString(), nullable=True))
    op.create_index("uq_partner_caller", "partner", ["caller"], unique=True)

    op.add_column("delivery", sa.Column("told_at", AutoString(), nullable=True))


def downgrade() -> None:
    # The version before would tell them as a status.
    op.execute("DELETE FROM delivery WHERE aspect = 'schedule'")
    op.drop_column("delivery", "told_at")
    op.drop_index("uq_partner_caller", table_name="partner")
    op.drop_column("partner", "caller")
    op.drop_column("partner", "gets_schedule")
    for column in ("schedule_version", "status_version", "announced"):
        op.drop_column("presented", column)
    for column in ("object_changed_at", "ocpi_version"):
        op.drop_column("evse", column)
    op.drop_index("ix_evse_location_country_party", table_name="evse")
    op.create_index("ix_evse_location", "evse", ["location"])
    op.drop_table("location")
