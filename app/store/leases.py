"""Who has taken something for a while, and when it is free again."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_


def free(lease_until: ColumnElement[Any], at: datetime, longest_lease: timedelta) -> ColumnElement[bool]:
    """The condition that nobody has taken it, or whoever did took too long."""
    return or_(
        lease_until.is_(None),
        lease_until <= at,
        # Further than any lease reaches: it was taken under a clock that has since been stepped back. Far further, as
        # one that another replica has just taken reaches a little too far already, where its clock is a little ahead.
        lease_until > at + 2 * longest_lease,
    )
