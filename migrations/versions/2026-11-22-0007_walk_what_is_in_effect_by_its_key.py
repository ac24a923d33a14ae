"""Find a page of what is in effect in the order of its keys."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "temporary_status"
_ENDS = ("valid_to", "ended_at")
# As in store/spans.py: the number of the step, and how many times its length fits between 1970 and the beginning.
_STEPS = (1, 8, 48, 336, 2400)
_EACH = 10_000_000
_STRETCH = {
    "sqlite": "CAST(strftime('%s', valid_from) AS INTEGER) / (3600 * span)",
    "postgresql": "CAST(floor(extract(epoch FROM valid_from) / (3600 * span)) AS INTEGER)",
}


def upgrade() -> None:
    op.drop_index("ix_temporary_status_span_valid_from", table_name=_TABLE)
    first = " ".join(f"WHEN {step} THEN {number * _EACH}" for number, step in enumerate(_STEPS, 1))
    stretch = _STRETCH[op.get_bind().dialect.name]
    op.execute(sa.text(f"UPDATE {_TABLE} SET span = CASE span {first} END + {stretch} WHERE span <> 0"))  # noqa: S608
    op.create_index("ix_temporary_status_span_id", _TABLE, ["span", "id", "valid_from", *_ENDS])


def downgrade() -> None:
    op.drop_index("ix_temporary_status_span_id", table_name=_TABLE)
    steps = " ".join(f"WHEN {number} THEN {step}" for number, step in enumerate(_STEPS, 1))
    op.execute(f"UPDATE {_TABLE} SET span = CASE span / {_EACH} {steps} ELSE 0 END")  # noqa: S608 - our own constants
    op.create_index("ix_temporary_status_span_valid_from", _TABLE, ["span", "valid_from", *_ENDS])
