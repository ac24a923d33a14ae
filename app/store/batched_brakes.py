"""The brakes around the EVSEs of a group of commands, counted under a lock: no replica counts beside another."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.brake import Brake, Braked, Group, groups_of
from app.domain.errors import BlastRadius
from app.domain.evse import Evse
from app.domain.instant import rfc3339
from app.domain.principal import Principal
from app.domain.status import DeploymentState
from app.domain.temporary_status import TemporaryStatus
from app.store import brakes, dialect
from app.store.tables import metadata

_brake = metadata.tables["brake"]
_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
_IN_PRODUCTION: Final = _evse.c.deployment_state == DeploymentState.PRODUCTION.value

_LIFTED: Final = "; operations can lift the brake"

log = structlog.get_logger(__name__)


class Begun(msgspec.Struct, frozen=True):
    """What begins when on which EVSE, and whose it is."""

    evse: int
    begin: datetime
    owner: str


class BatchedBrakes:
    """Lets overrides through, or takes hold."""

    def __init__(self, brake: Brake) -> None:
        self._brake = brake
        self._braked: dict[Group, Braked] = {}
        self._changed: set[Group] = set()
        self._sizes: dict[Group, int] = {}
        #: What begins when, by window: of a group that is far from its limit nobody needs to know.
        self._begins: dict[Group, dict[int, Begun]] = {}
        self._nearby: dict[Group, dict[datetime, dict[int, frozenset[str]]]] = defaultdict(dict)
        self._tripped: list[Braked] = []

    async def load(self, connection: AsyncConnection, evses: Iterable[Evse], begins: Iterable[datetime]) -> None:
        """Lock the groups of `evses`, and load what is overridden there near these beginnings."""
        members: dict[Group, set[int]] = defaultdict(set)
        for evse in evses:
            for group in groups_of(evse):
                members[group].add(evse.id)
        if not members:
            return
        await self._lock(connection, members)
        near = _near(begins, self._brake)
        counted = await _by_group(connection, members, _overridden(near), _temporary.c.operator)
        many = [one for one, asked in members.items() if counted.get(one, 0) + len(asked) > self._brake.handful]
        self._sizes = await _by_group(connection, many, _in_production(), _evse.c.operator)
        for group in many:
            size = self._sizes.setdefault(group, 0)
            if counted.get(group, 0) + len(members[group]) > self._brake.most(group, size):
                rows = await connection.execute(_overrides(group, near))
                self._begins[group] = {id_: Begun(evse, begin, owner) for id_, evse, begin, owner in rows}

    def admit(
        self, by: Principal, evse: Evse, begin: datetime, at: datetime, *, instead_of: TemporaryStatus | None = None
    ) -> None:
        """Let `by` override `evse` from `begin` on.

        What it stands `instead_of`, on another EVSE, is not counted; and to put something off, or move it elsewhere no
        earlier, is left to those who are held back too: it hides no more, and left where it was it would be wrong.

        Raises:
            BlastRadius: the brake of its site or its operator holds the key back, or there is no room at the moment.
        """
        if not by.is_braked or evse.deployment is not DeploymentState.PRODUCTION:
            return
        groups = [group for group in groups_of(evse) if group in self._braked]
        if any(group.site is None and self._braked[group].is_lifted(at) for group in groups):
            return  # whoever lets an operator go means its sites as well
        put_off = instead_of is not None and begin >= instead_of.interval.begin
        for group in groups:
            braked = self._braked[group]
            if braked.is_lifted(at):
                continue
            if braked.holds_back(by.id, at) and not put_off:
                self._refuse(braked.refused_again())
                raise _held_back(braked, by, at)
            if group not in self._begins:
                continue
            moved = instead_of if instead_of is not None and instead_of.evse != evse.id else None
            near = self._near(group, begin, moved)
            count = len(near) + (evse.id not in near)
            most = self._brake.most(group, self._sizes[group])
            if count <= most:
                continue
            own = len({one for one, owner in near.items() if by.id in owner} | {evse.id})
            if not self._brake.is_at_fault(own, most):
                self._refuse(braked.refused_again())
                raise _no_room(braked, self._brake)
            braked = braked.tripped(at, by.id, count, self._sizes[group], self._brake.hold)
            self._tripped.append(braked)
            self._refuse(braked)
            raise _took_hold(braked, by, self._brake)

    def put(self, one: TemporaryStatus, evse: Evse) -> None:
        """Count it from now on as it is."""
        for group in groups_of(evse):
            if (begins := self._begins.get(group)) is None:
                continue
            counts = one.braked and one.ended_at is None
            if one.id in begins or not counts:
                begins.pop(one.id, None)
                self._nearby.pop(group, None)
            if counts:
                begins[one.id] = Begun(evse.id, one.interval.begin, one.created_by)
                for begin, near in self._nearby.get(group, {}).items():
                    if self._brake.is_near(one.interval.begin, begin):
                        near[evse.id] = near.get(evse.id, frozenset()) | {one.created_by}

    def _near(self, group: Group, begin: datetime, but: TemporaryStatus | None) -> dict[int, frozenset[str]]:
        """The EVSEs for which something begins near `begin`, and whose.

        Worked out once for all that begins at one instant, which is most of what is asked for together.
        """
        nearby = self._nearby[group]
        if but is None and begin in nearby:
            return nearby[begin]
        near: dict[int, frozenset[str]] = {}
        for id_, one in self._begins[group].items():
            if self._brake.is_near(one.begin, begin) and (but is None or id_ != but.id):
                near[one.evse] = near.get(one.evse, frozenset()) | {one.owner}
        if but is None:
            nearby[begin] = near
        return near

    def _refuse(self, braked: Braked) -> None:
        self._braked[braked.group] = braked
        self._changed.add(braked.group)

    async def write(self, connection: AsyncConnection) -> None:
        for group in sorted(self._changed, key=lambda one: one.name):
            await brakes.save(connection, self._braked[group])

    def alarms(self) -> Sequence[Braked]:
        """Those that took hold in this batch."""
        return self._tripped

    async def _lock(self, connection: AsyncConnection, groups: Iterable[Group]) -> None:
        # In one order everywhere, so that two replicas wait for each other and never deadlock.
        ordered = sorted(groups, key=lambda one: one.name)
        missing = [brakes.values(Braked(group=one)) for one in ordered]
        await connection.execute(dialect.insert_or_ignore(connection, _brake), missing)
        query = select(_brake).where(_brake.c.name.in_([one.name for one in ordered])).order_by(_brake.c.name)
        for row in (await connection.execute(query.with_for_update())).mappings():
            braked = brakes.braked_from(row)
            self._braked[braked.group] = braked


def _near(begins: Iterable[datetime], brake: Brake) -> ColumnElement[bool]:
    """Near any of these, with room for a wait that makes `now` later than it is known yet."""
    row = _temporary.c
    merged: list[list[datetime]] = []
    for begin in sorted(set(begins)):
        first, last = begin - brake.within, begin + 2 * brake.within
        if merged and first <= merged[-1][1]:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    return or_(*(row.valid_from.between(first, last) for first, last in merged))


async def _by_group(
    connection: AsyncConnection, groups: Iterable[Group], query: Select[Any], operator: ColumnElement[str]
) -> dict[Group, int]:
    """Run `query`, which counts EVSEs, once for all sites and once for all operators among `groups`.

    `operator` is the column to find those of an operator by: what is overridden has an index of its own by it.
    """
    wanted = list(groups)
    found: dict[Group, int] = {}
    if sites := [one.site for one in wanted if one.site is not None]:
        by = (_evse.c.country, _evse.c.party, _evse.c.location)
        # By location first, which has an index; the same location id at another party is dropped afterwards.
        of_sites = query.add_columns(*by).where(_evse.c.location.in_({site[2] for site in sites})).group_by(*by)
        rows = await connection.execute(of_sites)
        found |= {Group(site=(country, party, location)): count for count, country, party, location in rows}
    if operators := [one.operator for one in wanted if one.operator is not None]:
        of_operators = query.add_columns(operator).where(operator.in_(operators))
        rows = await connection.execute(of_operators.group_by(operator))
        found |= {Group(operator=name): count for count, name in rows}
    return {group: found[group] for group in wanted if group in found}


def _in_production() -> Select[Any]:
    return select(func.count(_evse.c.id)).where(_IN_PRODUCTION)


def _overridden(near: ColumnElement[bool]) -> Select[Any]:
    return _with_overrides(near, func.count(_evse.c.id.distinct()))


def _overrides(group: Group, near: ColumnElement[bool]) -> Select[Any]:
    row = _temporary.c
    query = _with_overrides(near, row.id, _evse.c.id, row.valid_from, row.created_by)
    return query.where(row.operator == group.operator if group.site is None else brakes.of_group(group))


def _with_overrides(near: ColumnElement[bool], *columns: Any) -> Select[Any]:
    row = _temporary.c
    joined = select(*columns).join_from(_evse, _temporary, row.evse == _evse.c.id)
    return joined.where(_IN_PRODUCTION, row.braked, row.ended_at.is_(None), near)


def _held_back(braked: Braked, by: Principal, at: datetime) -> BlastRadius:
    until = braked.held[by.id].until
    says = f"the brake of {braked.group.name} holds this key back until {rfc3339(until)}"
    return BlastRadius(f"{says}: it would have overridden too much at once{_LIFTED}", _seconds(until - at))


def _no_room(braked: Braked, brake: Brake) -> BlastRadius:
    says = f"too much of {braked.group.name} is being overridden at once: try again in some minutes"
    return BlastRadius(f"{says}{_LIFTED}", _seconds(brake.within))


def _took_hold(braked: Braked, by: Principal, brake: Brake) -> BlastRadius:
    # How much it is, is nobody's affair who is not good for all of it.
    named = by.rights.scope.includes(braked.group.scope)
    much = f"{braked.evses} of {braked.of} EVSEs" if named else "too many EVSEs"
    return BlastRadius(f"{much} of {braked.group.name} would be overridden at once{_LIFTED}", _seconds(brake.hold))


def _seconds(wait: timedelta) -> int:
    return max(1, math.ceil(wait.total_seconds()))
