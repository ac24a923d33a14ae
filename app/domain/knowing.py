"""What a partner knows of an EVSE now, and if not the latest, why not."""

from enum import StrEnum

from app.domain.delivery import Delivery
from app.domain.evse import Evse
from app.domain.partner import Partner, Standing
from app.domain.presentation import GATE


class Knows(StrEnum):
    """How far one partner is with one EVSE."""

    LATEST = "latest"  #: it acknowledged what is shown
    OWED = "owed"  #: it is to be told, or told once more
    PARKED = "parked"  #: it refused the latest; asked again when something changes, or now and then
    NOT_TOLD = "notTold"  #: the EVSE was there before it, and it is told of changes only
    FILTERED_OUT = "filteredOut"  #: the EVSE is not among those that it gets
    NEVER_SHARED = "neverShared"  #: it was never in production while the partner was there


def knows(partner: Partner, evse: Evse, delivery: Delivery | None) -> Knows:
    """Tell how far `partner` is with the status of `evse`; `delivery` is what it is owed, if it was ever shared."""
    if delivery is None:
        return Knows.NEVER_SHARED if partner.audience.includes(evse) else Knows.FILTERED_OUT
    if delivery.rejected_version == delivery.want:
        return Knows.PARKED
    # A generation that rose, or a change of sign, is owed once somebody has looked: within a second.
    included = partner.audience.includes(evse)
    behind = delivery.generation != (partner.generation if included else -partner.generation)
    if behind or delivery.next_at is not None or delivery.in_flight:
        # Sent once more only in case an old request arrives late: it has the latest.
        sure = not behind and delivery.acked == delivery.want and delivery.suspect
        return Knows.LATEST if sure and delivery.acked_digest else Knows.OWED
    if not included:
        return Knows.FILTERED_OUT
    return Knows.NOT_TOLD if delivery.acked_at is None else Knows.LATEST


def why_not(partner: Partner, evse: Evse, delivery: Delivery | None) -> str:
    """Say in words why it does not know the latest, for people; empty where it does."""
    match knows(partner, evse, delivery):
        case Knows.LATEST:
            return ""
        case Knows.FILTERED_OUT:
            return "its filter leaves this EVSE out"
        case Knows.NEVER_SHARED if GATE[evse.deployment] is not None:
            return f"never shared with it: the EVSE is in deployment state {evse.deployment}"
        case Knows.NEVER_SHARED:
            return "not shared with it yet: a running service does that within a second"
        case Knows.NOT_TOLD:
            return "the EVSE was there before it, and it is told of changes only; `partners resend` tells it now"
        case Knows.PARKED:
            said = f": {delivery.last_error}" if delivery is not None and delivery.last_error else ""
            return f"it refused this{said}"
        case Knows.OWED:
            return _why_owed(partner, delivery)


def _why_owed(partner: Partner, delivery: Delivery | None) -> str:
    error = f": {partner.last_error}" if partner.last_error else ""
    match partner.standing:
        case Standing.PAUSED:
            return "it is paused: `partners resume` goes on"
        case Standing.FAILING:
            return f"it cannot be reached or does not answer{error}"
        case Standing.REFUSING:
            return f"it wants nothing of ours{error}"
        case Standing.GOOD if delivery is not None and delivery.last_error:
            return f"to be tried again: {delivery.last_error}"
        case Standing.GOOD if delivery is not None and delivery.suspect:
            return "an answer was lost: it is told once more"
        case Standing.GOOD:
            return "about to be told"
