"""Create the tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("role", AutoString(), nullable=False),
        sa.Column("digest", AutoString(), nullable=False),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "audit",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor", AutoString(), nullable=False),
        sa.Column("action", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("operator", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)

    op.create_table(
        "chore",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("last_run_at", UTCDateTime(), nullable=False),
        sa.Column("token", AutoString(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chore")),
    )
    op.create_table(
        "evse",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("country", AutoString(), nullable=False),
        sa.Column("party", AutoString(), nullable=False),
        sa.Column("uid", AutoString(), nullable=False),
        sa.Column("evse_id", AutoString(), nullable=True),
        sa.Column("evse_id_key", AutoString(), nullable=True),
        sa.Column("operator", AutoString(), nullable=False),
        sa.Column("location", AutoString(), nullable=True),
        sa.Column("deployment_state", AutoString(), nullable=False),
        sa.Column("actual_status", AutoString(), nullable=False),
        sa.Column("reported_status", AutoString(), nullable=True),
        sa.Column("observed_at", UTCDateTime(), nullable=True),
        sa.Column("ocpi_object", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "actual_status IN ('AVAILABLE', 'CHARGING', 'BLOCKED', 'RESERVED', 'INOPERATIVE', 'OUTOFORDER', 'PLANNED', 'UNKNOWN')",
            name=op.f("ck_evse_actual_status"),
        ),
        sa.CheckConstraint(
            "deployment_state IN ('STOCK', 'PRODUCTION', 'DEPRECATED')", name=op.f("ck_evse_deployment_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evse")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evse_evse_id_key", "evse", ["evse_id_key"], unique=False)
    op.create_index("ix_evse_location", "evse", ["location"], unique=False)
    op.create_index("uq_evse_country_party_uid", "evse", ["country", "party", "uid"], unique=True)
    op.create_index(
        "uq_evse_evse_id",
        "evse",
        ["evse_id"],
        unique=True,
        sqlite_where=sa.text("deployment_state <> 'DEPRECATED'"),
        postgresql_where=sa.text("deployment_state <> 'DEPRECATED'"),
    )

    op.create_table(
        "partner",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("tells_fleet", sa.Boolean(), nullable=False),
        sa.Column("exclusive", AutoString(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("introduced", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("failed_at", UTCDateTime(), nullable=True),
        sa.Column("hold_until", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_success_at", UTCDateTime(), nullable=True),
        sa.Column("lane_token", AutoString(), nullable=True),
        sa.Column("lane_lease_until", UTCDateTime(), nullable=True),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_partner_exclusive", "partner", ["exclusive"], unique=True)
    op.create_index("uq_partner_name", "partner", ["name"], unique=True)

    op.create_table(
        "attempt",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("partner", BigKey, nullable=False),
        sa.Column("evse", BigKey, nullable=False),
        sa.Column("aspect", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("said", AutoString(), nullable=False),
        sa.Column("outcome", AutoString(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("reference", AutoString(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("delay_ms", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["evse"], ["evse.id"], name=op.f("fk_attempt_evse")),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("fk_attempt_partner"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempt_at", "attempt", ["at"], unique=False)
    op.create_index("ix_attempt_partner", "attempt", ["partner", "id"], unique=False)

    op.create_table(
        "full_load",
        sa.Column("partner", BigKey, nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("asked_by", AutoString(), nullable=True),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("began_at", UTCDateTime(), nullable=True),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("accepted_at", UTCDateTime(), nullable=True),
        sa.Column("accepted_count", sa.Integer(), nullable=True),
        sa.Column("doubtful_until", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("fk_full_load_partner"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_full_load")),
    )
    op.create_table(
        "delivery",
        sa.Column("partner", BigKey, nullable=False),
        sa.Column("evse", BigKey, nullable=False),
        sa.Column("aspect", AutoString(), nullable=False),
        sa.Column("want", sa.Integer(), nullable=False),
        sa.Column("acked", sa.Integer(), nullable=True),
        sa.Column("acked_digest", AutoString(), nullable=True),
        sa.Column("acked_at", UTCDateTime(), nullable=True),
        sa.Column("shared_at", UTCDateTime(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Boolean(), nullable=False),
        sa.Column("suspect", sa.Boolean(), nullable=False),
        sa.Column("confirm_at", UTCDateTime(), nullable=True),
        sa.Column("rejected_version", sa.Integer(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("token", AutoString(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("aspect IN ('status', 'schedule')", name=op.f("ck_delivery_aspect")),
        sa.ForeignKeyConstraint(["evse"], ["evse.id"], name=op.f("fk_delivery_evse")),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("fk_delivery_partner"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("partner", "evse", "aspect", name=op.f("pk_delivery")),
    )
    op.create_index("ix_delivery_evse", "delivery", ["evse"], unique=False)
    op.create_index(
        "ix_delivery_owed",
        "delivery",
        ["partner", "next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )

    op.create_table(
        "presented",
        sa.Column("evse", BigKey, nullable=False),
        sa.Column("what", AutoString(), nullable=False),
        sa.Column("because", BigKey, nullable=True),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", UTCDateTime(), nullable=False),
        sa.Column("recheck_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["evse"], ["evse.id"], name=op.f("fk_presented_evse")),
        sa.PrimaryKeyConstraint("evse", name=op.f("pk_presented")),
    )
    op.create_index(
        "ix_presented_recheck_at",
        "presented",
        ["recheck_at"],
        unique=False,
        sqlite_where=sa.text("recheck_at IS NOT NULL"),
        postgresql_where=sa.text("recheck_at IS NOT NULL"),
    )

    op.create_table(
        "presented_change",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("evse", BigKey, nullable=False),
        sa.Column("operator", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_what", AutoString(), nullable=False),
        sa.Column("to_what", AutoString(), nullable=False),
        sa.Column("because", BigKey, nullable=True),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["evse"], ["evse.id"], name=op.f("fk_presented_change_evse")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presented_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_presented_change_at", "presented_change", ["at"], unique=False)
    op.create_index("ix_presented_change_evse_version", "presented_change", ["evse", "version"], unique=False)

    op.create_table(
        "temporary_status",
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("evse", BigKey, nullable=False),
        sa.Column("operator", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("valid_from", UTCDateTime(), nullable=False),
        sa.Column("valid_to", UTCDateTime(), nullable=True),
        sa.Column("applies_when", AutoString(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ref", AutoString(), nullable=True),
        sa.Column("created_by", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_by", AutoString(), nullable=True),
        sa.Column("end_reason", AutoString(), nullable=True),
        sa.CheckConstraint("applies_when IN ('always', 'idle')", name=op.f("ck_temporary_status_applies_when")),
        sa.CheckConstraint(
            "kind IN ('COMMISSIONING', 'MAINTENANCE', 'BLOCKED', 'RESERVED')", name=op.f("ck_temporary_status_kind")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_temporary_status_interval")),
        sa.ForeignKeyConstraint(["evse"], ["evse.id"], name=op.f("fk_temporary_status_evse")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_temporary_status")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_temporary_status_created_by_ref", "temporary_status", ["created_by", "ref", "id"], unique=False)
    op.create_index("ix_temporary_status_evse_id", "temporary_status", ["evse", "id"], unique=False)
    op.create_index(
        "ix_temporary_status_live",
        "temporary_status",
        ["evse", "valid_to"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "uq_temporary_status_ref",
        "temporary_status",
        ["created_by", "ref"],
        unique=True,
        sqlite_where=sa.text("ref IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("ref IS NOT NULL AND ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_temporary_status_ref",
        "temporary_status",
        sqlite_where=sa.text("ref IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("ref IS NOT NULL AND ended_at IS NULL"),
    )
    op.drop_index(
        "ix_temporary_status_live",
        "temporary_status",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index("ix_temporary_status_evse_id", "temporary_status")
    op.drop_index("ix_temporary_status_created_by_ref", "temporary_status")

    op.drop_table("temporary_status")
    op.drop_index("ix_presented_change_evse_version", "presented_change")
    op.drop_index("ix_presented_change_at", "presented_change")

    op.drop_table("presented_change")
    op.drop_index(
        "ix_presented_recheck_at",
        "presented",
        sqlite_where=sa.text("recheck_at IS NOT NULL"),
        postgresql_where=sa.text("recheck_at IS NOT NULL"),
    )

    op.drop_table("presented")
    op.drop_index(
        "ix_delivery_owed",
        "delivery",
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.drop_index("ix_delivery_evse", "delivery")

    op.drop_table("delivery")
    op.drop_table("full_load")
    op.drop_index("ix_attempt_partner", "attempt")
    op.drop_index("ix_attempt_at", "attempt")

    op.drop_table("attempt")
    op.drop_index("uq_partner_name", "partner")
    op.drop_index("uq_partner_exclusive", "partner")

    op.drop_table("partner")
    op.drop_index(
        "uq_evse_evse_id",
        "evse",
        sqlite_where=sa.text("deployment_state <> 'DEPRECATED'"),
        postgresql_where=sa.text("deployment_state <> 'DEPRECATED'"),
    )
    op.drop_index("uq_evse_country_party_uid", "evse")
    op.drop_index("ix_evse_location", "evse")
    op.drop_index("ix_evse_evse_id_key", "evse")

    op.drop_table("evse")
    op.drop_table("chore")
    op.drop_index("ix_audit_at", "audit")

    op.drop_table("audit")
    op.drop_table("api_key")
