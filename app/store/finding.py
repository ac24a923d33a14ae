"""Which EVSE a written EVSE ID names, what lives on an EVSE, and what a key named: asked by whoever writes or reads."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_

from app.domain.errors import AmbiguousEvse
from app.domain.evse import Evse
from app.domain.evse_id import EvseId, named
from app.domain.status import DeploymentState
from app.store.tables import metadata

_temporary = metadata.tables["temporary_status"]


def everybody(_evse: Evse) -> bool:
    """Whose candidates nobody narrows down."""
    return True


def chosen(evse_id: EvseId, same_key: Collection[Evse]) -> Evse | None:
    """Choose the EVSE that `evse_id` names among those with its key; deprecated ones only where no other is left.

    Raises:
        AmbiguousEvse: several fit.
    """
    if len(same_key) == 1:
        (only,) = same_key
        if only.evse_id == evse_id.written:  # as nearly everybody writes it
            return only
    in_use = [one for one in same_key if one.deployment is not DeploymentState.DEPRECATED]
    for group in (in_use, [one for one in same_key if one not in in_use]):
        texts = named(evse_id, {one.evse_id for one in group if one.evse_id is not None})
        if len(texts) > 1:
            raise AmbiguousEvse(
                f"{evse_id.written} may mean {' or '.join(sorted(texts))}: write it with its separators", field="evseId"
            )
        if texts:
            # Of several deprecated EVSEs with the same ID the youngest is meant.
            return max((one for one in group if one.evse_id == texts[0]), key=lambda one: one.id)
    return None


def live_temporary(evses: Iterable[int] | Select[Any], at: datetime) -> ColumnElement[bool]:
    """The condition for the temporary statuses of these EVSEs that are not over at `at`.

    Each half by itself is a range of the index, so that what is over is passed by unread, however much that is.
    """
    return live_of(_temporary.c.evse.in_(evses if isinstance(evses, Select) else list(evses)), at)


def live_of(of: ColumnElement[bool], at: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """The same, given the condition for the EVSEs."""
    its = _temporary.c
    return or_(*(and_(of, its.ended_at.is_(None), end) for end in (its.valid_to.is_(None), its.valid_to > at)))


def of_owners(
    owner: ColumnElement[str], name: ColumnElement[str], pairs: Iterable[tuple[str, str]]
) -> ColumnElement[bool]:
    """The condition for these pairs of owner and name. SQLite finds no pair through an index, but each by itself."""
    names: dict[str, list[str]] = defaultdict(list)
    for one, its in sorted(pairs):
        names[one].append(its)
    return or_(*(and_(owner == one, name.in_(its)) for one, its in names.items()))
