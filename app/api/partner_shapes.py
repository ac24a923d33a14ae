"""Partners, what they are owed and what was said to them, as they are asked for and answered."""

from typing import Annotated, Any

from litestar.params import PathParameter
from msgspec import UNSET, Meta, UnsetType

from app.api.shapes import Asked, Told, ToldTime, told
from app.domain.instant import rfc3339
from app.domain.partner import NAME, Partner, Standing
from app.store.partner_reports import Delays, Owing

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=NAME)]
NameInPath = Annotated[
    str, PathParameter(min_length=1, max_length=64, pattern=NAME, description="what the partner is called here")
]


class NewPartner(Asked):
    """A receiver; what its `configuration` holds is its channel's own, see the channel's page."""

    name: Name
    channel: Annotated[str, Meta(examples=["driver_app", "oicp", "ocpi"])]
    configuration: dict[str, Any]


class PartnerChanges(Asked):
    """What is to be different. A new configuration is whole, and everything is told again under it."""

    configuration: dict[str, Any] | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


class Resend(Asked):
    """What to tell again: one EVSE, or everything."""

    evse_id: str | None = None


class PartnerView(Told):
    """A partner, without its secrets, and how far behind it is.

    `shared` EVSEs are told to it. It has the latest status of the `acknowledged`; the `owed` are to be told, or once
    more; it refused the latest of the `parked`; an answer was lost of the `suspect`, which are told once more when no
    request can still arrive late. `waitingSince` is the oldest news that it does not have. `delay`: from when something
    came to be shown until the partner had it, in milliseconds, of the latest deliveries. `holdUntil` is when it is
    tried next while it is `failing` or `refusing`. `concerns` say what will soon keep it from being told, such as a
    certificate that runs out.
    """

    name: str
    channel: str
    configuration: dict[str, Any]
    state: Standing
    paused: bool
    generation: int
    failures: int
    hold_until: ToldTime | None
    last_error: str | None
    last_success_at: ToldTime | None
    created_at: ToldTime
    updated_at: ToldTime
    shared: int
    acknowledged: int
    owed: int
    parked: int
    suspect: int
    waiting_since: ToldTime | None
    delay: Delays
    concerns: list[str]
    issued: dict[str, Any] | None = None


class DeliveryView(Told):
    """What a partner is owed about one EVSE, and what it acknowledged, as versions of the EVSE."""

    evse_id: str | None
    aspect: str
    want: int
    acked: int | None
    acked_at: ToldTime | None
    in_flight: bool
    suspect: bool
    rejected: bool
    attempts: int
    next_at: ToldTime | None
    last_error: str | None


class AttemptView(Told):
    """What was said to a partner, and its own words.

    `reference` is the partner's own number of the request, for which its support asks: Process-ID at Hubject.
    """

    at: ToldTime
    evse_id: str | None
    aspect: str
    version: int
    said: str
    outcome: str
    answer: str | None
    reference: str | None
    took_ms: int
    delay_ms: int | None


def partner_view(partner: Partner, owing: Owing, delays: Delays, concerns: list[str]) -> PartnerView:
    """A partner as it may be shown: its secrets stay out."""
    return PartnerView(
        name=partner.name,
        channel=partner.channel,
        configuration=partner.configuration,
        state=partner.standing,
        paused=partner.paused,
        generation=partner.generation,
        failures=partner.failures,
        hold_until=told(partner.hold_until),
        last_error=partner.last_error,
        last_success_at=told(partner.last_success_at),
        created_at=rfc3339(partner.created_at),
        updated_at=rfc3339(partner.updated_at),
        shared=owing.shared,
        acknowledged=owing.acknowledged,
        owed=owing.owed,
        parked=owing.parked,
        suspect=owing.suspect,
        waiting_since=told(owing.waiting_since),
        delay=delays,
        concerns=concerns,
    )


def delivery_view(row: dict[str, Any]) -> DeliveryView:
    return DeliveryView(
        evse_id=row["evse_id"],
        aspect=row["aspect"],
        want=row["want"],
        acked=row["acked"],
        acked_at=told(row["acked_at"]),
        in_flight=row["in_flight"],
        suspect=row["suspect"],
        rejected=row["rejected_version"] == row["want"],
        attempts=row["attempts"],
        next_at=told(row["next_at"]),
        last_error=row["last_error"],
    )


def attempt_view(row: dict[str, Any]) -> AttemptView:
    return AttemptView(
        at=rfc3339(row["at"]),
        **{key: row[key] for key in AttemptView.__struct_fields__ if key != "at"},
    )
