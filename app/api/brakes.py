"""The brakes: which of them hold, and letting one go."""

from datetime import datetime, timedelta
from typing import Annotated

import structlog
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from app.api.context import Context
from app.api.guards import needs
from app.api.problems import refuses
from app.api.shapes import Asked, Told, ToldTime, text_in, told
from app.domain import errors
from app.domain.brake import LONGEST_LIFT, Braked, Group
from app.domain.evse_id import operator_key
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store import brakes as store

log = structlog.get_logger(__name__)

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]


class SiteText(Asked):
    """A site, by OCPI's names."""

    country_code: Annotated[str, Meta(pattern="^[A-Za-z]{2}$", max_length=2)]
    party_id: Annotated[str, Meta(pattern="^[A-Za-z0-9]{3}$", max_length=3)]
    location_id: Annotated[str, Meta(min_length=1, max_length=36)]


class Lift(Asked, kw_only=True):
    """Which brake to let go: an operator's with all of its sites, or one site's. After `PT0S` it counts anew."""

    operator: Annotated[str, Meta(max_length=12, examples=["DE*ABC"])] | None = None
    site: SiteText | None = None
    lift_for: Annotated[
        timedelta,
        Meta(description="ISO 8601, up to one day", examples=["PT1H"], extra_json_schema={"format": "duration"}),
    ] = timedelta(hours=1)

    def group(self) -> Group:
        """Return whose brake is meant.

        Raises:
            MalformedValue: neither an operator nor a site is named, or both are, or one that could not be.
        """
        if (self.operator is None) is (self.site is None):
            raise errors.MalformedValue("name an operator or a site", field="")
        if self.site is not None:
            text_in(self.site.location_id, "site.locationId")
            return Group(site=(self.site.country_code.upper(), self.site.party_id.upper(), self.site.location_id))
        try:
            return Group(operator=operator_key(self.operator or ""))
        except errors.MalformedEvseId as error:
            raise errors.MalformedValue(str(error), field="operator") from None


class SiteView(Told):
    """A site, by OCPI's names."""

    country_code: str
    party_id: str
    location_id: str


class BrakeView(Told):
    """How a brake stands.

    It took hold at `trippedAt`, when the key `trippedBy` would have made it `evses` of the `of` that there are, and has
    refused `refused` calls since. It holds back the keys in `held`, until `heldUntil` the last of them; nothing is
    counted until `liftedUntil`.
    """

    operator: str | None
    site: SiteView | None
    holds: bool
    held: list[str]
    tripped_at: ToldTime | None
    tripped_by: str | None
    evses: int
    of: int
    refused: int
    held_until: ToldTime | None
    lifted_until: ToldTime | None
    lifted_by: str | None


class Brakes(Controller):
    """`/v2/brakes`."""

    path = "/v2/brakes"
    tags = ["Brakes"]

    @get(operation_id="listBrakes", opt=needs(Action.SEE_BRAKES), responses=refuses(body=False))
    async def list_(self, context: Context_, principal: Principal_) -> list[BrakeView]:
        """List the brakes that hold, and those that are lifted."""
        at = context.clock.now()
        async with context.database.read() as connection:
            found = await store.at_work(connection, principal, at)
        return [_view(one, at) for one in found]

    @post(
        "/lift",
        operation_id="liftBrake",
        opt=needs(Action.LIFT_BRAKES),
        status_code=200,
        responses=refuses(errors.MalformedValue, errors.BrakeNotFound),
    )
    async def lift(self, data: JSONBody[Lift], context: Context_, principal: Principal_) -> BrakeView:
        """Let everything through at a site or an operator for a while: it is known, and meant."""
        if not timedelta() <= data.lift_for <= LONGEST_LIFT:
            raise errors.MalformedValue("PT0S to P1D", field="liftFor")
        group, at = data.group(), context.clock.now()
        async with context.database.write() as connection:
            lifted = await store.lift(connection, principal, group, at, at + data.lift_for)
        log.warning("a brake was lifted", of=group.name, by=principal.id, until=told(lifted.lifted_until))
        return _view(lifted, at)


def _view(one: Braked, at: datetime) -> BrakeView:
    site = None if one.group.site is None else SiteView(*one.group.site)
    return BrakeView(
        operator=None if one.group.operator is None else one.group.id,
        site=site,
        holds=bool(one.holding(at)),
        held=sorted(one.holding(at)),
        tripped_at=told(one.tripped_at),
        tripped_by=one.tripped_by,
        evses=one.evses,
        of=one.of,
        refused=one.refused,
        held_until=told(one.holds_until(at)),
        lifted_until=told(one.lifted_until),
        lifted_by=one.lifted_by,
    )
