"""Temporary statuses: planned, looked at, changed and ended."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.api import filters, paging
from app.api.context import Context
from app.api.entity_tags import (
    ETAG,
    NOT_MODIFIED,
    etag,
    tagged,
    unless_seen,
)
from app.api.guards import needs
from app.api.idempotency import REPLAYED, answered_once, digest_of, response
from app.api.problems import refuses
from app.api.shapes import DATE_TIME, text_in
from app.api.temporary_status_shapes import (
    NewTemporaryStatus,
    TemporaryStatusChanges,
    TemporaryStatusView,
    WrittenTemporaryStatus,
    view,
    written,
)
from app.domain import errors
from app.domain.evse_id import parse_evse_id
from app.domain.permission import Action, On
from app.domain.precondition import Precondition, Tags
from app.domain.principal import Principal
from app.domain.status import Kind
from app.domain.temporary_status import State
from app.store import reading
from app.store.commands import ending
from app.store.commands import temporary_statuses as commands
from app.store.commands.asking import demand

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]
Precondition_ = NamedDependency[Precondition]
Seen = NamedDependency[Tags]
IdempotencyKey_ = NamedDependency[str | None]
IdInPath = Annotated[str, PathParameter(name="id", description="the number that the creation answered")]

#: What may be wrong with a window, and what a key may not want.
REFUSED: Final = (
    errors.MalformedInstant,
    errors.EmptyInterval,
    errors.AlreadyOver,
    errors.KindNotAllowed,
    errors.OpenEndNotAllowed,
    errors.TooLong,
    errors.TooFarAhead,
    errors.TooManyActive,
    errors.BlastRadius,
)


class _Tagged(msgspec.Struct):
    """What of an answer makes its ETag."""

    id: int
    revision: int
    state: State


class TemporaryStatuses(Controller):
    """`/v2/temporary-evse-statuses`."""

    path = "/v2/temporary-evse-statuses"
    tags = ["Temporary statuses"]

    @post(
        operation_id="planTemporaryStatus",
        opt=needs(Action.PLAN),
        response_headers=[ETAG, REPLAYED],
        responses=refuses(*REFUSED, errors.EvseNotFound, errors.AmbiguousEvse, errors.IdempotencyMismatch),
    )
    async def plan(
        self,
        data: JSONBody[NewTemporaryStatus],
        context: Context_,
        principal: Principal_,
        idempotency_key: IdempotencyKey_,
    ) -> Response[WrittenTemporaryStatus]:
        """Say something about an EVSE for a while. The charger itself is not touched."""
        done = await answered_once(
            context,
            principal,
            idempotency_key,
            digest_of("planTemporaryStatus", data),
            commands.Plan(principal, data.wish()),
            lambda result: written(result, context),
            HTTPStatus.CREATED,
        )
        one = msgspec.json.decode(done.text, type=_Tagged)
        return response(done, etag(one.id, one.revision, one.state))

    @get(
        operation_id="listTemporaryStatuses",
        opt=needs(Action.SEE),
        response_headers=[paging.LINK],
        responses=refuses(errors.EvseNotFound, errors.AmbiguousEvse, errors.MalformedInstant, body=False),
    )
    async def list_(
        self,
        request: Request[Any, Any, Any],
        context: Context_,
        principal: Principal_,
        limit: paging.Limit = 100,
        evse_id: filters.EvseIds = None,
        location_id: filters.LocationId = None,
        country_code: filters.CountryCode = None,
        party_id: filters.PartyId = None,
        operator: filters.Operator = None,
        temporary_status: filters.Kinds = None,
        active_only: Annotated[
            bool | None,
            QueryParameter(
                name="activeOnly",
                description="`true`: only what is in effect now; `false`: also what is planned or over. Left out it is "
                "`true`, unless `state`, `activeAt`, `from`, `to`, `endingWithin`, `updatedSince`, `createdBy`, `ref` "
                "or `batchId` is given",
            ),
        ] = None,
        in_state: Annotated[
            State | None,
            QueryParameter(name="state", description="planned, in effect or over now; counts instead of `activeOnly`"),
        ] = None,
        active_at: filters.ActiveAt = None,
        from_: Annotated[
            str | None,
            QueryParameter(
                name="from",
                max_length=40,
                schema_extra=DATE_TIME,
                description="in effect at some instant from this one on. With `to`: in the time between, of which this "
                "is the first instant. What was ended early counts until then. RFC 3339; write `+` as `%2B`",
            ),
        ] = None,
        to: Annotated[
            str | None,
            QueryParameter(
                name="to",
                max_length=40,
                schema_extra=DATE_TIME,
                description="in effect at some instant before this one, which is after `from`",
            ),
        ] = None,
        ending_within: filters.EndingWithin = None,
        updated_since: filters.UpdatedSince = None,
        created_by: filters.CreatedBy = None,
        ref: Annotated[
            str | None,
            QueryParameter(name="ref", max_length=128, description="made under this reference, by whichever key"),
        ] = None,
        batch_id: Annotated[
            str | None, QueryParameter(name="batchId", max_length=64, description="planned by the call with this id")
        ] = None,
        cursor: paging.Cursor = None,
    ) -> Response[list[TemporaryStatusView]]:
        """List temporary statuses, oldest first: those in effect now, unless a filter asks for other times.

        All filters that are given must hold. A client's key lists what was made with it, the others everything where
        the key is good for, and their own. Follow the `Link` with `rel="next"` until there is none: whatever matches
        all the time is seen exactly once, also while others write. What merely expires is not updated by that:
        `updatedSince` tells of it when it was last changed, and its `validTo` says since when it is over.
        """
        at = context.clock.now()
        begin, end = filters.instant(from_, "from"), filters.instant(to, "to")
        if begin is not None and end is not None and end <= begin:
            raise errors.MalformedValue("to must be after from", field="to")
        elsewhen = (active_at, from_, to, ending_within, updated_since, created_by, ref, batch_id)
        async with context.database.read() as connection:
            wanted = reading.TemporaryQuery(
                by=principal,
                evses=await filters.evse_keys(connection, evse_id, principal, Action.SEE),
                place=filters.place(location_id, country_code, party_id),
                operator=filters.operator(operator),
                kinds=tuple(temporary_status or ()),
                state=_state(
                    in_state,
                    ending_within,
                    active_only=active_only,
                    any_time=any(one is not None for one in elsewhen),
                ),
                active_at=filters.instant(active_at, "activeAt"),
                shares_from=begin,
                shares_until=end,
                ends_until=filters.until(ending_within, at),
                updated_since=filters.instant(updated_since, "updatedSince"),
                created_by=filters.made_by(created_by, principal),
                ref=filters.reference(ref),
                batch=text_in(batch_id, "batchId"),
                after=paging.after(cursor),
                limit=limit + 1,
            )
            found = await reading.temporary_statuses(connection, wanted, at)
        more = paging.link(request, found[limit - 1][0].id) if len(found) > limit else {}
        return Response([view(one, evse, at) for one, evse in found[:limit]], headers=more)

    @get(
        "/{id:str}",
        operation_id="getTemporaryStatus",
        opt=needs(Action.SEE),
        response_headers=[ETAG],
        responses=NOT_MODIFIED | refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def look_at(
        self, temporary_id: IdInPath, context: Context_, principal: Principal_, seen: Seen
    ) -> Response[TemporaryStatusView]:
        """Look at one, over or not."""
        async with context.database.read() as connection:
            one, evse = await reading.temporary_status(connection, _number(temporary_id))
        demand(principal, Action.SEE, On(evse, one), errors.TemporaryStatusNotFound(f"no temporary status {one.id}"))
        return unless_seen(view(one, evse, context.clock.now()), seen)

    @patch(
        "/{id:str}",
        operation_id="changeTemporaryStatus",
        opt=needs(Action.CHANGE),
        response_headers=[ETAG],
        responses=refuses(
            *REFUSED,
            errors.TemporaryStatusNotFound,
            errors.HasBegun,
            errors.HasEnded,
            errors.PreconditionFailed,
        ),
    )
    async def change(
        self,
        temporary_id: IdInPath,
        data: JSONBody[TemporaryStatusChanges],
        context: Context_,
        principal: Principal_,
        precondition: Precondition_,
    ) -> Response[WrittenTemporaryStatus]:
        """Change one that is not over. What has begun keeps its start."""
        command = commands.Change(principal, _number(temporary_id), data.changes(), precondition)
        return tagged(written(await context.writer.run(command), context))

    @delete(
        "/{id:str}",
        operation_id="endTemporaryStatus",
        opt=needs(Action.END),
        status_code=204,
        responses=refuses(errors.TemporaryStatusNotFound, errors.PreconditionFailed, body=False),
    )
    async def end(
        self, temporary_id: IdInPath, context: Context_, principal: Principal_, precondition: Precondition_
    ) -> None:
        """End one now; a planned one never begins. Doing it again changes nothing."""
        await context.writer.run(ending.End(principal, _number(temporary_id), precondition))

    @delete(
        operation_id="endTemporaryStatusesOfEvse",
        opt=needs(Action.END),
        status_code=200,
        responses=refuses(errors.EvseNotFound, errors.AmbiguousEvse, body=False),
    )
    async def end_of_evse(
        self,
        context: Context_,
        principal: Principal_,
        evse_id: Annotated[str, QueryParameter(name="evseId", description="on this EVSE")],
        temporary_status: Annotated[
            Kind | None, QueryParameter(name="temporaryStatus", description="of this kind only")
        ] = None,
        include_planned: Annotated[
            bool, QueryParameter(name="includePlanned", description="also what has not begun yet")
        ] = False,
    ) -> list[TemporaryStatusView]:
        """End what is in effect on an EVSE now, as far as it is this key's to end: its own, or for operations all."""
        command = ending.EndOnEvse(principal, parse_evse_id(evse_id), temporary_status, include_planned)
        return [view(one.one, one.evse, one.at) for one in await context.writer.run(command)]


def _state(
    in_state: State | None, ending_within: str | None, *, active_only: bool | None, any_time: bool
) -> State | None:
    """Which state is meant: what is not said means what is in effect now, unless another filter speaks of times."""
    if ending_within is not None:
        if in_state not in {None, State.ACTIVE}:
            raise errors.MalformedValue("only what is active ends within a while: leave out state", field="state")
        return State.ACTIVE
    if in_state is not None:
        return in_state
    return State.ACTIVE if active_only or (active_only is None and not any_time) else None


def _number(temporary_id: str) -> int:
    """Read an id. Whatever is no number that we could have given out names nothing."""
    if temporary_id.isascii() and temporary_id.isdigit() and len(temporary_id) < 19:  # noqa: PLR2004 - fits a BIGINT
        return int(temporary_id)
    raise errors.TemporaryStatusNotFound(f"no temporary status {temporary_id}")
