"""Partners: who is told, how, and how far behind each of them is."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from app.api import paging
from app.api.context import Context
from app.api.guards import allowed, needs
from app.api.partner_shapes import (
    AttemptView,
    DeliveryView,
    NameInPath,
    NewPartner,
    PartnerChanges,
    PartnerView,
    Resend,
    attempt_view,
    delivery_view,
    partner_view,
)
from app.api.problems import refuses
from app.channels.configuring import accepted, concerns_of
from app.domain import errors
from app.domain.evse_id import parse_evse_id
from app.domain.partner import Partner
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store import keys, reading
from app.store import partner_reports as reports
from app.store import partners as store

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]
MOST_ATTEMPTS = 200


class Partners(Controller):
    """`/v2/partners`."""

    path = "/v2/partners"
    tags = ["Partners"]

    @post(
        operation_id="addPartner",
        opt=needs(Action.SET_UP_PARTNERS),
        responses=refuses(errors.InvalidPartner, errors.PartnerConflict),
    )
    async def add(self, data: JSONBody[NewPartner], context: Context_, principal: Principal_) -> PartnerView:
        """Add a partner. A secret that was made for it is shown now, in `issued`, and never again."""
        at = context.clock.now()
        good = accepted(context.channels, data.channel, data.configuration, context.settings.longest_timeout)
        new = good.as_partner(data.name, data.channel, principal.id, at)
        async with context.database.write() as connection:
            await keys.held(connection, principal, context.clock.now())
            added = await store.add(connection, context.secrets, new, principal.id)
        _told_of_change(context)
        issued = good.issued(data.configuration)
        return msgspec.structs.replace(await _view(added, context), issued=issued or None)

    @get(operation_id="listPartners", opt=needs(Action.SEE_PARTNERS), responses=refuses(body=False))
    async def list_(self, context: Context_) -> list[PartnerView]:
        """List the partners, in the order they were added."""
        async with context.database.read() as connection:
            found = await store.all_partners(connection)
        return [await _view(one, context) for one in found]

    @get(
        "/{name:str}",
        operation_id="getPartner",
        opt=needs(Action.SEE_PARTNERS),
        responses=refuses(errors.PartnerNotFound, body=False),
    )
    async def look_at(self, name: NameInPath, context: Context_) -> PartnerView:
        """Look at a partner, and at how far behind it is."""
        async with context.database.read() as connection:
            found = await store.find(connection, context.secrets, name)
        return await _view(found, context)

    @patch(
        "/{name:str}",
        operation_id="changePartner",
        opt=needs(Action.RUN_PARTNERS),
        responses=refuses(errors.PartnerNotFound, errors.InvalidPartner, errors.PartnerConflict),
    )
    async def change(
        self, name: NameInPath, data: JSONBody[PartnerChanges], context: Context_, principal: Principal_
    ) -> PartnerView:
        """Change a partner, pause it or let it go on. What it is owed meanwhile it gets afterwards, once per EVSE.

        A secret that was made for it is shown now, in `issued`, and never again.
        """
        if data.configuration is not UNSET:
            allowed(principal, Action.SET_UP_PARTNERS)
        issued: dict[str, Any] = {}

        def decide(old: Partner) -> Partner:
            new = old
            if data.paused is not UNSET:
                new = msgspec.structs.replace(new, paused=data.paused)
            if data.configuration is not UNSET:
                good = accepted(
                    context.channels,
                    old.channel,
                    {**old.secrets, **data.configuration},
                    context.settings.longest_timeout,
                )
                new = good.reconfigured(new).told_anew()
                issued.update(good.issued({**old.secrets, **data.configuration}))
            # Whoever touches a partner has mended something: it is tried at once.
            return new.tried_now()

        return msgspec.structs.replace(await _changed(name, decide, context, principal), issued=issued or None)

    @post(
        "/{name:str}/resend",
        operation_id="resendToPartner",
        opt=needs(Action.RUN_PARTNERS),
        status_code=200,
        responses=refuses(errors.PartnerNotFound, errors.EvseNotFound),
    )
    async def resend(
        self, name: NameInPath, data: JSONBody[Resend], context: Context_, principal: Principal_
    ) -> PartnerView:
        """Tell a partner again, whatever it acknowledged: one EVSE, or everything."""
        if data.evse_id is None:
            return await _changed(name, Partner.told_anew, context, principal)
        async with context.database.write() as connection:
            await keys.held(connection, principal, context.clock.now())
            partner = await store.find(connection, context.secrets, name)
            evse = await reading.evse_named(connection, parse_evse_id(data.evse_id))
            if not await store.resend(connection, partner, evse.id, context.clock.now()):
                raise errors.EvseNotFound(f"{evse.evse_id} is not shared with {name}", field="evseId")
        context.owed()
        return await _view(partner, context)

    @delete(
        "/{name:str}",
        operation_id="removePartner",
        opt=needs(Action.SET_UP_PARTNERS),
        status_code=204,
        responses=refuses(errors.PartnerNotFound, body=False),
    )
    async def remove(self, name: NameInPath, context: Context_, principal: Principal_) -> None:
        """Forget a partner. It is told nothing more, not even that EVSEs are removed."""
        async with context.database.write() as connection:
            await keys.held(connection, principal, context.clock.now())
            await store.remove(connection, name, context.clock.now(), principal.id)
        context.partners_changed()

    @get(
        "/{name:str}/deliveries",
        operation_id="listDeliveries",
        opt=needs(Action.SEE_PARTNERS),
        response_headers=[paging.LINK],
        responses=refuses(errors.PartnerNotFound, body=False),
    )
    async def deliveries(
        self,
        request: Request[Any, Any, Any],
        name: NameInPath,
        context: Context_,
        limit: paging.Limit = 100,
        owed_only: Annotated[
            bool, QueryParameter(name="owedOnly", description="without what it has acknowledged")
        ] = True,
        cursor: paging.Cursor = None,
    ) -> Response[list[DeliveryView]]:
        """List what a partner is owed or rejected (`owedOnly=false`: everything shared), by EVSE."""
        async with context.database.read() as connection:
            partner = await store.find(connection, context.secrets, name)
            rows = await reports.deliveries_page(
                connection, partner.id, after=paging.after(cursor), limit=limit + 1, owed_only=owed_only
            )
        page = rows[:limit]
        more = paging.link(request, page[-1]["place"]) if len(rows) > limit else {}
        return Response([delivery_view(row) for row in page], headers=more)

    @get(
        "/{name:str}/attempts",
        operation_id="listAttempts",
        opt=needs(Action.SEE_PARTNERS),
        responses=refuses(errors.PartnerNotFound, body=False),
    )
    async def attempts(
        self,
        name: NameInPath,
        context: Context_,
        limit: Annotated[int, QueryParameter(ge=1, le=MOST_ATTEMPTS, description="how many at most, the latest")] = 50,
    ) -> list[AttemptView]:
        """List the latest attempts, newest first, with the partner's own words."""
        async with context.database.read() as connection:
            partner = await store.find(connection, context.secrets, name)
            rows = await reports.attempts(connection, partner.id, limit)
        return [attempt_view(row) for row in rows]


async def _changed(name: str, decide: Any, context: Context, principal: Principal) -> PartnerView:
    async with context.database.write() as connection:
        await keys.held(connection, principal, context.clock.now())
        new = await store.change(connection, context.secrets, name, decide, context.clock.now(), principal.id)
    _told_of_change(context)
    return await _view(new, context)


def _told_of_change(context: Context) -> None:
    context.partners_changed()
    context.look()


async def _view(partner: Partner, context: Context) -> PartnerView:
    async with context.database.read() as connection:
        owing = await reports.owing(connection, partner.id)
        delays = await reports.delays(connection, partner.id)
    return partner_view(partner, owing, delays, concerns_of(context.channels, partner, context.clock.now()))
