"""Which EVSEs a list is to hold, and the index that finds a page of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.permission import sees_others
from app.domain.presentation import Gate
from app.domain.principal import COMMAND_LINE, Principal
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.store.paged import ALONG_THE_KEY, Access, Way, page
from app.store.reach import covered
from app.store.rows import what_text
from app.store.tables import metadata
from app.store.temporary_lists import Place, in_effect

_evse = metadata.tables["evse"]
_presented = metadata.tables["presented"]
_temporary = metadata.tables["temporary_status"]

#: The words for what is shown. A temporary `BLOCKED` and a charger's own are one word here: drivers see no difference.
SHOWN: Final = tuple(dict.fromkeys(one.value for words in (Kind, ActualStatus, Gate) for one in words))


class InEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What an EVSE has in effect at `at` (UTC): one temporary status of which all of this holds."""

    at: datetime
    kinds: tuple[Kind, ...] = ()
    ends_until: datetime | None = None
    created_by: str | None = None


class FleetQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which EVSEs are wanted, of those in `scope`. All that is said must hold.

    What of temporary statuses `by` may not see does not count. `operator` is an operator key (`DEABC`), `shown` are
    words of `SHOWN`. `updated_since` is UTC. `after` is the key of the last one on the page before.
    """

    by: Principal = COMMAND_LINE
    scope: Scope = EVERYTHING
    evses: tuple[int, ...] = ()
    place: Place | None = None
    operator: str | None = None
    deployment: DeploymentState | None = None
    actual: tuple[ActualStatus, ...] = ()
    shown: tuple[str, ...] = ()
    in_effect: InEffect | None = None
    updated_since: datetime | None = None
    after: int = 0
    limit: int = 100


async def fleet_page(connection: AsyncConnection, wanted: FleetQuery, at: datetime | None) -> list[RowMapping]:
    """A page in the order of registration. What is `shown` is a guess for rows due at `at`: who asks looks again."""
    query = select(_evse.c.id).where(*_conditions(wanted))
    if wanted.shown:
        query = query.join(_presented, _presented.c.evse == _evse.c.id)
    return await page(connection, _evse, [_access(query, wanted, at)], wanted.after, wanted.limit)


def _conditions(wanted: FleetQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [covered(wanted.scope)]
    if wanted.evses:
        conditions.append(_evse.c.id.in_(wanted.evses))
    if wanted.place is not None:
        conditions.append(wanted.place.condition())
    if wanted.operator is not None:
        conditions.append(_evse.c.operator == wanted.operator)
    if wanted.deployment is not None:
        conditions.append(_evse.c.deployment_state == wanted.deployment.value)
    if wanted.actual:
        conditions.append(_evse.c.actual_status.in_([one.value for one in wanted.actual]))
    if (one := wanted.in_effect) is not None:
        having = in_effect(wanted.by, one.at, kinds=one.kinds, ends_until=one.ends_until, created_by=one.created_by)
        conditions.append(_evse.c.id.in_(having))
    if wanted.updated_since is not None:
        conditions.append(_evse.c.id.in_(_changed(wanted.by, wanted.updated_since)))
    return conditions


def _changed(by: Principal, since: datetime) -> Select[Any]:
    """The keys of EVSEs of which something that is answered may have changed at `since` or later.

    What is due has changed, or is about to be found not to have.
    """
    its = _temporary.c
    planned = select(its.evse).where(its.updated_at >= since)
    ways = (
        select(_evse.c.id).where(_evse.c.updated_at >= since),
        select(_presented.c.evse).where(_presented.c.last_updated >= since),
        planned if sees_others(by) else planned.where(its.created_by == by.id),
    )
    changed = union(*ways).subquery()
    return select(changed.c[0])


def _access(query: Select[Any], wanted: FleetQuery, at: datetime | None) -> Access:
    """The index that says most of what is wanted."""
    if wanted.shown:
        ways = [_shown(_presented.c.what == what, index="ix_presented_what_evse") for what in _stored(wanted.shown)]
        due = (_presented.c.recheck_at.is_not(None), _presented.c.recheck_at <= at)
        return Access(query=query, ways=[*ways, _shown(*due, index="ix_presented_recheck_at", ordered=False)])
    if wanted.evses or wanted.place is not None or not _is_wide(wanted.scope):
        return Access(query=query, ways=[_way()])
    if wanted.in_effect is not None or wanted.updated_since is not None:
        return Access(query=query, ways=[_way(index=ALONG_THE_KEY, ordered=False)], wide=True)
    if wanted.actual:
        ways = [_way(_evse.c.actual_status == one.value, index="ix_evse_actual_status_id") for one in wanted.actual]
        return Access(query=query, ways=ways)
    if wanted.operator is not None:
        return Access(query=query, ways=[_way(index="ix_evse_operator_id")])
    if wanted.deployment is not None:
        return Access(query=query, ways=[_way(index="ix_evse_deployment_state_id")])
    alone = not wanted.scope.is_everything and len(wanted.scope.operators) == 1 and not _is_patchy(wanted.scope)
    return Access(query=query, ways=[_way(index="ix_evse_operator_id" if alone else ALONG_THE_KEY)])


def _is_wide(scope: Scope) -> bool:
    return scope.is_everything or bool(scope.operators)


def _is_patchy(scope: Scope) -> bool:
    return bool(scope.sites or scope.evses)


def _stored(words: Sequence[str]) -> list[str]:
    return [what_text(kind(word)) for kind in (Kind, ActualStatus, Gate) for word in words if word in kind.__members__]


def _way(*where: ColumnElement[bool], index: str | None = None, ordered: bool = True) -> Way:
    return Way(where=where, index=index, of=_evse, key=_evse.c.id, ordered=ordered)


def _shown(*where: ColumnElement[bool], index: str, ordered: bool = True) -> Way:
    return Way(where=where, index=index, of=_presented, key=_presented.c.evse, ordered=ordered)
