"""EVSEs and actual statuses as they are said and as they are answered."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from app.api.context import Context
from app.api.explaining import MAY_SHARE, ChannelShows, MayShare, explained, presentation_of
from app.api.shapes import Asked, AskedTime, EvseIdText, Told, ToldTime, told
from app.api.temporary_status_shapes import TemporaryStatusView, view
from app.domain.evse import Evse
from app.domain.principal import Principal
from app.domain.status import ActualStatus, DeploymentState
from app.domain.temporary_status import TemporaryStatus
from app.store.commands.asking import sees_on

OcpiId = Annotated[
    str, Meta(min_length=1, max_length=36, pattern=r"^[\x21-\x7e]+$(?!\n)")
]  # `$` alone forgives a line break


class EvseFields(Asked):
    """What is said of an EVSE: left out means unchanged, or on creation the default (`STOCK`)."""

    deployment_state: DeploymentState | UnsetType = UNSET
    location_id: OcpiId | None | UnsetType = UNSET
    country_code: Annotated[str, Meta(pattern=r"^[A-Za-z]{2}$", max_length=2)] | UnsetType = UNSET
    party_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{3}$", max_length=3)] | UnsetType = UNSET
    uid: OcpiId | UnsetType = UNSET


class ActualStatusReport(Asked):
    """What a charger does, in words of OCPP 1.6, OCPP 2.0.1 or OCPI."""

    status: Annotated[str, Meta(max_length=40, examples=["Available", "CHARGING"])]
    observed_at: AskedTime | None = None


class ActualStatusOfOne(ActualStatusReport, kw_only=True):
    """The same, for one of many EVSEs."""

    evse_id: EvseIdText


class ActualStatusView(Told):
    """What is known of a charger after a report; `applied` is false where a newer report was there already."""

    evse_id: str | None
    actual_status: ActualStatus
    reported: str | None
    observed_at: ToldTime | None
    applied: bool


class ActualStatusResult(Told):
    """What became of one of many reports, in their order: a status of 200, or the problem's, with its place."""

    evse_id: str
    status: int
    applied: bool = False
    type: str | None = None
    detail: str | None = None
    pointer: str | None = None


class EvseView(Told):
    """An EVSE, what each channel shows for it, why and until when."""

    evse_id: str | None
    deployment_state: DeploymentState
    location_id: str | None
    country_code: str
    party_id: str
    uid: str
    actual_status: ActualStatus
    reported: str | None
    observed_at: ToldTime | None
    presented: dict[str, ChannelShows]
    temporary_statuses: list[TemporaryStatusView]
    may_share: MayShare


def evse_view(
    evse: Evse, live: list[TemporaryStatus], context: Context, at: datetime, principal: Principal
) -> EvseView:
    """Everything about one EVSE at the instant `at`, derived from all that lives on it then, told as far as is due."""
    seen = sees_on(principal, evse)
    presentation = presentation_of(evse, live, at, context.settings.actual_status_max_age)
    return EvseView(
        evse_id=evse.evse_id,
        deployment_state=evse.deployment,
        location_id=evse.location,
        country_code=evse.country,
        party_id=evse.party,
        uid=evse.uid,
        actual_status=evse.actual_status,
        reported=evse.reported,
        observed_at=told(evse.observed_at),
        presented=explained(evse, presentation, live, context.channels, seen),
        temporary_statuses=[view(one, evse, at) for one in live if seen(one)],
        may_share=MAY_SHARE[evse.deployment],
    )
