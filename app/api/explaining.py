"""What each channel shows for an EVSE, why, and until when."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from app.api.shapes import Told, told
from app.channels.channel import Channel
from app.domain.evse import Evse
from app.domain.presentation import Presentation, present
from app.domain.status import DeploymentState
from app.domain.temporary_status import TemporaryStatus
from app.domain.total import total


class MayShare(Told):
    """What may be passed on to partners."""

    location_data: bool
    evse_status: bool
    cdrs: bool
    sessions: bool


#: Stock is tested in the warehouse and shares nothing; what is deprecated is still known, as removed, but its
#: sessions are the operator's own affair.
MAY_SHARE: Final = total(
    DeploymentState,
    {
        DeploymentState.STOCK: MayShare(location_data=False, evse_status=False, cdrs=False, sessions=False),
        DeploymentState.PRODUCTION: MayShare(location_data=True, evse_status=True, cdrs=True, sessions=True),
        DeploymentState.DEPRECATED: MayShare(location_data=True, evse_status=True, cdrs=False, sessions=False),
    },
)


class ChannelShows(Told):
    """What one channel shows: `status` in its own words, `null` where it is told nothing."""

    status: str | None
    why: str
    temporary_status_id: int | None
    until: str | None


class ChannelShown(Told):
    """What one channel shows right after a change."""

    status: str | None
    because: str


def presentation_of(
    evse: Evse, live: Collection[TemporaryStatus], at: datetime, max_age: timedelta | None
) -> Presentation:
    """Derive what is shown at `at`, so that a read right after a write shows the write."""
    return present(evse.deployment, evse.actual(max_age), live, at)


def everything(_one: TemporaryStatus) -> bool:
    return True


def explained(
    evse: Evse,
    presentation: Presentation,
    live: Collection[TemporaryStatus],
    channels: Mapping[str, Channel],
    seen: Callable[[TemporaryStatus], bool] = everything,
) -> dict[str, ChannelShows]:
    """Say for each channel what it shows, by its name in the API.

    Of a temporary status that is not `seen` this tells what any driver's app shows: neither which it is nor why.
    """
    why = why_shown(evse, presentation, live, seen)
    because = next((one.id for one in live if one.id == presentation.because and seen(one)), None)
    until = told(presentation.until)
    return {
        api_name(name): ChannelShows(
            status=channel.shows(presentation.what), why=why, temporary_status_id=because, until=until
        )
        for name, channel in channels.items()
    }


def shown(
    evse: Evse,
    presentation: Presentation,
    live: Collection[TemporaryStatus],
    channels: Mapping[str, Channel],
    seen: Callable[[TemporaryStatus], bool] = everything,
    rehearsed: Collection[int] = (),
) -> dict[str, ChannelShown]:
    """Say it short, for the answer to a change. What is only `rehearsed` has an id that nobody is to know."""
    why = why_shown(evse, presentation, live, seen, rehearsed)
    return {
        api_name(name): ChannelShown(status=channel.shows(presentation.what), because=why)
        for name, channel in channels.items()
    }


@cache
def api_name(channel: str) -> str:
    """A channel's name in camelCase: `driver_app` → `driverApp`."""
    first, *others = channel.split("_")
    return first + "".join(other.capitalize() for other in others)


def why_shown(
    evse: Evse,
    presentation: Presentation,
    live: Collection[TemporaryStatus],
    seen: Callable[[TemporaryStatus], bool],
    rehearsed: Collection[int] = (),
) -> str:
    """Say in words why `presentation`, which is derived from what is known now, is shown."""
    if evse.deployment is not DeploymentState.PRODUCTION:
        return f"the EVSE is in deployment state {evse.deployment}"
    if presentation.because is not None:
        one = next(one for one in live if one.id == presentation.because)
        if not seen(one):
            return f"a temporary status ({one.kind})"
        reason = f": {one.reason}" if one.reason else ""
        which = "a temporary status of this call" if one.id in rehearsed else f"temporary status {one.id}"
        return f"{which} ({one.kind}){reason}"
    if evse.reported is None:
        return "the charger has never reported a status"
    if presentation.what is not evse.actual_status:
        return f"the charger's last report, {evse.reported}, is too old to be believed"
    return f"the charger reports {evse.reported}"
