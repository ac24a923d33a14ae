"""What lists are filtered by: the parameters that they share, and how each is read."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.shapes import DATE_TIME, instant_in, ref_in, text_in
from app.domain.duration import read_duration
from app.domain.errors import MalformedEvseId, MalformedValue
from app.domain.evse_id import operator_key, parse_evse_id
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.status import Kind
from app.store import reading
from app.store.commands.asking import sees
from app.store.temporary_lists import Place

MOST_EVSES: Final = 100  #: EVSE IDs in one call

EvseIds = Annotated[
    list[str] | None,
    QueryParameter(
        name="evseId",
        max_items=MOST_EVSES,
        description=f"of this EVSE, or of any of up to {MOST_EVSES}: `evseId=…&evseId=…`. All of them must be known: "
        "one that is not registered, or that the key may not see, is a 404 for the whole list",
    ),
]
LocationId = Annotated[
    str | None,
    QueryParameter(
        name="locationId",
        max_length=36,
        description="of the EVSEs at the location with this OCPI id; one that nobody knows has none. "
        "`countryCode` and `partyId` say which, where several parties have one with the same id",
    ),
]
CountryCode = Annotated[
    str | None, QueryParameter(name="countryCode", max_length=2, description="of the location; only with `locationId`")
]
PartyId = Annotated[
    str | None, QueryParameter(name="partyId", max_length=3, description="of the location; only with `locationId`")
]
Operator = Annotated[
    str | None,
    QueryParameter(name="operator", max_length=10, description="of this operator id: `DE*ABC`, `DEABC` or `+49*810`"),
]
Kinds = Annotated[
    list[Kind] | None,
    QueryParameter(
        name="temporaryStatus", max_items=len(Kind), description="of this kind, or of any of several (repeat it)"
    ),
]
EndingWithin = Annotated[
    str | None,
    QueryParameter(
        name="endingWithin",
        max_length=30,
        description="in effect now, and its `validTo` comes within this duration from now: `30m`, `1d12h` or `PT30M`, "
        "at most ten years. What has an open end is not among them",
    ),
]
CreatedBy = Annotated[
    str | None,
    QueryParameter(
        name="createdBy",
        max_length=64,
        description="made with the key of this id (the `createdBy` of an answer, not the secret); `me` is this key. "
        "Whoever sees only its own finds nothing under another's id",
    ),
]
ActiveAt = Annotated[
    str | None,
    QueryParameter(
        name="activeAt",
        max_length=40,
        schema_extra=DATE_TIME,
        description="in effect at this instant, past or future, by what is known now. RFC 3339; write `+` as `%2B`",
    ),
]
UpdatedSince = Annotated[
    str | None,
    QueryParameter(
        name="updatedSince",
        max_length=40,
        schema_extra=DATE_TIME,
        description="only what was created, changed or ended at this instant or later. RFC 3339; write `+` as `%2B`",
    ),
]


class PresentedWord(StrEnum):
    """What an EVSE is shown as: a temporary status, else the actual status, else why it is not shown at all.

    `BLOCKED` and `RESERVED` are one word whether a temporary status says so or the charger: drivers see no difference.
    """

    COMMISSIONING = "COMMISSIONING"
    MAINTENANCE = "MAINTENANCE"
    BLOCKED = "BLOCKED"
    RESERVED = "RESERVED"
    AVAILABLE = "AVAILABLE"
    CHARGING = "CHARGING"
    INOPERATIVE = "INOPERATIVE"
    OUTOFORDER = "OUTOFORDER"
    PLANNED = "PLANNED"
    UNKNOWN = "UNKNOWN"
    WITHHELD = "WITHHELD"
    REMOVED = "REMOVED"


async def evse_keys(
    connection: AsyncConnection, evse_ids: Sequence[str] | None, principal: Principal, action: Action
) -> tuple[int, ...]:
    """The keys of the EVSEs that are named, none where none is.

    Raises:
        MalformedEvseId: one is no EVSE ID.
        EvseNotFound: one is not registered, or not for this key.
        AmbiguousEvse: one fits several, as its separators are missing.
    """
    if not evse_ids:
        return ()
    wanted = [parse_evse_id(one) for one in evse_ids]
    return tuple(one.id for one in await reading.evses_named(connection, wanted, sees(principal, action)))


def place(location_id: str | None, country_code: str | None, party_id: str | None) -> Place | None:
    """The location that is named.

    Raises:
        MalformedValue: it is none, or a country or a party without it.
    """
    country, party = text_in(country_code, "countryCode"), text_in(party_id, "partyId")
    if location_id is None:
        for value, field in ((country, "countryCode"), (party, "partyId")):
            if value is not None:
                raise MalformedValue(f"{field} says whose location is meant: send locationId with it", field=field)
        return None
    location = text_in(location_id, "locationId")
    assert location is not None  # noqa: S101 - what goes in as a text comes out as one
    return Place(location=location, country=country and country.upper(), party=party and party.upper())


def operator(operator_id: str | None) -> str | None:
    """The comparison key of an operator id.

    Raises:
        MalformedEvseId: it is none.
    """
    if operator_id is None:
        return None
    try:
        return operator_key(operator_id)
    except MalformedEvseId as error:
        raise MalformedEvseId(str(error), field="operator") from None


def instant(text: str | None, field: str) -> datetime | None:
    """Read a time, if there is one.

    Raises:
        MalformedInstant: it is none.
    """
    return None if text is None else instant_in(text, field)


def until(ending_within: str | None, at: datetime) -> datetime | None:
    """When what ends within that duration of `at` has ended.

    Raises:
        MalformedValue: it is no duration, or nothing could end in it.
    """
    if ending_within is None:
        return None
    try:
        return at + read_duration(ending_within)
    except MalformedValue as error:
        raise MalformedValue(str(error), field="endingWithin") from None


def made_by(created_by: str | None, principal: Principal) -> str | None:
    """The id of the key that is meant.

    Raises:
        MalformedValue: no id looks like that.
    """
    return principal.id if created_by == "me" else text_in(created_by, "createdBy")


def reference(ref: str | None) -> str | None:
    """A caller's own reference, if there is one.

    Raises:
        MalformedValue: none looks like that.
    """
    return None if ref is None else ref_in(ref)
