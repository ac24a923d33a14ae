"""Keep which call planned a temporary status together with others, and find what lists are filtered by."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OF_A_BATCH = sa.text("batch IS NOT NULL")
_WITH_A_REF = sa.text("ref IS NOT NULL")

#: What lists are filtered by, in the order of their pages.
_INDEXES = (
    ("evse", "operator_id", ("operator", "id")),
    ("evse", "deployment_state_id", ("deployment_state", "id")),
    ("evse", "actual_status_id", ("actual_status", "id")),
    ("evse", "updated_at", ("updated_at",)),
    ("presented", "what_evse", ("what", "evse")),
    ("presented", "last_updated", ("last_updated",)),
    ("temporary_status", "operator_id", ("operator", "id")),
    ("temporary_status", "kind_id", ("kind", "id")),
    ("temporary_status", "updated_at", ("updated_at",)),
    ("temporary_status", "span_valid_from", ("span", "valid_from", "valid_to", "ended_at")),
)

# As in store/spans.py: after how many hours it is surely over; what was ended before it began never was in effect.
_ENDS = "CASE WHEN valid_to IS NULL OR ended_at < valid_to THEN ended_at ELSE valid_to END"
_HOURS = {
    "sqlite": f"(julianday({_ENDS}) - julianday(valid_from)) * 24",
    "postgresql": f"extract(epoch FROM {_ENDS} - valid_from) / 3600",
}
_STEPS = " ".join(f"WHEN {{hours}} <= {step} THEN {step}" for step in (1, 8, 48, 336, 2400))


def upgrade() -> None:
    op.add_column("temporary_status", sa.Column("batch", AutoString(), nullable=True))
    op.create_index(
        "ix_temporary_status_batch",
        "temporary_status",
        ["batch", "id"],
        sqlite_where=_OF_A_BATCH,
        postgresql_where=_OF_A_BATCH,
    )
    op.create_index("ix_attempt_evse_partner", "attempt", ["evse", "partner", "id"])
    op.create_index(
        "ix_temporary_status_ref_id",
        "temporary_status",
        ["ref", "id"],
        sqlite_where=_WITH_A_REF,
        postgresql_where=_WITH_A_REF,
    )
    op.add_column("temporary_status", sa.Column("span", sa.Integer(), server_default=sa.text("0"), nullable=False))
    steps = _STEPS.format(hours=_HOURS[op.get_bind().dialect.name])
    op.execute(f"UPDATE temporary_status SET span = CASE {steps} ELSE 0 END")  # noqa: S608 - our own constants
    for table, name, columns in _INDEXES:
        op.create_index(f"ix_{table}_{name}", table, list(columns))


def downgrade() -> None:
    for table, name, _columns in reversed(_INDEXES):
        op.drop_index(f"ix_{table}_{name}", table_name=table)
    op.drop_column("temporary_status", "span")
    op.drop_index("ix_temporary_status_ref_id", table_name="temporary_status")
    op.drop_index("ix_attempt_evse_partner", table_name="attempt")
    op.drop_index("ix_temporary_status_batch", table_name="temporary_status")
    op.drop_column("temporary_status", "batch")
