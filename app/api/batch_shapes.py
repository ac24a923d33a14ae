"""Many temporary statuses as they are asked for in one call, and how that is answered."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from app.api.explaining import ChannelShown
from app.api.shapes import Asked, AskedTime, EvseIdText, Reason, Told, ToldTime
from app.api.temporary_status_shapes import NewTemporaryStatus, Overlap
from app.domain.status import AppliesWhen, Kind
from app.domain.temporary_status import State
from app.domain.whole import MOST_IN_BATCH

MOST_ITEMS: Final = 500  #: temporary statuses that differ, in one call
MOST_OVERLAPS: Final = 10  #: told of one item


class NewTemporaryStatuses(Asked, omit_defaults=True):
    """What is wanted: either `items`, one by one, or one temporary status for many EVSEs.

    The EVSEs are named in one way: `evseIds`, a `locationId` (with its `countryCode` and `partyId` where locations of
    several parties have that id), or an `operator`. A location or an operator are all its EVSEs that the key may see
    and that are not deprecated, also those without an EVSE ID: at least 1 and at most 5,000. What is said of them all,
    `temporaryStatus` at least, then stands beside.
    """

    items: (
        Annotated[
            list[NewTemporaryStatus], Meta(min_length=1, max_length=MOST_ITEMS, description="each with its own times")
        ]
        | None
    ) = None
    evse_ids: (
        Annotated[
            list[EvseIdText],
            Meta(min_length=1, max_length=MOST_IN_BATCH, description="the EVSEs, each once"),
        ]
        | None
    ) = None
    location_id: (
        Annotated[str, Meta(min_length=1, max_length=36, description="a whole location, as in OCPI")] | None
    ) = None
    country_code: (
        Annotated[str, Meta(pattern="^[A-Za-z]{2}$", max_length=2, description="of the location", examples=["DE"])]
        | None
    ) = None
    party_id: (
        Annotated[str, Meta(pattern="^[A-Za-z0-9]{3}$", max_length=3, description="of the location", examples=["ABC"])]
        | None
    ) = None
    operator: (
        Annotated[str, Meta(max_length=12, description="a whole operator", examples=["DE*ABC", "+49*810"])] | None
    ) = None
    temporary_status: Annotated[Kind, Meta(description="what all of them are said to be")] | None = None
    valid_from: AskedTime | None = None
    valid_to: AskedTime | None = None
    applies_when: AppliesWhen | UnsetType = UNSET
    reason: Reason | None = None
    atomic: Annotated[bool, Meta(description="all of it or nothing: refused with a 409 if any of it is")] = False
    dry_run: Annotated[
        bool, Meta(description="write nothing: say what would be refused, what would be shown, and what overlaps")
    ] = False


class PlannedItem(Told):
    """What became of one item: 201 and its id, or the status, type and place of its problem.

    `pointer` is into the item, or into the body where EVSEs are listed in it. After a dry run a 201 has no id; it has
    in `shown` what each channel would show now, or when it begins where that is later (to a key that may look at
    nothing: now), and up to 10 of the
    `overlapping` temporary statuses that share some time with it on its EVSE, earlier items of the call among them.
    """

    evse_id: str | None
    status: int
    id: int | None = None
    type: str | None = None
    detail: str | None = None
    pointer: str | None = None
    uid: str | None = None
    shown: dict[str, ChannelShown] | UnsetType = UNSET
    overlapping: int | UnsetType = UNSET
    overlaps: list[Overlap] | UnsetType = UNSET


class PlannedItems(Told):
    """What became of each item, in their order, and of how many.

    All that was planned carries the `batchId`, by which it can be ended; it is null where nothing was planned.
    """

    batch_id: str | None
    dry_run: bool
    planned: int
    refused: int
    items: list[PlannedItem]


class EndedItem(Told):
    """A temporary status that was ended, and where it stood before: a planned one never begins."""

    id: int
    evse_id: str | None
    uid: str
    was: State
    ended_at: ToldTime


class EndedItems(Told):
    """What was ended of a batch, oldest first; `over` of it were over before."""

    batch_id: str
    dry_run: bool
    ended: int
    over: int
    items: list[EndedItem]
