"""Temporary statuses: planned, looked at, changed and ended."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.api import paging
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
from app.store.commands.asking import demand, sees

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

    @get(operation_id="listTemporaryStatuses", opt=needs(Action.SEE), responses=refuses(body=False))
    async def list_(
        self,
        request: Request[Any, Any, Any],
        context: Context_,
        principal: Principal_,
        limit: paging.Limit = 100,
        evse_id: Annotated[str | None, QueryParameter(name="evseId", description="of this EVSE only")] = None,
        active_only: Annotated[
            bool, QueryParameter(name="activeOnly", description="only what is in effect now")
        ] = True,
        in_state: Annotated[State | None, QueryParameter(name="state", description="instead of activeOnly")] = None,
        temporary_status: Annotated[
            Kind | None, QueryParameter(name="temporaryStatus", description="of this kind only")
        ] = None,
        cursor: paging.Cursor = None,
    ) -> Response[list[TemporaryStatusView]]:
        """List temporary statuses, oldest first: those in effect now, unless `state` or `activeOnly=false` is given.

        A client's key lists what was made with it, the others everything where the key is good for.
        """
        at = context.clock.now()
        async with context.database.read() as connection:
            wanted = reading.TemporaryQuery(
                by=principal,
                evses=(await _evse_key(connection, evse_id, principal),) if evse_id is not None else (),
                state=in_state or (State.ACTIVE if active_only else None),
                kind=temporary_status,
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


async def _evse_key(connection: Any, evse_id: str, principal: Principal) -> int:
    return (await reading.evse_named(connection, parse_evse_id(evse_id), sees(principal, Action.SEE))).id


def _number(temporary_id: str) -> int:
    """Read an id. Whatever is no number that we could have given out names nothing."""
    if temporary_id.isascii() and temporary_id.isdigit() and len(temporary_id) < 19:  # noqa: PLR2004 - fits a BIGINT
        return int(temporary_id)
    raise errors.TemporaryStatusNotFound(f"no temporary status {temporary_id}")
