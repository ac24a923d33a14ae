"""Which temporary statuses a list is to hold, and the index that finds a page of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.permission import sees_others
from app.domain.principal import COMMAND_LINE, Principal
from app.domain.status import Kind
from app.domain.temporary_status import State
from app.store import spans
from app.store.paged import ALONG_THE_KEY, Access, Way, page
from app.store.reach import covered
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
_row = _temporary.c

_SPAN: Final = "ix_temporary_status_span_id"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The EVSEs at the locations with this id: of one country and party where they are said, else of whichever."""

    location: str
    country: str | None = None
    party: str | None = None

    def condition(self) -> ColumnElement[bool]:
        said = ((_evse.c.country, self.country), (_evse.c.party, self.party))
        where = _evse.c.location == self.location
        for column, value in said:
            if value is not None:
                where &= column == value
        return where


class TemporaryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which temporary statuses are wanted, of those that `by` may see. All that is said must hold.

    `operator` is an operator key (`DEABC`). `shares_from` and `shares_until` (UTC) bound a time of which it shares
    some, `ends_until` (UTC) is when its end as asked for must have come. `after` is the id of the last one before.
    """

    by: Principal = COMMAND_LINE
    evses: tuple[int, ...] = ()
    place: Place | None = None
    operator: str | None = None
    kinds: tuple[Kind, ...] = ()
    state: State | None = None
    active_at: datetime | None = None
    shares_from: datetime | None = None
    shares_until: datetime | None = None
    ends_until: datetime | None = None
    created_by: str | None = None
    ref: str | None = None
    batch: str | None = None
    updated_since: datetime | None = None
    after: int = 0
    limit: int = 100


async def temporary_page(connection: AsyncConnection, wanted: TemporaryQuery, at: datetime) -> list[RowMapping]:
    """A page, oldest first.

    Its own everybody sees, also where they are not good for any more; so whoever sees those of others, but not
    everywhere, is asked for twice, each time by an index.
    """
    by, scope = wanted.by, wanted.by.rights.scope
    query = select(_row.id).where(*_conditions(wanted, at))
    mine = msgspec.structs.replace(wanted, created_by=by.id)
    accesses: list[Access] = []
    if not sees_others(by) or not scope.is_everything:
        accesses.append(_access(query.where(_row.created_by == by.id), mine, at))
    if sees_others(by):
        if not scope.is_everything:
            query = query.join(_evse, _evse.c.id == _row.evse).where(covered(scope))
        accesses.append(_access(query, wanted, at, at_sites=not scope.is_everything and not scope.operators))
    return await page(connection, _temporary, accesses, wanted.after, wanted.limit)


def in_effect(
    by: Principal,
    at: datetime,
    *,
    kinds: Sequence[Kind] = (),
    ends_until: datetime | None = None,
    created_by: str | None = None,
) -> Select[Any]:
    """The keys of EVSEs with a temporary status in effect at `at` that `by` may see, where it is good for, and that."""
    wanted = TemporaryQuery(
        by=by, kinds=tuple(kinds), active_at=at, ends_until=ends_until, created_by=created_by, limit=0
    )
    query = select(_row.evse).where(*_conditions(wanted, at)).with_hint(_temporary, f"INDEXED BY {_SPAN}", "sqlite")
    if not sees_others(by):
        query = query.where(_row.created_by == by.id)
    found = union_all(*(query.where(one) for one in spans.reached(at, at, whole=True))).subquery()
    return select(found.c.evse)


def _conditions(wanted: TemporaryQuery, at: datetime) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (_row.operator, wanted.operator),
            (_row.created_by, wanted.created_by),
            (_row.ref, wanted.ref),
            (_row.batch, wanted.batch),
        )
        if value is not None
    ]
    if wanted.evses:
        conditions.append(_row.evse.in_(wanted.evses))
    if wanted.place is not None:
        conditions.append(_row.evse.in_(select(_evse.c.id).where(wanted.place.condition())))
    if wanted.kinds:
        conditions.append(_row.kind.in_([kind.value for kind in wanted.kinds]))
    return conditions + _in_time(wanted, at)


def _in_time(wanted: TemporaryQuery, at: datetime) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(spans.in_state(wanted.state, at))
    if wanted.active_at is not None:
        conditions.append(spans.in_state(State.ACTIVE, wanted.active_at))
    if wanted.shares_from is not None or wanted.shares_until is not None:
        conditions.append(spans.shares_time(wanted.shares_from, wanted.shares_until))
    if wanted.ends_until is not None:
        conditions.append(spans.ends_until(wanted.ends_until))
    if wanted.updated_since is not None:
        conditions.append(_row.updated_at >= wanted.updated_since)
    return conditions


def _access(query: Select[Any], wanted: TemporaryQuery, at: datetime, *, at_sites: bool = False) -> Access:
    """The index that says most of what is wanted: what can be few first, then times, then what is rarely few."""
    live = wanted.state in {State.ACTIVE, State.PLANNED}
    if wanted.evses or wanted.place is not None or at_sites:
        if live:
            return Access(query=query, ways=_until_now("ix_temporary_status_live", at))
        several = wanted.place is not None or len(wanted.evses) > 1
        return Access(query=query, ways=[_way(index="ix_temporary_status_evse_id", ordered=not several)])
    for value, column, index in (
        (wanted.batch, _row.batch, "ix_temporary_status_batch"),
        (wanted.ref, _row.ref, "ix_temporary_status_ref_id"),
    ):
        if value is not None:
            return Access(query=query, ways=[_way(column.is_not(None), index=index)])
    if wanted.created_by is not None and live:
        return Access(query=query, ways=_until_now("ix_temporary_status_created_by_live", at))
    if (instant := wanted.active_at or (at if wanted.state is State.ACTIVE else None)) is not None:
        return Access(query=query, ways=[_in_span(one) for one in spans.at_instant(instant)])
    if times := _times(wanted, at):
        return Access(query=query, ways=[_way(one, index=_SPAN, ordered=False) for one in times], wide=True)
    if wanted.updated_since is not None:
        ways = [_way(index="ix_temporary_status_updated_at", ordered=False)]
        return Access(query=query, ways=ways, wide=True)
    return Access(query=query, ways=_of_somebody(wanted))


def _of_somebody(wanted: TemporaryQuery) -> list[Way]:
    if wanted.created_by is not None:
        return [_way(index="ix_temporary_status_created_by_id")]
    if wanted.operator is not None:
        return [_way(index="ix_temporary_status_operator_id")]
    if wanted.kinds:
        return [_way(_row.kind == kind.value, index="ix_temporary_status_kind_id") for kind in wanted.kinds]
    return [_way(index=ALONG_THE_KEY)]


def _in_span(span: int) -> Way:
    return Way(index=_SPAN, of=_temporary, key=_row.id, stretch=(_row.span, span))


def _until_now(index: str, at: datetime) -> list[Way]:
    """Those that are not over at `at`, by an index over the end of what was not ended early."""
    return [
        _way(_row.ended_at.is_(None), ends, index=index, ordered=False)
        for ends in (_row.valid_to > at, _row.valid_to.is_(None))
    ]


def _times(wanted: TemporaryQuery, at: datetime) -> list[ColumnElement[bool]]:
    if wanted.shares_from is not None or wanted.shares_until is not None:
        return spans.reached(wanted.shares_from, wanted.shares_until)
    return spans.begins_after(at) if wanted.state is State.PLANNED else []


def _way(*where: ColumnElement[bool], index: str | None = None, ordered: bool = True) -> Way:
    return Way(where=where, index=index, of=_temporary, key=_row.id, ordered=ordered)
