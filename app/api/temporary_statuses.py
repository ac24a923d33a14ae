"""Temporary statuses: planned, looked at, changed and ended."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

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
from app.api.shapes import AskedTime, ref_in
from app.api.temporary_status_shapes import (
    LARGEST_VERSION,
    NewTemporaryStatus,
    TemporaryStatusByRef,
    TemporaryStatusChanges,
    TemporaryStatusView,
    WrittenTemporaryStatus,
    source_version,
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
from app.store.commands import temporary_statuses as commands
from app.store.commands.asking import demand, sees

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]
Precondition_ = NamedDependency[Precondition]
Seen = NamedDependency[Tags]
IdempotencyKey_ = NamedDependency[str | None]
IdInPath = Annotated[str, PathParameter(name="id", description="the number that the creation answered")]

_REFUSED = (errors.MalformedInstant, errors.EmptyInterval, errors.AlreadyOver)


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
        responses=refuses(*_REFUSED, errors.EvseNotFound, errors.AmbiguousEvse, errors.IdempotencyMismatch),
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
        temporary_status: Annotated[Kind | None, QueryParameter(name="temporaryStatus")] = None,
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
            *_REFUSED,
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
        await context.writer.run(commands.End(principal, _number(temporary_id), precondition))

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
        """End what is in effect on an EVSE now, as far as it is this key's to end: its own, or for operations all."""
        command = commands.EndOnEvse(principal, parse_evse_id(evse_id), temporary_status, include_planned)
        return [view(one.one, one.evse, one.at) for one in await context.writer.run(command)]

    @put(
        "/by-ref/{ref:str}",
        operation_id="planTemporaryStatusByRef",
        opt=needs(Action.PLAN),
        responses={
            201: ResponseSpec(WrittenTemporaryStatus, description="created", generate_examples=False),
            **refuses(
                *_REFUSED,
                errors.MalformedValue,
                errors.EvseNotFound,
                errors.AmbiguousEvse,
                errors.StaleVersion,
                errors.PreconditionFailed,
            ),
        },
        response_headers=[ETAG],
    )
    async def plan_by_ref(
        self,
        ref: FromPath[str],
        data: JSONBody[TemporaryStatusByRef],
        context: Context_,
        principal: Principal_,
        precondition: Precondition_,
    ) -> Response[WrittenTemporaryStatus]:
        """Create or replace the one under your own reference. Renewed with a short `validTo` it is a sensor's lease.

        With `sourceVersion` or `sourceUpdatedAt` what comes late changes nothing: it is a 409.
        """
        version = source_version(data.source_version, data.source_updated_at)
        command = commands.PlanByRef(principal, ref_in(ref), data.wish(), version, precondition)
        done = await context.writer.run(command)
        return tagged(written(done, context), 201 if done.created else 200)

    @get(
        "/by-ref/{ref:str}",
        operation_id="getTemporaryStatusByRef",
        opt=needs(Action.SEE),
        response_headers=[ETAG],
        responses=NOT_MODIFIED | refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def get_by_ref(
        self, ref: FromPath[str], context: Context_, principal: Principal_, seen: Seen
    ) -> Response[TemporaryStatusView]:
        """Look at what was last made under your reference."""
        async with context.database.read() as connection:
            one, evse = await reading.by_ref(connection, principal.id, ref_in(ref))
        return unless_seen(view(one, evse, context.clock.now()), seen)

    @delete(
        "/by-ref/{ref:str}",
        operation_id="endTemporaryStatusByRef",
        opt=needs(Action.END),
        status_code=204,
        responses=refuses(errors.MalformedInstant, errors.StaleVersion, errors.PreconditionFailed, body=False),
    )
    async def end_by_ref(
        self,
        ref: FromPath[str],
        context: Context_,
        principal: Principal_,
        precondition: Precondition_,
        number: Annotated[int | None, QueryParameter(name="sourceVersion", ge=0, le=LARGEST_VERSION)] = None,
        updated_at: Annotated[AskedTime | None, QueryParameter(name="sourceUpdatedAt")] = None,
    ) -> None:
        """End the one under your reference now; fine if there is none.

        What comes later with a lower version, or within a day of a cancel without one, does not bring it back.
        """
        version = source_version(number, updated_at)
        await context.writer.run(commands.EndByRef(principal, ref_in(ref), version, precondition))


async def _evse_key(connection: Any, evse_id: str, principal: Principal) -> int:
    return (await reading.evse_named(connection, parse_evse_id(evse_id), sees(principal, Action.SEE))).id


def _number(temporary_id: str) -> int:
    """Read an id. Whatever is no number that we could have given out names nothing."""
    if temporary_id.isascii() and temporary_id.isdigit() and len(temporary_id) < 19:  # noqa: PLR2004 - fits a BIGINT
        return int(temporary_id)
    raise errors.TemporaryStatusNotFound(f"no temporary status {temporary_id}")
