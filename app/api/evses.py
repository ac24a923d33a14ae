"""EVSEs: registered, looked at, and what their chargers really do."""

from collections.abc import Iterator
from datetime import datetime
from itertools import repeat
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta

from app.api import filters, paging
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
from app.api.shapes import EvseIdInPath, instant_in, told
from app.domain import errors
from app.domain.evse_id import parse_evse_id
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.status import ActualStatus, DeploymentState, Kind
from app.store import reading
from app.store.commands import evses as commands
from app.store.commands.asking import sees
from app.store.failures import DatabaseUnavailable
from app.store.fleet_lists import InEffect
from app.store.presented import live_by_evse
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
            **refuses(errors.MalformedEvseId, errors.EvseConflict),
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
            live = await live_by_evse(connection, [done.evse.id], at)
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
        found = await context.evses.named(parse_evse_id(evse_id), sees(principal, Action.SEE_EVSES))
        return evse_view(found.evse, found.live, context, found.at, principal)

    @get(
        operation_id="listEvses",
        opt=needs(Action.SEE_EVSES),
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
        deployment_state: Annotated[
            DeploymentState | None, QueryParameter(name="deploymentState", description="in this deployment state")
        ] = None,
        actual_status: Annotated[
            list[ActualStatus] | None,
            QueryParameter(
                name="actualStatus",
                max_items=len(ActualStatus),
                description="the charger last reported this, in OCPI's words, or any of several (repeat it)",
            ),
        ] = None,
        presented: Annotated[
            list[filters.PresentedWord] | None,
            QueryParameter(
                name="presented",
                max_items=len(filters.PresentedWord),
                description="shown as this, or as any of several (repeat it): the kind of the temporary status that is "
                "shown, else the charger's own status in OCPI's words; `WITHHELD` in `STOCK`, `REMOVED` in "
                "`DEPRECATED`. `BLOCKED` and `RESERVED` are found whoever says so",
            ),
        ] = None,
        temporary_status: filters.Kinds = None,
        active_at: filters.ActiveAt = None,
        ending_within: filters.EndingWithin = None,
        created_by: filters.CreatedBy = None,
        updated_since: filters.UpdatedSince = None,
        cursor: paging.Cursor = None,
    ) -> Response[list[EvseView]]:
        """List the EVSEs that the key is good for, in the order they were registered.

        All filters that are given must hold. `temporaryStatus`, `endingWithin` and `createdBy` speak of one temporary
        status that the key may see and that is in effect now, or at `activeAt`, also where a stronger one is shown;
        `presented` of what is shown now. `updatedSince` finds what was registered or reported otherwise, shown
        otherwise, or had a temporary status planned, changed or ended since; a report that repeats what is known does
        not count. Follow the `Link` with `rel="next"` until there is none: whatever matches all the time is seen
        exactly once.
        """
        at = context.clock.now()
        where = filters.place(location_id, country_code, party_id)
        async with context.database.read() as connection:
            wanted = reading.FleetQuery(
                by=principal,
                scope=principal.rights.scope,
                evses=await filters.evse_keys(connection, evse_id, principal, Action.SEE_EVSES),
                place=where,
                operator=filters.operator(operator),
                deployment=deployment_state,
                actual=tuple(actual_status or ()),
                shown=tuple(presented or ()),
                in_effect=_in_effect(principal, at, temporary_status, active_at, ending_within, created_by),
                updated_since=filters.instant(updated_since, "updatedSince"),
                after=paging.after(cursor),
                limit=limit + 1,
            )
            if presented:
                found = await reading.fleet_showing(connection, wanted, at, context.settings.actual_status_max_age)
            else:
                found = await reading.fleet(connection, wanted)
            page = found[:limit]
            live = await live_by_evse(connection, [one.id for one in page], at)
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
        asked = [_report_or_refusal(one, context, principal) for one in data]
        reports = tuple(one for one in asked if isinstance(one, commands.Report))
        answers: Iterator[commands.Reported | Exception]
        try:
            answers = iter(await context.writer.run(commands.ReportMany(principal, reports)) if reports else ())
        except (errors.DomainError, WriterBusy, DatabaseUnavailable) as failure:
            answers = repeat(failure)
        each = (one if isinstance(one, errors.DomainError) else next(answers) for one in asked)
        return [_result(one.evse_id, answer) for one, answer in zip(data, each, strict=True)]


def _in_effect(
    principal: Principal,
    at: datetime,
    kinds: list[Kind] | None,
    active_at: str | None,
    ending_within: str | None,
    created_by: str | None,
) -> InEffect | None:
    """What an EVSE must have in effect, if anything."""
    if active_at is not None and ending_within is not None:
        raise errors.MalformedValue("only what is in effect now ends within a while: leave it out", field="activeAt")
    if kinds is None and active_at is None and ending_within is None and created_by is None:
        return None
    return InEffect(
        at=filters.instant(active_at, "activeAt") or at,
        kinds=tuple(kinds or ()),
        ends_until=filters.until(ending_within, at),
        created_by=filters.made_by(created_by, principal),
    )


def _report_or_refusal(
    one: ActualStatusOfOne, context: Context, principal: Principal
) -> commands.Report | errors.DomainError:
    try:
        return _report(one.evse_id, one, context, principal)
    except errors.DomainError as refusal:
        return refusal


def _result(evse_id: str, answer: commands.Reported | Exception) -> ActualStatusResult:
    if isinstance(answer, Exception):
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
