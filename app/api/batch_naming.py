"""How a call for many names what it is about: in exactly one way."""

from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from app.api.batch_shapes import NewTemporaryStatuses
from app.api.shapes import instant_in, text_in
from app.domain import errors
from app.domain.evse_id import EvseId, operator_key, parse_evse_id
from app.domain.principal import Principal
from app.domain.status import AppliesWhen
from app.domain.whole import Whole
from app.store.commands.planning_many import PlanForAll, PlanMany
from app.store.commands.temporary_statuses import Said, Wish

_WAYS: Final = {"items": "items", "evse_ids": "evseIds", "location_id": "locationId", "operator": "operator"}
#: What is said once, of all of them, and not beside `items`, which say it each for itself.
_SAID_ONCE: Final = {
    "temporary_status": "temporaryStatus",
    "valid_from": "validFrom",
    "valid_to": "validTo",
    "applies_when": "appliesWhen",
    "reason": "reason",
}
_OF_LOCATION: Final = {"country_code": "countryCode", "party_id": "partyId"}


def command_for(data: NewTemporaryStatuses, by: Principal, batch: str) -> PlanMany | PlanForAll:
    """Read what is asked; an item or EVSE ID that cannot be read is refused in its place.

    Raises:
        MalformedValue: the EVSEs are named in no way or in several, or something is said that does not go with it.
        MalformedInstant: a time that counts for all of them cannot be read.
    """
    given = [name for field, name in _WAYS.items() if getattr(data, field) is not None]
    if len(given) != 1:
        ways = ", ".join(list(_WAYS.values())[:-1]) + " or " + list(_WAYS.values())[-1]
        raise errors.MalformedValue(f"name what it is about in one way: {ways}", field=given[1] if given else "items")
    if data.location_id is None:
        _only_with(data, _OF_LOCATION, "locationId")
    if data.items is not None:
        _only_with(data, _SAID_ONCE, "evseIds, locationId or operator: each item has its own")
        wishes = tuple(_or_refusal(one.wish) for one in data.items)
        return PlanMany(by=by, wishes=wishes, batch=batch, atomic=data.atomic, looks=data.dry_run)
    return PlanForAll(
        by=by, which=which_of(data), said=_said(data), batch=batch, atomic=data.atomic, looks=data.dry_run
    )


def which_of(data: NewTemporaryStatuses) -> tuple[EvseId | errors.DomainError, ...] | Whole:
    """Read which EVSEs one temporary status is for."""
    if data.evse_ids is not None:
        seen: dict[str, int] = {}
        for place, one in enumerate(data.evse_ids):
            if (first := seen.setdefault(one.upper(), place)) != place:
                raise errors.MalformedValue(f"{one} is evseIds[{first}] already", field=f"evseIds[{place}]")
        return tuple(_evse_id(one, place) for place, one in enumerate(data.evse_ids))
    if data.location_id is not None:
        return Whole(
            location=text_in(data.location_id, "locationId"),
            country=None if data.country_code is None else data.country_code.upper(),
            party=None if data.party_id is None else data.party_id.upper(),
        )
    try:
        return Whole(operator=operator_key(data.operator or ""))
    except errors.MalformedEvseId as error:
        raise errors.MalformedValue(str(error), field="operator") from None


def _said(data: NewTemporaryStatuses) -> Said:
    if data.temporary_status is None:
        raise errors.MalformedValue("say what they are: temporaryStatus is needed", field="temporaryStatus")
    return Said(
        kind=data.temporary_status,
        valid_from=None if data.valid_from is None else instant_in(data.valid_from, "validFrom"),
        valid_to=None if data.valid_to is None else instant_in(data.valid_to, "validTo"),
        applies_when=AppliesWhen.ALWAYS if data.applies_when is UNSET else data.applies_when,
        reason=text_in(data.reason, "reason"),
    )


def _only_with(data: NewTemporaryStatuses, fields: dict[str, str], what: str) -> None:
    for field, name in fields.items():
        if getattr(data, field) not in (None, UNSET):
            raise errors.MalformedValue(f"goes only with {what}", field=name)


def _evse_id(written: str, place: int) -> EvseId | errors.DomainError:
    try:
        return parse_evse_id(written)
    except errors.MalformedEvseId as refusal:
        return errors.MalformedEvseId(str(refusal), field=f"evseIds[{place}]")


def _or_refusal(read: Callable[[], Wish]) -> Wish | errors.DomainError:
    try:
        return read()
    except errors.DomainError as refusal:
        return refusal
