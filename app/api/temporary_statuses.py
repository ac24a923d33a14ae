"""Temporary statuses: planned, looked at, changed and ended."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from app.api import paging
from app.api.context import Context
from app.api.guards import needs
from app.api.problems import refuses
from app.api.shapes import ref_in
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
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.status import Kind
from app.domain.temporary_status import State
from app.store import reading
from app.store.commands import temporary_statuses as commands

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]
IdInPath = Annotated[str, PathParameter(name="id", description="the number that the creation answered")]

_REFUSED = (errors.MalformedInstant, errors.EmptyInterval, errors.AlreadyOver)


class TemporaryStatuses(Controller):
    """`/v2/temporary-evse-statuses`."""

    path = "/v2/temporary-evse-statuses"
    tags = ["Temporary statuses"]

    @post(
        operation_id="planTemporaryStatus",
        opt=needs(Action.PLAN),
        responses=refuses(*_REFUSED, errors.EvseNotFound, errors.AmbiguousEvse),
    )
    async def plan(
        self, data: JSONBody[NewTemporaryStatus], context: Context_, principal: Principal_
    ) -> WrittenTemporaryStatus:
        """Say something about an EVSE for a while. The charger itself is not touched."""
        return written(await context.writer.run(commands.Plan(principal, data.wish())), context)

    @get(operation_id="listTemporaryStatuses", opt=needs(Action.SEE), responses=refuses(body=False))
    async def list_(
        self,
        request: Request[Any, Any, Any],
        context: Context_,
        limit: paging.Limit = 100,
        evse_id: Annotated[str | None, QueryParameter(name="evseId", description="of this EVSE only")] = None,
        active_only: Annotated[
            bool, QueryParameter(name="activeOnly", description="only what is in effect now")
        ] = True,
        in_state: Annotated[State | None, QueryParameter(name="state", description="instead of activeOnly")] = None,
        temporary_status: Annotated[Kind | None, QueryParameter(name="temporaryStatus")] = None,
        cursor: paging.Cursor = None,
    ) -> Response[list[TemporaryStatusView]]:
        """List temporary statuses, oldest first: those in effect now, unless `state` or `activeOnly=false` is given."""
        at = context.clock.now()
        async with context.database.read() as connection:
            wanted = reading.TemporaryQuery(
                evses=(await _evse_key(connection, evse_id),) if evse_id is not None else (),
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
        responses=refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def look_at(self, temporary_id: IdInPath, context: Context_) -> TemporaryStatusView:
        """Look at one, over or not."""
        async with context.database.read() as connection:
            one, evse = await reading.temporary_status(connection, _number(temporary_id))
        return view(one, evse, context.clock.now())

    @patch(
        "/{id:str}",
        operation_id="changeTemporaryStatus",
        opt=needs(Action.CHANGE),
        responses=refuses(*_REFUSED, errors.TemporaryStatusNotFound, errors.HasBegun, errors.HasEnded),
    )
    async def change(
        self,
        temporary_id: IdInPath,
        data: JSONBody[TemporaryStatusChanges],
        context: Context_,
        principal: Principal_,
    ) -> WrittenTemporaryStatus:
        """Change one that is not over. What has begun keeps its start."""
        command = commands.Change(principal, _number(temporary_id), data.changes())
        return written(await context.writer.run(command), context)

    @delete(
        "/{id:str}",
        operation_id="endTemporaryStatus",
        opt=needs(Action.END),
        status_code=204,
        responses=refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def end(self, temporary_id: IdInPath, context: Context_, principal: Principal_) -> None:
        """End one now; a planned one never begins. Doing it again changes nothing."""
        await context.writer.run(commands.End(principal, _number(temporary_id)))

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
        evse_id: Annotated[str, QueryParameter(name="evseId")],
        temporary_status: Annotated[Kind | None, QueryParameter(name="temporaryStatus")] = None,
        include_planned: Annotated[bool, QueryParameter(name="includePlanned")] = False,
    ) -> list[TemporaryStatusView]:
        """End what is in effect on an EVSE now and was made with this key (an admin's key: by anybody)."""
        command = commands.EndOnEvse(principal, parse_evse_id(evse_id), temporary_status, include_planned)
        return [view(one.one, one.evse, one.at) for one in await context.writer.run(command)]

    @put(
        "/by-ref/{ref:str}",
        operation_id="planTemporaryStatusByRef",
        opt=needs(Action.PLAN),
        responses={
            201: ResponseSpec(WrittenTemporaryStatus, description="created", generate_examples=False),
            **refuses(*_REFUSED, errors.MalformedValue, errors.EvseNotFound, errors.AmbiguousEvse),
        },
    )
    async def plan_by_ref(
        self,
        ref: FromPath[str],
        data: JSONBody[NewTemporaryStatus],
        context: Context_,
        principal: Principal_,
    ) -> Response[WrittenTemporaryStatus]:
        """Create or replace the one under your own reference. Renewed with a short `validTo` it is a sensor's lease."""
        done = await context.writer.run(commands.PlanByRef(principal, ref_in(ref), data.wish()))
        return Response(written(done, context), status_code=201 if done.created else 200)

    @get(
        "/by-ref/{ref:str}",
        operation_id="getTemporaryStatusByRef",
        opt=needs(Action.SEE),
        responses=refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def get_by_ref(self, ref: FromPath[str], context: Context_, principal: Principal_) -> TemporaryStatusView:
        """Look at what was last made under your reference."""
        async with context.database.read() as connection:
            one, evse = await reading.by_ref(connection, principal.id, ref_in(ref))
        return view(one, evse, context.clock.now())

    @delete(
        "/by-ref/{ref:str}",
        operation_id="endTemporaryStatusByRef",
        opt=needs(Action.END),
        status_code=204,
        responses=refuses(body=False),
    )
    async def end_by_ref(self, ref: FromPath[str], context: Context_, principal: Principal_) -> None:
        """End the one under your reference now; fine if there is none."""
        await context.writer.run(commands.EndByRef(principal, ref_in(ref)))


async def _evse_key(connection: Any, evse_id: str) -> int:
    return (await reading.evse_named(connection, parse_evse_id(evse_id))).id


def _number(temporary_id: str) -> int:
    """Read an id. Whatever is no number that we could have given out names nothing."""
    if temporary_id.isascii() and temporary_id.isdigit() and len(temporary_id) < 19:  # noqa: PLR2004 - fits a BIGINT
        return int(temporary_id)
    raise errors.TemporaryStatusNotFound(f"no temporary status {temporary_id}")
