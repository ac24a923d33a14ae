"""EVSEs: registered, looked at, and what their chargers really do."""

import asyncio
from asyncio import Future
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta

from app.api import paging
from app.api.context import Context
from app.api.evse_shapes import (
    ActualStatusOfOne,
    ActualStatusReport,
    ActualStatusResult,
    ActualStatusView,
    EvseFields,
    EvseView,
    evse_view,
)
from app.api.guards import needs
from app.api.problems import problem_of, refuses
from app.api.shapes import EvseIdInPath, instant_in, text_in, told
from app.domain import errors
from app.domain.evse_id import parse_evse_id
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.status import DeploymentState
from app.store import presented, reading
from app.store.commands import evses as commands
from app.store.commands.asking import sees
from app.store.writer import WriterBusy

MOST_REPORTS = 1000  #: actual statuses in one call

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]


class Evses(Controller):
    """`/v2/evses`."""

    path = "/v2/evses"
    tags = ["EVSEs"]

    @put(
        "/{evseId:str}",
        operation_id="registerEvse",
        opt=needs(Action.REGISTER),
        responses={
            201: ResponseSpec(EvseView, description="registered", generate_examples=False),
            **refuses(errors.EvseConflict),
        },
    )
    async def register(
        self, evse_id: EvseIdInPath, data: JSONBody[EvseFields], context: Context_, principal: Principal_
    ) -> Response[EvseView]:
        """Register an EVSE, or change what is said of it."""
        done = await context.writer.run(
            commands.Register(
                by=principal,
                evse_id=parse_evse_id(evse_id),
                deployment=data.deployment_state,
                location=data.location_id,
                country=data.country_code.upper() if isinstance(data.country_code, str) else UNSET,
                party=data.party_id.upper() if isinstance(data.party_id, str) else UNSET,
                uid=data.uid,
            )
        )
        at = context.clock.now()
        async with context.database.read() as connection:
            live = await presented.live_by_evse(connection, [done.evse.id], at)
        answer = evse_view(done.evse, live.get(done.evse.id, []), context, at, principal)
        return Response(answer, status_code=201 if done.created else 200)

    @get(
        "/{evseId:str}",
        operation_id="getEvse",
        opt=needs(Action.SEE_EVSES),
        responses=refuses(errors.EvseNotFound, errors.AmbiguousEvse, body=False),
    )
    async def look_at(self, evse_id: EvseIdInPath, context: Context_, principal: Principal_) -> EvseView:
        """Explain what each channel shows for an EVSE, why and until when."""
        at = context.clock.now()
        async with context.database.read() as connection:
            seen = sees(principal, Action.SEE_EVSES)
            evse = await reading.evse_named(connection, parse_evse_id(evse_id), seen)
            live = await presented.live_by_evse(connection, [evse.id], at)
        return evse_view(evse, live.get(evse.id, []), context, at, principal)

    @get(operation_id="listEvses", opt=needs(Action.SEE_EVSES), responses=refuses(body=False))
    async def list_(
        self,
        request: Request[Any, Any, Any],
        context: Context_,
        principal: Principal_,
        limit: paging.Limit = 100,
        location_id: Annotated[
            str | None, QueryParameter(name="locationId", description="at this location only")
        ] = None,
        deployment_state: Annotated[
            DeploymentState | None, QueryParameter(name="deploymentState", description="in this one only")
        ] = None,
        cursor: paging.Cursor = None,
    ) -> Response[list[EvseView]]:
        """List the EVSEs that the key is good for, in the order they were registered."""
        at = context.clock.now()
        wanted = reading.FleetQuery(
            scope=principal.rights.scope,
            location=text_in(location_id, "locationId"),
            deployment=deployment_state,
            after=paging.after(cursor),
            limit=limit + 1,
        )
        async with context.database.read() as connection:
            found = await reading.fleet(connection, wanted)
            page = found[:limit]
            live = await presented.live_by_evse(connection, [one.id for one in page], at)
        more = paging.link(request, page[-1].id) if len(found) > limit else {}
        answer = [evse_view(one, live.get(one.id, []), context, at, principal) for one in page]
        return Response(answer, headers=more)

    @put(
        "/{evseId:str}/actual-status",
        operation_id="reportActualStatus",
        opt=needs(Action.REPORT),
        responses=refuses(errors.MalformedValue, errors.EvseNotFound, errors.AmbiguousEvse),
    )
    async def report(
        self,
        evse_id: EvseIdInPath,
        data: JSONBody[ActualStatusReport],
        context: Context_,
        principal: Principal_,
    ) -> ActualStatusView:
        """Say what a charger really does. Older than what is known is ignored; `REMOVED` deprecates the EVSE."""
        done = await context.writer.run(_report(evse_id, data, context, principal))
        return ActualStatusView(
            evse_id=done.evse.evse_id,
            actual_status=done.evse.actual_status,
            reported=done.evse.reported,
            observed_at=told(done.evse.observed_at),
            applied=done.applied,
        )


class ActualStatuses(Controller):
    """`/v2/actual-statuses`."""

    path = "/v2/actual-statuses"
    tags = ["EVSEs"]

    @post(
        operation_id="reportActualStatuses",
        opt=needs(Action.REPORT),
        status_code=200,
        request_max_body_size=1024 * 1024,
        responses=refuses(),
    )
    async def report_many(
        self,
        data: JSONBody[Annotated[list[ActualStatusOfOne], Meta(max_length=MOST_REPORTS)]],
        context: Context_,
        principal: Principal_,
    ) -> list[ActualStatusResult]:
        """Say what up to 1,000 chargers do. Each is judged by itself; the answers come in the order of the reports."""
        if len(data) > MOST_REPORTS:
            raise errors.MalformedValue(f"at most {MOST_REPORTS} reports in one call; these are {len(data)}", field="")
        waiting = [_submitted(one, context, principal) for one in data]
        # All are waited for, so that whatever becomes of one, the others' answers are told.
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        return [_result(one.evse_id, answer) for one, answer in zip(data, answers, strict=True)]


def _submitted(one: ActualStatusOfOne, context: Context, principal: Principal) -> Future[commands.Reported]:
    """All are put in line before the first answer is waited for, so that they are committed together."""
    try:
        return context.writer.submit(_report(one.evse_id, one, context, principal))
    except (errors.DomainError, WriterBusy) as refusal:
        refused: Future[commands.Reported] = asyncio.get_running_loop().create_future()
        refused.set_exception(refusal)
        return refused


def _result(evse_id: str, answer: commands.Reported | BaseException) -> ActualStatusResult:
    if isinstance(answer, BaseException):
        problem = problem_of(answer)
        pointer = problem.errors[0].pointer if problem.errors else None
        return ActualStatusResult(
            evse_id=evse_id, status=problem.status, type=problem.type, detail=problem.detail, pointer=pointer
        )
    return ActualStatusResult(evse_id=evse_id, status=200, applied=answer.applied)


def _report(evse_id: str, data: ActualStatusReport, context: Context, principal: Principal) -> commands.Report:
    return commands.Report(
        by=principal,
        evse_id=parse_evse_id(evse_id),
        reported=data.status,
        observed_at=None if data.observed_at is None else instant_in(data.observed_at, "observedAt"),
        occupied_means=context.settings.occupied_means,
        max_age=context.settings.actual_status_max_age,
    )
