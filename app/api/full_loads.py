"""Replacing everything that a partner has of us at once: asked for here, made by the partner's lane."""

from datetime import datetime

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.api.context import Context
from app.api.guards import needs
from app.api.partner_shapes import NameInPath
from app.api.problems import refuses
from app.api.shapes import Asked, Told, ToldTime, told
from app.domain import errors
from app.domain.daily import Daily
from app.domain.full_load import FullLoad
from app.domain.partner import Partner
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store import full_loads as store
from app.store import keys, partners

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]


class WantedLoad(Asked):
    """`force`: also if it is empty, or more than a tenth smaller than the last one was."""

    force: bool = False


class FullLoadView(Told):
    """How the full loads of a partner stand.

    `daily` is the time of day and its zone; null where others tell the partner as well, so that none is ever made. One
    was asked for and is not yet made since `askedAt`. `acceptedCount` EVSEs were in the last one that was accepted. Of
    one that may still arrive late, everything is told anew at `doubtfulUntil`. `lastError` is why the last one was not
    made or not accepted. `nextAt` is when the next one is made of itself, null while one is wanted now.
    """

    daily: str | None
    asked_at: ToldTime | None = None
    force: bool = False
    under_way: bool = False
    accepted_at: ToldTime | None = None
    accepted_count: int | None = None
    doubtful_until: ToldTime | None = None
    next_at: ToldTime | None = None
    last_error: str | None = None


class FullLoads(Controller):
    """`/v2/partners/{name}/full-load`."""

    path = "/v2/partners/{name:str}/full-load"
    tags = ["Partners"]

    @get(
        operation_id="getFullLoad",
        opt=needs(Action.SEE_PARTNERS),
        responses=refuses(errors.PartnerNotFound, body=False),
    )
    async def look_at(self, name: NameInPath, context: Context_) -> FullLoadView:
        """Look at how the full loads of a partner stand."""
        async with context.database.read() as connection:
            partner = await partners.find(connection, context.secrets, name)
            load = await store.find(connection, partner.id)
        return _view(_daily(context, partner), load, context.clock.now())

    @post(
        operation_id="askForFullLoad",
        opt=needs(Action.RUN_PARTNERS),
        status_code=202,
        responses=refuses(errors.PartnerNotFound, errors.NotOursToReplace),
    )
    async def ask(
        self, name: NameInPath, data: JSONBody[WantedLoad], context: Context_, principal: Principal_
    ) -> FullLoadView:
        """Replace everything that the partner has by what is shown now; within seconds: look again for how."""
        async with context.database.write() as connection:
            await keys.held(connection, principal, context.clock.now())
            partner = await partners.find(connection, context.secrets, name)
            daily = _daily(context, partner)
            if daily is None:
                raise errors.NotOursToReplace(
                    "a full load deletes what others have pushed: set ownsAllStatuses in the partner's configuration "
                    "once nobody else does"
                )
            at = context.clock.now()
            load = await store.ask(connection, partner.id, principal.id, at, forced=data.force)
        context.owed()
        return _view(daily, load, at)


def _daily(context: Context, partner: Partner) -> Daily | None:
    channel = context.channels.get(partner.channel)
    return None if channel is None else channel.daily(partner)


def _next(daily: Daily | None, load: FullLoad, at: datetime) -> datetime | None:
    if daily is None or load.is_wanted(daily, at):
        return None
    return load.next_at if load.next_at is not None and load.next_at > at else daily.next(at)


def _view(daily: Daily | None, load: FullLoad | None, at: datetime) -> FullLoadView:
    when = None if daily is None else str(daily)
    if load is None:
        return FullLoadView(daily=when)
    return FullLoadView(
        daily=when,
        asked_at=told(load.asked_at),
        force=load.forced,
        under_way=load.began_at is not None,
        accepted_at=told(load.accepted_at),
        accepted_count=load.accepted_count,
        doubtful_until=told(load.doubtful_until),
        next_at=told(_next(daily, load, at)),
        last_error=load.last_error,
    )
